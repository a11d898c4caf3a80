"""Tables as data: columns that know how they are shown, and the formats they share."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, isinf, isnan
from typing import Literal, cast

import numpy as np
import pandas as pd

from report.statistics import Interval, summarise

Cell = tuple[str, str]
"""What a cell says, and what stands behind it in brackets or below it; the second may be empty."""

ARM_KEYS = ("workload", "framework", "mode")
"""Columns of trials that say what is compared, and on what."""


DIGITS = 12
"""Significant ones of every number. In the last of a float's 16, ``exp``, ``log`` and sums differ
from one processor to the next, and the same records would not give the same report."""

MOST_ROWS = 200
"""Of a table that pages and terminals show; its file of CSV holds all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column as shown; it may be made from several columns of the table's rows."""

    keys: tuple[str, ...]
    """Columns of the rows, in base units: seconds, bytes, shares of one."""
    title: str
    show: Callable[..., Cell]
    """Makes a cell from the values of ``keys``, in order."""
    unit: str = ""
    """The unit that ``show`` gives."""
    better: Literal["higher", "lower"] | None = None
    page_only: bool = False
    """Left out on a terminal, which is narrow."""
    holds: Literal["data", "words", "verdict", "records", "link"] = "data"
    """What the cells are: numbers and names, or words of the report's own, a verdict among them,
    or records by their names, or an address."""
    meaning: str = ""
    """For the reader who did not write the benchmark; empty where the title says it all."""

    @property
    def arrow(self) -> str:
        """Towards the better side."""
        return {"higher": " ↑", "lower": " ↓", None: ""}[self.better]

    @property
    def heading(self) -> str:
        """Title and unit, with the arrow."""
        unit = f" ({self.unit})" if self.unit else ""
        return f"{self.title}{unit}{self.arrow}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """Rows of numbers and texts, and how to show them."""

    key: str
    """Fit to be part of a file's name."""
    title: str
    columns: tuple[Column, ...]
    rows: pd.DataFrame
    """In base units; has every key of every column."""
    page_only: bool = False
    """Left out on a terminal, which shows what is compared and what went wrong."""

    @property
    def shown(self) -> tuple[Column, ...]:
        """The columns that hold something: device memory, say, is for devices that have it."""
        return tuple(
            column for column in self.columns if self.rows[column.keys[0]].notna().to_numpy().any()
        )

    def numeric(self, column: Column) -> bool:
        """Whether a column is numbers, to be aligned at their ends."""
        return bool(pd.api.types.is_numeric_dtype(self.rows[column.keys[0]]))

    @property
    def beginning(self) -> "Table":
        """As much of it as is shown."""
        return replace(self, rows=self.rows.head(MOST_ROWS))

    def rest(self, file: str) -> str:
        """A sentence that says where the rows are that are not shown; empty if all are."""
        if len(self.rows) <= MOST_ROWS:
            return ""
        return f"The first {MOST_ROWS} of {len(self.rows):,} rows; {file} has all."

    def cells(self, columns: Sequence[Column]) -> Iterator[tuple[Cell, ...]]:
        """Rows as shown, one cell for each of ``columns``."""
        return zip(
            *(
                [
                    column.show(*values)
                    for values in zip(*(self.rows[key] for key in column.keys), strict=True)
                ]
                for column in columns
            ),
            strict=True,
        )


def rounded(table: Table) -> Table:
    """The same with ``DIGITS``."""
    rows = table.rows.copy()
    for name, column in rows.select_dtypes("float").items():
        rows[name] = [float(f"{value:.{DIGITS}g}") for value in column.tolist()]
    return replace(table, rows=rows)


def frame(rows: Sequence[Mapping[str, object]], columns: Sequence[Column]) -> pd.DataFrame:
    """Rows that have every key of every column, also where there are none."""
    keys = dict.fromkeys(key for column in columns for key in column.keys)
    return pd.DataFrame(rows, columns=pd.Index(keys))


