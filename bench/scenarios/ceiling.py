"""What does the device give at most? Plain work through each framework, the best of it kept."""

from collections.abc import Callable, Mapping

from bench.clock import Void, timed
from bench.contract import Device, work
from bench.records import Ceiling

CALLS = 3
"""Of each kernel, after one that is not timed: it may compile. What counts is the best of a run,
which has dozens of trials."""
ATTEMPTS = 5
"""To reach what training reached: whatever else the machine does may hold kernels up."""


def measure(kernels: Mapping[str, Callable[[], None]], device: Device, achieved: float) -> Ceiling:
    """Time the work that ``bench.contract.KERNELS`` describes, the fastest calls.

    ``achieved`` is how many floating-point operations a second training did. Raises ``Void`` where
    that is more than a large product or convolution does: then its steps were not waited for, or
    not done.
    """
    seconds = {name: _shortest(kernel) for name, kernel in kernels.items()}
    for _ in range(ATTEMPTS - 1):
        if achieved <= _most(seconds, device):
            break
        seconds = {name: min(seconds[name], _shortest(kernel)) for name, kernel in kernels.items()}
    if achieved > (most := _most(seconds, device)):
        raise Void(
            f"steps do {achieved / 1e9:.3g} GFLOP/s, more than large products and convolutions "
            f"({most / 1e9:.3g})"
        )
    return Ceiling(**seconds)


def _most(seconds: Mapping[str, float], device: Device) -> float:
    """Floating-point operations per second of the faster kernel that computes."""
    return max(work(device)[name] / seconds[name] for name in ("matmul", "conv"))


def _shortest(kernel: Callable[[], None]) -> float:
    kernel()
    return min(timed(kernel)[1].wall for _ in range(CALLS))
