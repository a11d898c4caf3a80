"""Write a run's report into its folder, and print its tables.

``index.html`` for readers, ``report.md`` with its figures for a repository, ``tables/*.csv`` and
``summary.json`` for programs.
"""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table as ConsoleTable
from rich.text import Text

from bench import files
from bench.errors import UserError
from bench.records import RECORDS
from report import html
from report.about import about, dataset_note
from report.figures import KINDS, Figure, figures
from report.language import Catalogue
from report.load import Run, load_runs
from report.sections import TABLE_KEYS, Section, build_sections, count
from report.tables import claims
from report.tables.columns import Column, Table
from report.text import plain

REPORT = "report.md"
PAGE = "index.html"
SUMMARY = "summary.json"
TABLES = "tables"
FIGURES = "figures"

_LONGEST_CELL = 300
"""Characters of a text that a page still shows; the CSV files hold all of it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Report:
    """A run, arranged for reading."""

    run: Run
    sections: tuple[Section, ...]

    @property
    def status(self) -> str:
        """How much of the plan is recorded, and how it ended."""
        recorded = len(self.run.trials.drop_duplicates(["run", "position"]))
        if recorded == 0 and self.run.planned is None:
            return "Nothing was recorded"
        of = "" if self.run.planned is None else f" of {self.run.planned}"
        noun = "trial" if (self.run.planned or recorded) == 1 else "trials"
        counts = self.run.trials["status"].value_counts().sort_index()
        ends = ", ".join(f"{count} {status}" for status, count in counts.items())
        return f"{recorded}{of} {noun} recorded" + (f" ({ends})" if ends else "")

    @property
    def resume(self) -> str:
        """The command that measures what is planned and not recorded; empty if all is."""
        recorded = len(self.run.trials.drop_duplicates(["run", "position"]))
        if self.run.planned is None or recorded >= self.run.planned:
            return ""
        # Of several runs it would take several commands, and each run's own report has its own.
        (folder, *others) = self.run.folders
        return "" if others else f"nox -s bench -- --resume {_place(folder)}"

    @property
    def duty(self) -> str:
        """How much of the trials' time was spent being timed; empty if nothing was."""
        trials = self.run.trials
        timed, whole = float(trials["timed_seconds"].sum()), float(trials["seconds"].sum())
        if not (timed > 0 and whole > 0):
            return ""
        return f"Timed: {timed:,.0f} of {whole:,.0f} seconds of all trials ({timed / whole:.0%})"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What must be known before any number is read."""
        cut = (f"The last line of {RECORDS} was cut off while being written; it is left out.",)
        problems = tuple(problem for section in self.sections for problem in section.problems)
        return (*problems, *(cut if self.run.interrupted else ()))


def write_report(runs: Sequence[Path], folder: Path) -> Report:
    """Write a report of ``runs`` into ``folder``, replacing older ones.

    Every file is whole at any time. Raises ``UserError`` as ``load_runs`` does, or when the folder
    cannot be written to.
    """
    run = load_runs(runs)
    report = Report(run=run, sections=build_sections(run))
    drawn = [figures(section) for section in report.sections]
    written = {
        **{
            f"{TABLES}/{number}-{table.key}.csv": _csv(section, table)
            for number, section in enumerate(report.sections, start=1)
            for table in section.tables
        },
        **{
            f"{FIGURES}/{number}-{figure.key}.svg": figure.svg()
            for number, of_section in enumerate(drawn, start=1)
            for figure in of_section
        },
        SUMMARY: json.dumps(_summary(report), indent=1, allow_nan=False) + "\n",
        REPORT: "\n".join(_page(report, drawn)) + "\n",
        PAGE: html.page(opening(report), report.sections, drawn, run.trials, Catalogue.load("zh")),
    }
    try:
        for name in (TABLES, FIGURES):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name, text in written.items():
            files.replace(folder / name, text)
        for path in (*folder.glob(f"{TABLES}/*.csv"), *folder.glob(f"{FIGURES}/*.svg")):
            name = path.relative_to(folder).as_posix()
            if name not in written and _OURS.fullmatch(name):
                path.unlink()
    except OSError as error:
        raise UserError(f"{folder}: cannot write the report ({error.strerror})") from None
    return report


_OURS = re.compile(
    rf"{TABLES}/\d+-({'|'.join(TABLE_KEYS)})\.csv|{FIGURES}/\d+-({'|'.join(KINDS)})-[\w.-]+\.svg"
)
"""Names of what earlier reports left; other files in the folder are not ours to delete."""


def opening(report: Report) -> html.Opening:
    """What the page says of the run as a whole."""
    return html.Opening(
        name=_name(report.run),
        status=report.status,
        duty=report.duty,
        resume=report.resume,
        warnings=report.warnings,
        spread=_SPREAD,
        apart=_APART,
        tables_folder=TABLES,
        place=_places(report.run),
        records=[f"{plain(folder.resolve().name)}/{RECORDS}" for folder in report.run.folders]
        if len(report.run.folders) > 1
        else [RECORDS],
    )


def _summary(report: Report) -> dict[str, Any]:
    """Verdicts and their conditions, for programs; what is not known is null."""
    return {
        "run": _name(report.run),
        "status": report.status,
        "warnings": list(report.warnings),
        "sections": [
            {
                "identity": {key: _json(value) for key, value in section.identity.items()},
                **{
                    key: [
                        {name: _json(value) for name, value in row.items()}
                        for row in section[key].rows.to_dict("records")
                    ]
                    for key in (claims.KEY, claims.CONDITIONS_KEY)
                },
            }
            for section in report.sections
        ],
    }


def _json(value: object) -> object:
    """A value of a table as JSON has it: neither NaN nor infinite, and no type of NumPy's."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not isfinite(value) else value


