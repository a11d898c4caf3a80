"""``nox -s prove``: every implementation against the reference, in float64 and float32."""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from bench import certificate, environments, reference, sources
from bench.contract import Precision
from bench.errors import UserError
from bench.launch import Outcome, launch
from bench.runner import worker_cpus
from bench.workloads import WORKLOADS, Workload

STEPS: dict[Precision, int] = {"fp64": 50, "fp32": certificate.STEPS}
"""In float64 there is room for many; in float32 rounding takes over after ten."""

TIMEOUT = 3600


class Case(NamedTuple):
    """One line of the table."""

    workload: str
    framework: str
    mode: str
    precision: Precision


def workloads() -> dict[str, Workload]:
    """What is proven: every network, with settings at which training is stable.

    Residual networks at their own learning rate of 0.1 amplify rounding from 1e-16 to anything; the
    full ``resnet18`` is too large for a CPU, and its code is that of the narrow one.
    """
    proven = {
        name: certificate.without_dropout(workload)
        for name, workload in WORKLOADS.items()
        if name != "resnet18"
    }
    residual = proven["resnet20"]
    stable = replace(residual.optimizer, learning_rate=0.01, schedule=((20, 0.1), (40, 0.01)))
    for network in ("resnet20", "resnet18-narrow"):
        proven[network] = replace(
            residual, name=network, network=network, optimizer=stable, batch_size=32
        )
    return proven


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 all proven, 1 some not, 2 bad input, 130 interrupted."""
    console = Console(stderr=True)
    options = parser().parse_args(arguments)
    results: dict[Case, Outcome] = {}
    status = 0
    try:
        for case in cases(options):
            results[case] = prove(case, console)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        status = 130
    Console(width=None if console.is_terminal else 120).print(table(results))
    for case, outcome in results.items():
        if outcome.message:
            print(f"not proven: {' '.join(case)}: {outcome.message}", file=sys.stderr)
    return status or int(any(outcome.status != "ok" for outcome in results.values()))


def parser() -> argparse.ArgumentParser:
    """Every option, explained."""
    result = argparse.ArgumentParser(
        prog="nox -s prove --",
        description="Hold every implementation against the float64 reference; print the largest "
        "deviations of logits, losses, updates and weights (README: what is proven).",
    )
    add = result.add_argument
    add("--framework", action="append", choices=list(environments.frameworks()))
    add("--workload", action="append", choices=list(workloads()))
    add("--precision", action="append", choices=list(STEPS))
    add("--all-modes", action="store_true", help="every mode, not each framework's default only")
    return result


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """What the options ask for, in the order of the table."""
    known = environments.frameworks()
    for workload in options.workload or workloads():
        for precision in options.precision or STEPS:
            for framework in options.framework or known:
                modes = list(known[framework].modes)
                for mode in modes if options.all_modes else modes[:1]:
                    yield Case(workload, framework, mode, precision)


def prove(case: Case, console: Console) -> Outcome:
    """Run one case in a process of its framework's environment."""

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False)

    workload, steps = workloads()[case.workload], STEPS[case.precision]
    trace = reference.trace(workload, cache=sources.default_cache(), report=say, steps=steps)
    trial = certificate.trial(case.framework, case.mode, workload, case.precision)
    with tempfile.TemporaryDirectory() as folder:
        outcome = launch(
            trial,
            python=environments.environment(case.framework, "cpu", say),
            worker=("bench.proof", str(trace), str(steps)),
            cpus=worker_cpus(1),
            timeout=TIMEOUT,
            log=Path(folder, "log"),
            tick=lambda: None,
        )
    say(f"{' '.join(case)}: {outcome.status} ({outcome.seconds:.0f} s)")
    return outcome


def table(results: dict[Case, Outcome]) -> Table:
    """The largest relative deviations of each case."""
    shown = Table(box=box.SIMPLE_HEAD, padding=0)
    for heading in (*Case._fields, "steps"):
        shown.add_column(heading)
    for heading in ("first logits", "first loss", "first update", "losses", "weights", "logits"):
        shown.add_column(heading, justify="right")
    for case, outcome in results.items():
        if earned := outcome.certificate:
            found = asdict(earned)
            values = (found[name] for name in asdict(earned.tolerance))
            cells = ("-" if value is None else f"{value:.1e}" for value in values)
            shown.add_row(*case, str(earned.steps), *cells)
    return shown


if __name__ == "__main__":
    sys.exit(main())
