"""What does the device give at most? Plain work through each framework, the best of it kept."""

from collections.abc import Callable, Mapping

from bench.clock import timed
from bench.records import Ceiling

CALLS = 5
"""Of each kernel, after one that is not timed: it may compile."""


def measure(kernels: Mapping[str, Callable[[], None]]) -> Ceiling:
    """Time the work that ``bench.contract.KERNELS`` describes."""
    return Ceiling(**{name: _shortest(kernel) for name, kernel in kernels.items()})


def _shortest(kernel: Callable[[], None]) -> float:
    kernel()
    return min(timed(kernel)[1].wall for _ in range(CALLS))
