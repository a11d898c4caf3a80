"""After how many steps has compilation paid for itself?"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from report.statistics import Interval, paired_interval

MOST_STEPS = 1e9
"""Steps after which it is called never: they take months."""

_HALVINGS = 24
"""Of a factor of a billion: what is found is right to a millionth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """Number of steps, and its interval at 95%. Infinite is: never."""

    steps: float
    low: float
    high: float


def break_even(extra: NDArray[np.float64], gain: NDArray[np.float64]) -> BreakEven:
    """Find the number of steps N at which ``extra - N gain`` is zero.

    ``extra`` are the seconds that a compiled mode takes beyond the plain one before it goes on,
    ``gain`` those that each step then takes less, of each block, ``[B]``. The interval holds all N
    for which that of ``extra - N gain`` contains zero (Fieller's, with the interval that decides
    elsewhere). A quotient has no other honest one: where there may be no gain, it has no end.
    Raises ``ValueError`` like ``paired_interval``, or where the two differ in length.
    """
    if len(extra) != len(gain):
        raise ValueError(f"extra has {len(extra)} blocks, gain has {len(gain)}; blocks are paired")

    def cost(steps: float) -> Interval:
        return paired_interval(extra - steps * gain)

    # What holds for one holds for those before it, and the search takes the same way as long as it
    # can, so the three are in order.
    return BreakEven(
        low=_first(lambda steps: cost(steps).low <= 0),
        steps=_first(lambda steps: cost(steps).estimate <= 0),
        high=_first(lambda steps: cost(steps).high < 0),
    )


def _first(holds: Callable[[float], bool]) -> float:
    """The number of steps from which on something holds; 0 if from the start, else infinite."""
    if holds(0.0):
        return 0.0
    low, high = 1.0, MOST_STEPS
    if not holds(high):
        return inf
    for _ in range(_HALVINGS):
        middle = sqrt(low * high)
        if holds(middle):
            high = middle
        else:
            low = middle
    return high
