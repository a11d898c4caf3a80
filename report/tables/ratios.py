"""How many times as fast one arm is as another, and whether the run tells an arm from itself."""

from collections.abc import Sequence

import numpy as np

from bench.contract import Device
from report.decisions import MINIMUM_BLOCKS
from report.material import Material
from report.ratios import Family, sentinel_ratios, speed_ratios
from report.tables.columns import ARM, WORKLOAD, Column, Table, digits, judged, ratio, spread, text

KEY = "ratios"
SENTINEL_KEY = "sentinel"

_RATIOS = (
    Column(keys=("against",), title="against", show=text, page_only=True),
    Column(
        keys=spread("ratio"),
        title="times as fast",
        better="higher",
        show=ratio,
        meaning="the other's wall time per step divided by this arm's, paired by block, with its "
        "interval at 95%: paired t below eight blocks, else exact signed-rank",
    ),
    Column(
        keys=spread("normalised"),
        title="by CPU time",
        better="higher",
        show=ratio,
        meaning="the same of CPU time, each chunk's divided by that of the calibration kernel "
        "right before it: it hardly feels what else the machine does, and does not count waiting",
    ),
    Column(
        keys=("calibration",),
        title="calibration",
        show=text,
        holds="words",
        page_only=True,
        meaning="whether both arms are shown to leave the calibration alone: only if undisturbed, "
        "and on one thread, may CPU time decide where wall time is inconclusive",
    ),
    Column(keys=("blocks",), title="blocks", show=text),
    Column(
        keys=("verdict", "blocks"),
        title="verdict",
        show=lambda verdict, blocks: judged(
            verdict, provisional=blocks < MINIMUM_BLOCKS and verdict != "inconclusive"
        ),
        holds="verdict",
        meaning="whether it is faster or slower by more than the margin, or equal within it, at "
        "confidences corrected (Holm) for the number of the workload's arms; provisional with "
        f"fewer than {MINIMUM_BLOCKS} blocks. Inconclusive is not equal",
    ),
    Column(
        keys=("by",),
        title="by",
        show=text,
        holds="words",
        meaning="what the verdict is of; wall time wherever that decides",
    ),
    Column(keys=("reason",), title="why", show=text, page_only=True, holds="words"),
    Column(
        keys=("detectable",),
        title="detectable",
        unit="%",
        show=lambda share: ("-" if np.isnan(share) else digits(100 * share), ""),
        page_only=True,
        meaning="the smallest difference that so many blocks find four times of five",
    ),
    Column(
        keys=("blocks_needed",),
        title="blocks needed",
        show=lambda blocks: ("-" if np.isnan(blocks) else f"{blocks:.0f}", ""),
        page_only=True,
        meaning="blocks that find a difference of the margin's size nine times of ten",
    ),
)

_SENTINEL = (
    Column(
        keys=spread("ratio"),
        title="against itself",
        show=ratio,
        meaning="an arm that is run twice in each block, compared with itself, at 99%; where that "
        "interval leaves out 1, the workload has no verdicts",
    ),
    Column(keys=spread("normalised"), title="itself by CPU time", show=ratio),
    Column(keys=("blocks",), title="blocks", show=text),
    Column(keys=("holds",), title="contains 1", show=text, holds="words"),
)


def table(families: Sequence[Family], device: Device) -> Table:
    """How many times as fast as one of them the other arms of each workload are."""
    return Table(
        key=KEY,
        title="Speed as a ratio",
        columns=(WORKLOAD, ARM, *_RATIOS),
        rows=speed_ratios(families, device),
    )


def sentinel(material: Material) -> Table:
    """An arm held against itself, where it was run twice."""
    return Table(
        key=SENTINEL_KEY,
        title="Sentinel: an arm against itself",
        columns=(WORKLOAD, ARM, *_SENTINEL),
        rows=sentinel_ratios(material),
    )
