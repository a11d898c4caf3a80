"""The report on a terminal: what is compared, and what went wrong."""

from rich import box
from rich.console import Console
from rich.table import Table as ConsoleTable
from rich.text import Text

from report.about import dataset_note
from report.overview import APART, SPREAD, Report, csv_of
from report.sections import Section
from report.tables.columns import Table
from report.text import shortened


def print_tables(console: Console, report: Report) -> None:
    """Print what the page opens with, and the tables that are not for the page alone."""
    console.print(Text(f"{report.name}: {report.status}"))
    if report.resume:
        console.print(Text(f"resume with: {report.resume}"))
    if report.duty:
        console.print(Text(report.duty))
    for warning in report.first_warnings:
        console.print(Text(warning, style="bold red"))
    for number, section in enumerate(report.sections, start=1):
        _print_section(console, number, section)
    if len(report.sections) > 1:
        console.print(Text(APART))
    if report.sections:
        console.print(Text(SPREAD))


def _print_section(console: Console, number: int, section: Section) -> None:
    console.print()
    console.print(Text(section.heading, style="bold"))
    note = dataset_note(section)
    for line in filter(None, (note, *section.notes)):
        console.print(Text(line))
    for table in section.tables:
        if len(table.rows) and not table.page_only:
            console.print(console_table(table.beginning))
            if rest := table.rest(csv_of(number, table)):
                console.print(Text(rest))


def console_table(table: Table) -> ConsoleTable:
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
        numeric = table.numeric(column)
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
                Text.assemble(shortened(text), (f"\n{aside}" if aside else "", "dim"))
                for text, aside in cells
            )
        )
    return shown
