"""``nox -s listings``: run what the article prints, each part in a process, and keep how it ended.

The parts are the files of ``listings/``; they run in PyTorch's environment. The dated answer is
written to ``results/reference/listings.json``.
"""

import argparse
import ast
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from json import dumps
from pathlib import Path

from bench import files
from bench.code import ROOT
from bench.contract import BASELINE
from bench.environments import environment
from bench.errors import UserError, last_line
from bench.outcomes import Audit, Outcome

OUTPUT = ROOT / "results" / "reference" / "listings.json"
FOLDER = ROOT / "listings"
SHARED = ("__init__", "networks")
"""Files that are no condition."""
TIMEOUT = 120.0
LONGEST_ERROR = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 written, whatever holds and does not; 2 no environment, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="nox -s listings --",
        description="Run what the article's listings do, each part in a process of its own, and "
        f"write how it ended to {OUTPUT.relative_to(ROOT)}.",
    )
    parser.parse_args(arguments)
    try:
        python = environment(*BASELINE, "cpu", print)
        outcomes = tuple(outcome(path, python) for path in scripts())
        audit = Audit(
            date=f"{datetime.now(UTC):%Y-%m-%d}",
            python=_said(python, "import platform; print(platform.python_version())"),
            torch=_said(python, "import torch; print(torch.__version__)"),
            outcomes=outcomes,
        )
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    files.replace(OUTPUT, dumps(asdict(audit), indent=1) + "\n")
    for found in outcomes:
        print(f"{'holds' if found.holds else 'fails'}: {found.condition} {found.error}".rstrip())
    return 0


def scripts() -> list[Path]:
    """The files that are conditions, by name."""
    return sorted(path for path in FOLDER.glob("*.py") if path.stem not in SHARED)


def outcome(path: Path, python: Path) -> Outcome:
    """Run one file. A hang is no outcome of its own: it ends with an error that says so."""
    try:
        done = subprocess.run(
            [str(python), "-P", "-m", f"listings.{path.stem}"],
            env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=TIMEOUT,
        )
        status, said = done.returncode, last_line(done.stderr)
    except subprocess.TimeoutExpired:
        status, said = 1, f"no end within {TIMEOUT:g} seconds"
    return Outcome(
        script=path.stem,
        condition=condition(path),
        holds=status == 0,
        error=said[:LONGEST_ERROR] if status else "",
    )


def condition(path: Path) -> str:
    """What a file stands for: the first line of its docstring, without the full stop."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    if not docstring:
        raise UserError(f"{path}: has no docstring that says what it shows")
    return docstring.partition("\n")[0].removesuffix(".")


def _said(python: Path, code: str) -> str:
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{python}: {done.stderr.strip().rpartition(chr(10))[2]}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
