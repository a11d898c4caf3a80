"""What a report says of its runs as a whole, whatever form it is written in."""

import shlex
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from bench.records import RECORDS
from report import beside
from report.decisions import MARGINS
from report.figure import DRAWN, Drawable, Figure
from report.load import Run
from report.sections import Section, build_sections
from report.tables.columns import Table
from report.text import plain

TABLES = "tables"
FIGURES = "figures"
"""Folders beside the pages."""


def csv_of(number: int, table: Table) -> str:
    """The file of a table of the section of that number, from 1, within the report's folder."""
    return f"{TABLES}/{number}-{table.key}.csv"


SPREAD = (
    "Numbers are medians over the repeats, with the lowest and highest where these differ "
    "(low-high): no confidence interval. Those with limits (low to high) have one."
)

APART = (
    "Sections differ in data, training, device, threads, allocator, machine or code: their numbers "
    "cannot be compared with each other."
)

MOST_WARNINGS = 50
"""Of those that the page and the terminal begin with."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Report:
    """Runs, arranged for reading."""

    run: Run
    sections: tuple[Section, ...]
    drawing: tuple[Future[tuple[Figure, ...]], ...]
    """The figures of each section, which are in the making."""

    @property
    def figures(self) -> tuple[tuple[Figure, ...], ...]:
        """Of each section."""
        return tuple(of_section.result() for of_section in self.drawing)

    @property
    def name(self) -> str:
        """Of the run's folder, or of all."""
        return " + ".join(plain(folder.resolve().name) for folder in self.run.folders)

    @property
    def place(self) -> str:
        """What follows the command that makes this report."""
        several = " --output FOLDER" if len(self.run.folders) > 1 else ""
        return " ".join(map(_place, self.run.folders)) + several

    @property
    def records(self) -> tuple[str, ...]:
        """Files of the records: of the only run, beside the report; else with the runs' names."""
        if len(self.run.folders) == 1:
            return (RECORDS,)
        return tuple(f"{plain(of.resolve().name)}/{RECORDS}" for of in self.run.folders)

    @property
    def recorded(self) -> int:
        """How many trials there are records of; one that was resumed has several."""
        return len(self.run.trials.drop_duplicates(["run", "position"]))

    @property
    def status(self) -> str:
        """How much of the plan is recorded, and how it ended."""
        recorded = self.recorded
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
        if self.run.planned is None or self.recorded >= self.run.planned:
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

    @property
    def first_warnings(self) -> tuple[str, ...]:
        """Of very many the first, and where the others are."""
        found = self.warnings
        if len(found) <= MOST_WARNINGS:
            return found
        rest = f"{len(found) - MOST_WARNINGS:,} more warnings are in report.md."
        return (*found[:MOST_WARNINGS], rest)


def arrange(run: Run) -> Report:
    """Part the records into sections, make their tables, and have these drawn."""
    beside.begin()
    sections = build_sections(run)
    drawing = tuple(beside.figures(drawable(section)) for section in sections)
    return Report(run=run, sections=sections, drawing=drawing)


def drawable(section: Section) -> Drawable:
    """What figures of a section are made of."""
    rows = {key: section[key].rows for key in DRAWN}
    return Drawable(margin=MARGINS["speed", section.identity["device"]].size, rows=rows)


def _place(folder: Path) -> str:
    """Name the folder in a command; no more of the path than is below the working directory.

    A report is made to be passed on, and where its author keeps his files is nobody's business.
    """
    folder, here = folder.resolve(), Path.cwd()
    below = folder.relative_to(here) if folder.is_relative_to(here) else Path(folder.name)
    return shlex.quote(plain(below.as_posix()))
