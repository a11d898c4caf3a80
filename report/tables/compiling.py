"""What compiling costs: against the same mode of the framework without it."""

from collections.abc import Iterator
from math import isinf, isnan

import numpy as np
import pandas as pd

from report.compiling import break_even
from report.statistics import paired_interval
from report.tables.columns import (
    ARM,
    ARM_KEYS,
    WORKLOAD,
    Cell,
    Column,
    Table,
    limits,
    spread,
    text,
    with_interval,
)

KEY = "compiling"


def _count(steps: float) -> str:
    return "never" if isinf(steps) else f"{float(f'{steps:.2g}'):,.0f}"


def _steps(steps: float, low: float, high: float) -> Cell:
    if isnan(steps):
        return ("-", "")
    return (_count(steps), f"{_count(low)} to {_count(high)}")


_COLUMNS = (
    WORKLOAD,
    ARM,
    Column(keys=("plain",), title="plain mode", show=text),
    Column(keys=("blocks",), title="blocks", show=text, page_only=True),
    Column(
        keys=spread("compile_seconds"),
        title="compiling",
        unit="s",
        better="lower",
        show=with_interval(),
        meaning="how much longer the first step takes than a steady one, with its interval at 95%",
    ),
    Column(
        keys=spread("extra_seconds"),
        title="beyond plain",
        unit="s",
        better="lower",
        show=with_interval(),
        meaning="by how much that exceeds the same of the plain mode, paired by block",
    ),
    Column(
        keys=spread("gain_seconds"),
        title="gain per step",
        unit="ms",
        better="higher",
        show=with_interval(1000),
        page_only=True,
        meaning="how much less time a steady step takes than in the plain mode, paired by block",
    ),
    Column(
        keys=spread("break_even_steps"),
        title="pays after",
        unit="steps",
        better="lower",
        show=_steps,
        meaning="steps after which the time gained makes up for compiling, with its interval; "
        "never where a step is not faster",
    ),
)


def table(compared: pd.DataFrame) -> Table:
    """A row for every arm whose plain mode was run too."""
    rows = list(_rows(compared))
    keys = [key for column in _COLUMNS for key in column.keys]
    return Table(
        key=KEY,
        title="What compiling costs",
        columns=_COLUMNS,
        rows=pd.DataFrame(rows, columns=pd.Index(keys)),
    )


def _rows(compared: pd.DataFrame) -> Iterator[dict[str, object]]:
    timed = compared[compared["step_seconds"].notna()]
    timed = timed.assign(compile_seconds=timed["first_step_seconds"] - timed["step_seconds"])
    arms = {tuple(map(str, key)): group for key, group in timed.groupby(list(ARM_KEYS), sort=True)}
    for arm, group in arms.items():
        workload, framework, _ = arm
        plain = str(group["plain"].iloc[0])
        other = arms.get((workload, framework, plain))
        if not plain or other is None:
            continue
        columns = ["block", "step_seconds", "compile_seconds"]
        pairs = group[columns].merge(other[columns], on="block", suffixes=("", "_plain"))
        pairs = pairs.sort_values("block")
        if not len(pairs):
            continue
        compiling = pairs["compile_seconds"].to_numpy(dtype=np.float64)
        extra = compiling - pairs["compile_seconds_plain"].to_numpy(dtype=np.float64)
        gain = (pairs["step_seconds_plain"] - pairs["step_seconds"]).to_numpy(dtype=np.float64)
        found = break_even(extra, gain)
        yield {
            **dict(zip(ARM_KEYS, arm, strict=True)),
            "plain": plain,
            "blocks": len(pairs),
            **limits("compile_seconds", paired_interval(compiling)),
            **limits("extra_seconds", paired_interval(extra)),
            **limits("gain_seconds", paired_interval(gain)),
            "break_even_steps": found.steps,
            "break_even_steps_low": found.low,
            "break_even_steps_high": found.high,
        }
