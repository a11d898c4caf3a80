"""Rebuild the reports of runs: ``python -m report RUN [RUN...]``."""

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.errors import UserError
from report.page import REPORT, print_tables, write_report
from report.text import plain


def main(arguments: Sequence[str] | None = None) -> int:
    """Write and print the report of each run; return 2 if there was an error, else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m report",
        description="Rebuild report.md and tables/ of runs from their records, and print them.",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run")
    options = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show an arrow shows its escape; it is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console()
    status = 0
    for run in options.runs:
        try:
            report = write_report(run)
        except UserError as error:
            print(f"error: {plain(str(error))}", file=sys.stderr)
            status = 2
            continue
        print_tables(console, report)
        print(f"report: {plain(str(run / REPORT))}")
    return status


if __name__ == "__main__":
    sys.exit(main())
