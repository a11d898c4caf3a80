"""The run's comparisons with published mistakes in them, beside those without."""

import numpy as np

from report.material import Material
from report.mistakes import changed
from report.tables.columns import (
    ARM,
    WORKLOAD,
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

_COLUMNS = (
    Column(keys=("mistake",), title="mistake", show=text, holds="words"),
    WORKLOAD,
    ARM,
    Column(keys=("against",), title="held against", show=text),
    Column(
        keys=("printed",),
        title="it prints",
        show=lambda value: (f"{value:.2f}", ""),
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
        show=judged,
        holds="verdict",
    ),
    Column(keys=("example",), title="published in", show=text, holds="words"),
    Column(keys=("link",), title="link", show=text, holds="link"),
)


def table(material: Material) -> Table:
    """A row for each mistake and comparison that it can be made on."""
    rows = []
    for found in changed(material):
        printed = found.mistake.make(found.made_on)
        framework, mode = found.made_on.arm
        verdict = found.ours.verdict
        rows.append(
            {
                "mistake": found.mistake.name,
                "workload": found.made_on.workload,
                "framework": framework,
                "mode": mode,
                "against": " ".join(found.made_on.against),
                "printed": printed.ratio,
                "says": printed.says,
                **limits("ours", found.ours.interval.as_ratio()),
                "verdict": verdict.decision,
                "provisional": verdict.provisional and verdict.decision != "inconclusive",
                "example": found.mistake.example,
                "link": found.mistake.link,
            }
        )
    return Table(
        key=KEY,
        title="What changes the answer",
        columns=_COLUMNS,
        rows=frame(rows, _COLUMNS).astype({"printed": np.float64}),
        page_only=True,
    )