def judged(verdict: str, provisional: bool) -> Cell:
    """A verdict, and whether it is of too few blocks to be sure of."""
    return verdict, "provisional" if provisional else ""


def text(value: str | float | None) -> Cell:
    """A value as it is."""
    return ("-" if pd.isna(value) else str(value), "")


def digits(value: float) -> str:
    """Three significant digits from 1 on, two below, and all digits before the point."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:#.2g}"


def ranged(factor: float = 1, form: Callable[[float], str] = digits) -> Callable[..., Cell]:
    """Make a formatter of medians times ``factor`` that adds their range where it shows."""

    def show(median: float, low: float, high: float) -> Cell:
        if isnan(median):
            return ("-", "")
        lowest, highest = form(factor * low), form(factor * high)
        return (form(factor * median), "" if lowest == highest else f"{lowest}-{highest}")

    return show


def with_interval(factor: float = 1) -> Callable[..., Cell]:
    """Make a formatter of estimates times ``factor`` that adds their interval."""

    def show(estimate: float, low: float, high: float) -> Cell:
        if isnan(estimate):
            return ("-", "")
        limits = f"{digits(factor * low)} to {digits(factor * high)}"
        return (digits(factor * estimate), "no interval" if isinf(low) else limits)

    return show


def ratio(estimate: float, low: float, high: float) -> Cell:
    """A ratio and its interval; none where that is unbounded, as of one block."""
    if isnan(estimate):
        return ("-", "")
    unbounded = low == 0 or isinf(high)
    return (f"{estimate:.2f}", "no interval" if unbounded else f"{low:.2f} to {high:.2f}")


def spread(key: str) -> tuple[str, str, str]:
    """Names of a quantity's median (or estimate), low and high."""
    return (key, f"{key}_low", f"{key}_high")


def limits(key: str, interval: Interval | None) -> dict[str, float]:
    """An interval as the three columns ``spread(key)``; NaN for None."""
    if interval is None:
        return dict.fromkeys(spread(key), np.nan)
    found = (interval.estimate, interval.low, interval.high)
    return dict(zip(spread(key), found, strict=True))


def as_json(value: object) -> object:
    """A value of a table as JSON has it: neither NaN nor infinite, and no type of NumPy's."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not isfinite(value) else value


MIB = ranged(2.0**-20, "{:.0f}".format)
PERCENT = ranged(100, "{:.1f}".format)

WORKLOAD = Column(keys=("workload",), title="workload", show=text)
ARM = Column(
    keys=("framework", "mode"),
    title="framework (mode)",
    show=lambda framework, mode: (framework, mode),
)
EVIDENCE = Column(
    keys=("records",),
    title="records",
    show=text,
    holds="records",
    meaning="the evidence: lines of records.jsonl, after the number of the run where there are "
    "several",
)
"""Its cells are what ``named`` makes."""


def named(records: Iterable[str]) -> str | None:
    """Records by their names, each once; None where there are none."""
    return " ".join(dict.fromkeys(records)) or None


def summaries(frame: pd.DataFrame, by: Sequence[str], columns: Sequence[Column]) -> pd.DataFrame:
    """Median, low and high of each column's first key, a row for each group, sorted by ``by``."""
    indices = frame.groupby(list(by)).indices
    values = {column: frame[column.keys[0]].to_numpy(dtype=np.float64) for column in columns}
    rows = []
    for key, places in indices.items():
        row: dict[str, object] = dict(zip(by, cast("tuple[object, ...]", key), strict=True))
        for column, array in values.items():
            summary = summarise(array[places])
            row |= zip(column.keys, (summary.median, summary.low, summary.high), strict=True)
        rows.append(row)
    names = [*by, *(key for column in columns for key in column.keys)]
    return pd.DataFrame(rows, columns=pd.Index(names)).sort_values(list(by), ignore_index=True)
