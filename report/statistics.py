"""Estimates and their spread: pure functions from arrays to numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Repeats of one quantity, in its own unit.

    ``low`` and ``high`` are the lowest and highest value seen. They are not a confidence interval:
    a few repeats carry none, the range grows with their number, and it says nothing about where
    the next one will fall.
    """

    n: int
    """How many values there are. With none, the other three are NaN."""
    median: float
    low: float
    high: float


def summarise(values: NDArray[np.float64]) -> Summary:
    """Median and range of ``values`` ``[N]``; NaN is a value that was not measured, not counted.

    The median of an even number of values is the mean of the middle two.
    """
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return Summary(n=0, median=np.nan, low=np.nan, high=np.nan)
    return Summary(
        n=len(known),
        median=float(np.median(known)),
        low=float(known.min()),
        high=float(known.max()),
    )
