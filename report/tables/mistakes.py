"""The run's comparisons with published mistakes in them, beside those without."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from report.material import Material
from report.mistakes import MISTAKES, Changed, Mistake, Unmade, changed, unmade
from report.tables.columns import (
    ARM,
    WORKLOAD,
    Cell,
    Column,
    Table,
    frame,
    judged,
    limits,
    ratio,
    spread,
    text,
)

KEY = "mistakes"


def _factor(value: float) -> Cell:
    return ("-" if np.isnan(value) else f"{value:.2f}", "")


def _where_made(show: Callable[..., Cell]) -> Callable[..., Cell]:
    """A dash where the mistake was made on nothing."""
    return lambda value, beside: text(value) if pd.isna(value) else show(value, beside)


_COLUMNS = (
    Column(keys=("mistake",), title="mistake", show=text, holds="words"),
    WORKLOAD,
    replace(ARM, show=_where_made(ARM.show)),
    Column(keys=("against",), title="held against", show=text),
    Column(
        keys=("printed",),
        title="it prints",
        show=_factor,
        meaning="how many times as fast, as the mistake has it",
    ),
    Column(keys=("says",), title="and says", show=text, holds="words"),
    Column(
        keys=spread("ours"),
        title="without it",
        show=ratio,
        meaning="the same run's comparison with its interval at 95%; of compiled modes where both "
        "should have been",
    ),
    Column(
        keys=("verdict", "provisional"),
        title="verdict",
        show=_where_made(judged),
        holds="verdict",
    ),
    Column(keys=("why",), title="why not", show=text, holds="words"),
    Column(
        keys=("command",),
        title="to measure it",
        show=text,
        meaning="the command whose records a mistake that is not made here would be made of",
    ),
    Column(keys=("example",), title="published in", show=text, holds="words"),
    Column(keys=("link",), title="link", show=text, holds="link"),
)


def table(material: Material) -> Table:
    """A row for each mistake and comparison that it can be made on, and for each that has none.

    No rows where nothing can be compared.
    """
    made = list(changed(material))
    order = [mistake.name for mistake in MISTAKES]
    made.sort(key=lambda found: (found.made_on.workload, order.index(found.mistake.name)))
    gaps = unmade(made, material.device) if made else ()
    rows = [*map(_row, made), *map(_gap, gaps)]
    return Table(
        key=KEY,
        title="What changes the answer",
        columns=_COLUMNS,
        rows=frame(rows, _COLUMNS).astype({"printed": np.float64}),
        page_only=True,
    )


def _row(found: Changed) -> Mapping[str, object]:
    framework, mode = found.made_on.arm
    verdict = found.ours.verdict
    return {
        "workload": found.made_on.workload,
        "framework": framework,
        "mode": mode,
        "against": " ".join(found.made_on.against),
        "printed": found.printed.ratio,
        "says": found.printed.says,
        **limits("ours", found.ours.interval.as_ratio()),
        "verdict": verdict.decision,
        "provisional": verdict.provisional and verdict.decision != "inconclusive",
        **_published(found.mistake),
    }


def _gap(found: Unmade) -> Mapping[str, object]:
    return {
        "says": "not made",
        **limits("ours", None),
        "provisional": False,
        "why": found.reason,
        "command": found.mistake.command,
        **_published(found.mistake),
    }


def _published(mistake: Mistake) -> Mapping[str, object]:
    return {"mistake": mistake.name, "example": mistake.example, "link": mistake.link}
