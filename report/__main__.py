"""Rebuild the report of a run, or make one of several: ``python -m report RUN [RUN...]``."""

import argparse
import gc
import io
import sys
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from pathlib import Path

from bench.errors import UserError
from bench.records import RECORDS
from report.parts import reading
from report.text import plain


def main(arguments: Sequence[str] | None = None) -> int:
    """Write and print a report; return 2 if there was an error, else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m report",
        description="Rebuild the report of a run from its records, or make one report of several "
        "runs: what was measured on the same machine with the same code is compared together, the "
        "rest stands side by side.",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run")
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="for the report; of one run, its own folder"
    )
    options = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show an arrow shows its escape; it is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        folder = _folder(options.runs, options.output)
        with reading([run / RECORDS for run in options.runs]) as begun:
            # Not above: this takes seconds, in which helpers read. They import this module as well.
            from rich.console import Console

            from report.console import print_tables
            from report.load import load_begun
            from report.overview import arrange
            from report.write import PAGE, write_report

            run = load_begun(options.runs, begun)
        report = arrange(run)
        console = Console()
        # While the figures are drawn; shown when the report is there, also to who stops reading.
        with console.capture() as shown:
            print_tables(console, report)
        write_report(report, folder)
    except UserError as error:
        print(f"error: {plain(str(error))}", file=sys.stderr)
        return 2
    except BrokenExecutor:
        print("error: a process of the report was ended (out of memory?)", file=sys.stderr)
        return 2
    print(shown.get(), end="")
    print(f"report: {plain(str(folder / PAGE))}")
    return 0


def _folder(runs: Sequence[Path], output: Path | None) -> Path:
    """Where to write to. Raises ``UserError``."""
    if output is None:
        if len(runs) > 1:
            raise UserError("several runs make one report; name a folder for it: --output FOLDER")
        return runs[0]
    if (output / RECORDS).exists() and [output.resolve()] != [run.resolve() for run in runs]:
        raise UserError(f"--output {output}: holds a run of its own; name another folder")
    return output


if __name__ == "__main__":
    # Little becomes garbage before the end, and looking for it takes half a second of twenty.
    gc.disable()
    sys.exit(main())
