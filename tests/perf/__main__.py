"""Every framework's timings by pytest-benchmark in one file: ``python -m tests.perf [OPTIONS]``.

Each mode is timed in a process of its own, in the environment that it is examined in, with the
environment variables and on the processor that its trials have. Runs in the harness' environment.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import files
from bench.arguments import Parser
from bench.code import ROOT
from bench.environments import ENVIRONMENTS, arms, frameworks, install
from bench.errors import UserError
from bench.launch import bound_to, environment
from bench.runner import worker_cpus
from tests.perf.merge import Report, merged
from tests.perf.trial import trial_of

PERF = ROOT / "results" / "perf"

NO_TESTS = 5
"""Exit status of pytest where none was chosen (``-k``)."""

Arm = tuple[str, str]
"""Framework and mode."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 all were timed, 1 some failed, 2 bad input, 130 interrupted."""
    try:
        return run(*parser().parse_known_args(arguments))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; nothing is written", file=sys.stderr)
        return 130


def run(options: argparse.Namespace, others: Sequence[str]) -> int:
    """Time all that ``options`` ask for; ``others`` are pytest's. Raises ``UserError``."""
    if any(of.startswith("--benchmark-json") for of in others):
        raise UserError("--benchmark-json: all timings go to one file; name it by --output")
    names = options.framework or list(frameworks())
    chosen = arms(names, options.mode, "cpu", lambda found: list(found.modes))
    output = options.output or new_file()
    if output.is_dir() or not output.parent.is_dir():
        raise UserError(f"--output {output}: no file can be there; name another")
    pythons = {arm: python(arm) for arm in chosen}
    found = {arm: timed(arm, pythons[arm], others) for arm in chosen}
    reports = [report for _, report in found.values() if report]
    failed = [arm for arm, (status, _) in found.items() if status not in (0, NO_TESTS)]
    for framework, mode in failed:
        print(f"failed: {framework} {mode}", file=sys.stderr)
    if reports:
        write(output, merged(reports))
    elif not failed:
        raise UserError("none of the tests in tests/perf was chosen, or none was timed")
    return 1 if failed else 0


def parser() -> Parser:
    """The options; what is none of them is pytest's."""
    known = frameworks()
    result = Parser(
        prog="nox -s perf --",
        description="Time training steps, inference and input pipelines of every framework and "
        "mode by pytest-benchmark. Other options, such as -k or --benchmark-save, are pytest's.",
        allow_abbrev=False,
    )
    add = result.add_argument
    add("--framework", action="append", choices=list(known), help="only this one; repeatable")
    modes = sorted({mode for implementation in known.values() for mode in implementation.modes})
    add("--mode", action="append", choices=modes, help="only this one; repeatable")
    add("--output", type=Path, metavar="FILE", help="for the timings (results/perf/<time>.json)")
    return result


def python(arm: Arm) -> Path:
    """The interpreter of the environment that ``arm`` is examined in, made where it is missing."""
    framework, mode = arm
    parts = ("conformance", framework, frameworks()[framework].modes[mode].environment)
    name = "-".join(filter(None, parts))
    return install(
        ENVIRONMENTS / name,
        ROOT / "locks" / f"{name}.txt",
        lambda: print(
            f"making the environment {name} (takes minutes the first time)", file=sys.stderr
        ),
    )


def timed(arm: Arm, python: Path, others: Sequence[str]) -> tuple[int, Report | None]:
    """Exit status of pytest, and what it timed; None where that is nothing."""
    framework, mode = arm
    # Which of the workloads makes no difference here.
    trial = trial_of(framework, mode, "listing1")
    with tempfile.TemporaryDirectory(prefix="perf-") as home:
        file = Path(home, "timings.json")
        command = (
            *(str(python), "-P", "-m", "pytest", "tests/perf"),
            *(f"--framework={framework}", f"--mode={mode}"),
            *("--benchmark-disable-gc", f"--benchmark-json={file}"),
            # Where no test was chosen, it warns that it writes nothing; warnings are errors here.
            *("-W", "default::pytest_benchmark.logger.PytestBenchmarkWarning"),
            *others,
        )
        with bound_to(worker_cpus(trial.threads)):
            variables = environment(trial, home, os.environ)
            done = subprocess.run(command, cwd=ROOT, env=variables, check=False)
        text = file.read_text(encoding="utf-8") if file.exists() else ""
    return done.returncode, json.loads(text) if text else None


def new_file() -> Path:
    """Where timings go that nobody names a file for."""
    PERF.mkdir(parents=True, exist_ok=True)
    return PERF / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"


def write(output: Path, report: Report) -> None:
    """Write the file at once and whole, and say so. Raises ``UserError``."""
    try:
        files.replace(output, json.dumps(report, indent=1) + "\n")
    except OSError as error:
        raise UserError(f"--output {output}: cannot be written ({error.strerror})") from None
    print(f"timings: {output}")


if __name__ == "__main__":
    sys.exit(main())