def print_tables(console: Console, report: Report) -> None:
    """Print what the page opens with, and the tables that are not for the page alone."""
    console.print(Text(f"{_name(report.run)}: {report.status}"))
    if report.resume:
        console.print(Text(f"resume with: {report.resume}"))
    if report.duty:
        console.print(Text(report.duty))
    for warning in report.warnings:
        console.print(Text(warning, style="bold red"))
    for section in report.sections:
        console.print()
        console.print(Text(section.heading, style="bold"))
        note = dataset_note(section)
        for line in filter(None, (note, *section.notes)):
            console.print(Text(line))
        for table in section.tables:
            if len(table.rows) and not table.page_only:
                console.print(_console_table(table))
    if len(report.sections) > 1:
        console.print(Text(_APART))
    if report.sections:
        console.print(Text(_SPREAD))


_SPREAD = (
    "Numbers are medians over the repeats, with the lowest and highest where these differ "
    "(low-high): no confidence interval. Those with limits (low to high) have one."
)


_APART = (
    "Sections differ in data, training, device, threads, allocator, machine or code: their numbers "
    "cannot be compared with each other."
)


def _console_table(table: Table) -> ConsoleTable:
    """Arrange for a terminal: what stands in brackets on a page stands below here."""
    shown = ConsoleTable(
        title=Text(table.title),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,
        show_edge=False,
    )
    columns = [column for column in table.shown if not column.page_only]
    rows = list(table.cells(columns))
    for place, column in enumerate(columns):
        numeric = _numeric(table, column)
        parts = [*column.heading.split(), *(part for cells in rows for part in cells[place])]
        shown.add_column(
            Text(column.heading),
            justify="right" if numeric else "left",
            overflow="fold",
            # A number is never broken in two; texts and headings may be.
            width=max(map(len, parts)) if numeric else None,
        )
    for cells in rows:
        shown.add_row(
            *(
                Text.assemble(_shortened(text), (f"\n{aside}" if aside else "", "dim"))
                for text, aside in cells
            )
        )
    return shown


def _numeric(table: Table, column: Column) -> bool:
    """Whether a column is numbers, to be aligned at their ends."""
    return pd.api.types.is_numeric_dtype(table.rows[column.keys[0]])


