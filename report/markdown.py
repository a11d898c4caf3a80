"""The report as Markdown, for a repository; figures are files beside it."""

import re
from collections.abc import Iterator, Sequence

from bench.records import RECORDS
from report.about import about
from report.overview import APART, FIGURES, SPREAD, TABLES, Report, csv_of
from report.sections import count
from report.tables.columns import Table
from report.text import plain, shortened


def page(report: Report) -> str:
    """The whole page."""
    return "\n".join(_page(report)) + "\n"


def _page(report: Report) -> Iterator[str]:
    """Lines of the report in Markdown."""
    yield f"# Run {escaped(report.name)}"
    yield ""
    yield f"{report.status}." + (f" {report.duty}." if report.duty else "")
    if report.resume:
        yield "To measure the rest:"
        yield ""
        yield f"    {report.resume}"
    for warning in report.warnings:
        yield ""
        yield f"> **Warning:** {escaped(warning)}"
    for number, (section, of_section) in enumerate(
        zip(report.sections, report.figures, strict=True), start=1
    ):
        yield ""
        yield f"## {number}. {escaped(section.heading)}"
        yield ""
        yield from (escaped(f"- {line}") for line in about(section))
        for table in section.tables:
            if len(table.rows):
                yield ""
                yield f"### {table.title}"
                yield ""
                yield from rows_of(table.beginning)
                if rest := table.rest(csv_of(number, table)):
                    yield ""
                    yield escaped(rest)
        for figure in of_section:
            yield ""
            yield f"![{escaped(figure.title)}]({FIGURES}/{number}-{figure.key}.svg)"
            yield ""
            yield f"{escaped(figure.title)}. {figure.about}"
    if report.sections:
        yield from _reading(report)
    yield ""
    yield f"The numbers, of 12 digits, are in `{TABLES}/`, one file for each table, numbered as"
    yield "the sections are; times are in seconds or as named, memory in bytes, accuracy is 0 to 1."
    yield f"To rebuild this page from `{RECORDS}`, give the folder wherever it lies now:"
    yield ""
    yield f"    python -m report {report.place}"


def _reading(report: Report) -> Iterator[str]:
    """Say what the numbers are, for all sections at once."""
    yield ""
    yield "## How to read the tables"
    yield ""
    yield SPREAD
    if len(report.sections) > 1:
        yield APART
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


def rows_of(table: Table) -> Iterator[str]:
    """A table: its head, and a line for each row."""
    yield _markdown_row([column.heading for column in table.shown])
    rules = (" ---: " if table.numeric(column) else " --- " for column in table.shown)
    yield "|" + "|".join(rules) + "|"
    for cells in table.cells(table.shown):
        yield _markdown_row([f"{text} ({aside})" if aside else text for text, aside in cells])


def _markdown_row(texts: Sequence[str]) -> str:
    return "| " + " | ".join(escaped(shortened(text)) for text in texts) + " |"


def escaped(text: str) -> str:
    """Escape what Markdown, HTML or the automatic links of GitHub would make more than text."""
    text = re.sub(r"[\\`*_\[\]<>|~&$#]", r"\\\g<0>", plain(text))
    return re.sub(r"(?i)(?<=www)\.", r"\\.", text.replace("://", r":\//"))
