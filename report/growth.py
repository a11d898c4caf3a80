"""How a pipeline's time for a batch grows with the size of the data set, as contrasts.

Two quantities of two arms, each paired by block: at the largest size, the time itself; and over all
sizes, by how much it grows with every tenfold of images (the slope of a straight line through the
logarithms). An arm that is slower, but no more so with ten times the images, is not one that does
worse on large data sets.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from report.contrasts import Contrast, Measure, arm_of, pair
from report.lines import line
from report.processes import Processes

LEAST_SIZES = 3
"""Of data sets, for a slope: through two any line fits."""


def at_largest(own: pd.DataFrame, other: pd.DataFrame, processes: Processes) -> Contrast | None:
    """Pair the trials of two arms at the largest size that both have; None if they share none."""
    both = set(own["images"]) & set(other["images"])
    if not both:
        return None
    largest = max(both)
    return pair(own[own["images"] == largest], other[other["images"] == largest], processes)


def with_size(own: pd.DataFrame, other: pd.DataFrame, processes: Processes) -> Contrast | None:
    """Pair how the times of two arms grow, in the blocks that have enough sizes of both.

    None if no block has. What is paired are factors by which a batch takes longer with ten times
    the images, by wall time alone: a slope is of several processes, and whether arms leave the
    calibration alone is only known of pairs of processes.
    """
    pairs = [
        (mine, theirs)
        for mine, theirs in _blocks(own, other)
        if len(mine) >= LEAST_SIZES and set(mine["images"]) == set(theirs["images"])
    ]
    if not pairs:
        return None
    arm, against = (
        [np.array([_growth(block[side], processes)]) for block in pairs] for side in (0, 1)
    )
    lasted = [mine["seconds"].sum() + theirs["seconds"].sum() for mine, theirs in pairs]
    return Contrast(
        workload=str(own["workload"].iloc[0]),
        arm=arm_of(own),
        against=arm_of(other),
        trials=tuple(
            int(trial) for mine, theirs in pairs for trial in (*mine.index, *theirs.index)
        ),
        seconds=float(np.median(lasted)),
        wall=Measure.of(arm, against),
        normalised=None,
        calibration="",
        unsteady=0.0,
    )


def _blocks(own: pd.DataFrame, other: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """The trials of both arms, block by block, in the order of sizes."""
    for block in sorted(set(own["block"]) & set(other["block"])):
        mine, theirs = (side[side["block"] == block].sort_values("images") for side in (own, other))
        yield mine, theirs


def _growth(block: pd.DataFrame, processes: Processes) -> float:
    """The factor by which a batch takes longer with every tenfold of images."""
    sizes: NDArray[np.float64] = np.log10(block["images"].to_numpy(dtype=np.float64))
    times = np.log([np.median(processes[int(trial)].wall) for trial in block.index])
    _, slope = line(sizes, times)
    return float(np.exp(slope))