def _page(report: Report, drawn: Sequence[Sequence[Figure]]) -> Iterator[str]:
    """Lines of the report in Markdown."""
    yield f"# Run {_markdown(_name(report.run))}"
    yield ""
    yield f"{report.status}." + (f" {report.duty}." if report.duty else "")
    if report.resume:
        yield "To measure the rest:"
        yield ""
        yield f"    {report.resume}"
    for warning in report.warnings:
        yield ""
        yield f"> **Warning:** {_markdown(warning)}"
    for number, (section, of_section) in enumerate(
        zip(report.sections, drawn, strict=True), start=1
    ):
        yield ""
        yield f"## {number}. {_markdown(section.heading)}"
        yield ""
        yield from (_markdown(f"- {line}") for line in about(section))
        for table in section.tables:
            if len(table.rows):
                yield ""
                yield f"### {table.title}"
                yield ""
                yield from _markdown_table(table)
        for figure in of_section:
            yield ""
            yield f"![{_markdown(figure.title)}]({FIGURES}/{number}-{figure.key}.svg)"
            yield ""
            yield f"{_markdown(figure.title)}. {figure.about}"
    if report.sections:
        yield from _reading(report)
    yield ""
    yield f"The numbers in full precision are in `{TABLES}/`, one file for each table, numbered as"
    yield "the sections are; times are in seconds or as named, memory in bytes, accuracy is 0 to 1."
    yield f"To rebuild this page from `{RECORDS}`, give the folder wherever it lies now:"
    yield ""
    yield f"    python -m report {_places(report.run)}"


def _reading(report: Report) -> Iterator[str]:
    """Say what the numbers are, for all sections at once."""
    yield ""
    yield "## How to read the tables"
    yield ""
    yield _SPREAD
    if len(report.sections) > 1:
        yield _APART
    repeats = [number for section in report.sections for number in section.repeats or ()]
    if repeats:
        yield f"A row of a comparison has {_between(min(repeats), max(repeats))}, each a fresh"
        yield "process."
    yield "Arrows point to the better side. A dash is something that was not measured."
    filled = {
        table.key: table
        for section in report.sections
        for table in section.tables
        if len(table.rows) and any(column.meaning for column in table.shown)
    }
    for table in filled.values():
        yield ""
        yield f"{table.title}:"
        yield ""
        for column in table.shown:
            if column.meaning:
                yield f"- **{column.title}**: {column.meaning}."


def _between(low: int, high: int) -> str:
    return count(high, "repeat") if low == high else f"{low} to {count(high, 'repeat')}"


def _markdown_table(table: Table) -> Iterator[str]:
    yield _markdown_row([column.heading for column in table.shown])
    rules = (" ---: " if _numeric(table, column) else " --- " for column in table.shown)
    yield "|" + "|".join(rules) + "|"
    for cells in table.cells(table.shown):
        yield _markdown_row([f"{text} ({aside})" if aside else text for text, aside in cells])


def _markdown_row(texts: Sequence[str]) -> str:
    return "| " + " | ".join(_markdown(_shortened(text)) for text in texts) + " |"


def _markdown(text: str) -> str:
    """Escape what Markdown, HTML or the automatic links of GitHub would make more than text."""
    escaped = re.sub(r"[\\`*_\[\]<>|~&$#]", r"\\\g<0>", plain(text))
    return re.sub(r"(?i)(?<=www)\.", r"\\.", escaped.replace("://", r":\//"))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"


def _csv(section: Section, table: Table) -> str:
    """Render as CSV the rows, each with what identifies its section, in full precision."""
    keys = dict.fromkeys(key for column in table.columns for key in column.keys)
    rows = table.rows[list(keys)].copy()
    for place, (key, value) in enumerate(section.identity.items()):
        rows.insert(place, key, value)
    for key in rows.select_dtypes("str").columns:
        # A spreadsheet would run text that begins like a formula.
        rows[key] = rows[key].str.replace(r"^(?=[=+\-@])", "'", regex=True)
    return rows.to_csv(index=False, lineterminator="\n")


def _name(run: Run) -> str:
    return " + ".join(plain(folder.resolve().name) for folder in run.folders)


def _places(run: Run) -> str:
    """What follows the command that makes this report."""
    several = " --output FOLDER" if len(run.folders) > 1 else ""
    return " ".join(map(_place, run.folders)) + several


def _place(folder: Path) -> str:
    """Name the folder in a command; no more of the path than is below the working directory.

    A report is made to be passed on, and where its author keeps his files is nobody's business.
    """
    folder, here = folder.resolve(), Path.cwd()
    below = folder.relative_to(here) if folder.is_relative_to(here) else Path(folder.name)
    return shlex.quote(plain(below.as_posix()))
