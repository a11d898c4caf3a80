"""From intervals to verdicts: margins, guards, corrections for many claims, and what is missing.

A verdict needs two intervals of an effect, each by two methods. Effects are oriented so that zero
is no difference and positive is in favour of the first arm: ``log(other / first)`` of what should
be small, ``first - other`` of accuracy. A verdict of speed is called ``faster``; of another metric
read ``better``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, expm1, log1p, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bench.contract import Device
from report.statistics import Interval

SUPERIORITY = 0.95
"""Least confidence of the interval that tells faster from slower."""
EQUIVALENCE = 0.90
"""Least confidence of the interval that tells equal: two one-sided tests at 5% each."""
MINIMUM_BLOCKS = 10
"""With fewer a verdict is provisional. From 10 on the smallest exact p is 2**-9 or less."""
UNSTEADY_LIMIT = 0.20
"""Largest share of processes that may fail to reach a steady state."""

Metric = Literal["speed", "memory", "energy", "accuracy"]
Direction = Literal["faster", "slower"]
Decision = Literal["faster", "slower", "equal within the margin", "inconclusive"]

_TOLERANCE = 1e-9
"""For comparing confidences, which are made by subtraction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """The smallest effect that matters, declared before any data are taken."""

    size: float
    """A share of the smaller side for ratios, such as 0.05; else in the metric's own unit."""
    scale: Literal["ratio", "difference"]

    def __post_init__(self) -> None:
        if not self.size > 0:
            raise ValueError(f"a margin is {self.size}, but an effect that matters is above 0")

    @property
    def limit(self) -> float:
        """The margin on the scale of the intervals: ratios are compared as logarithms."""
        return log1p(self.size) if self.scale == "ratio" else self.size

    def show(self, effect: float) -> str:
        """Write an effect, given on the scale of the intervals, as ``5.0%`` or ``0.50 points``."""
        if self.scale == "ratio":
            return f"{expm1(effect):.1%}"
        return f"{100 * effect:.2f} points"


MARGINS: Mapping[tuple[Metric, Device], Margin] = {
    ("speed", "cpu"): Margin(size=0.05, scale="ratio"),
    ("speed", "cuda"): Margin(size=0.03, scale="ratio"),
    ("memory", "cpu"): Margin(size=0.05, scale="ratio"),
    ("memory", "cuda"): Margin(size=0.05, scale="ratio"),
    # Sensors of the cards we know sample a quarter of the time, and joules are not calibrated.
    ("energy", "cpu"): Margin(size=0.10, scale="ratio"),
    ("energy", "cuda"): Margin(size=0.10, scale="ratio"),
    # Shares of images, so half a point is 0.005.
    ("accuracy", "cpu"): Margin(size=0.005, scale="difference"),
    ("accuracy", "cuda"): Margin(size=0.005, scale="difference"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Two intervals of one effect by one method.

    Raises ``ValueError`` if they are of different data or methods, or less confident than
    ``SUPERIORITY`` and ``EQUIVALENCE`` ask for. They may be more: see ``holm_confidences``.
    """

    superiority: Interval
    equivalence: Interval

    def __post_init__(self) -> None:
        first, second = self.superiority, self.equivalence
        if (first.n, first.method) != (second.n, second.method):
            raise ValueError(
                f"intervals of {first.n} blocks by {first.method} and of {second.n} by "
                f"{second.method} are not of one effect"
            )
        for name, interval, least in (
            ("superiority", first, SUPERIORITY),
            ("equivalence", second, EQUIVALENCE),
        ):
            if interval.confidence < least - _TOLERANCE:
                raise ValueError(f"{name} is at {interval.confidence:g}, but needs {least:g}")

    @property
    def direction(self) -> Direction | None:
        """Who is ahead, by however little; None where the interval does not exclude zero."""
        if not self.superiority.excludes(0.0):
            return None
        return "faster" if self.superiority.low > 0 else "slower"

    def decide(self, margin: Margin) -> Decision:
        """Decide by these intervals alone; ``verdict`` is what a report prints."""
        if self.superiority.low > margin.limit:
            return "faster"
        if self.superiority.high < -margin.limit:
            return "slower"
        return "equal within the margin" if equivalent(self.equivalence, margin) else "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """What a run says about itself; any of it may forbid a verdict. None is: not looked at."""

    sentinel: Interval | None = None
    """Interval at 99% of one arm against itself under another name. It must contain zero."""
    sentinel_half_width: float | None = None
    """Half width of the sentinel's interval at 95%: the run's own resolution."""
    unsteady: float = 0.0
    """Share of the cell's processes that reached no steady state."""
    failures: tuple[str, ...] = ()
    """Checks that failed or data that lack, each as a clause: ``the fence does not hold``."""

    @property
    def void(self) -> tuple[str, ...]:
        """Why nothing can be said, a clause each; empty if something can."""
        reasons = list(self.failures)
        if self.sentinel is not None and self.sentinel.excludes(0.0):
            reasons.append("the run tells an arm from itself")
        if self.unsteady > UNSTEADY_LIMIT:
            reasons.append(f"{self.unsteady:.0%} of the processes reached no steady state")
        return tuple(reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one cell says about one pair of arms."""

    decision: Decision
    direction: Direction | None
    """Who is ahead, by however little, where both methods say so. A claim may be refuted by a
    direction; only a decision supports it."""
    reason: str
    """One clause in plain words."""
    provisional: bool
    """There are fewer than ``MINIMUM_BLOCKS`` blocks."""
    n: int
    """Number of blocks."""
    detectable: float | None
    """Effect that ``n`` blocks find 4 times of 5, on the intervals' scale; None for one block."""
    blocks_needed: int | None
    """Blocks in all that an effect of the margin's size asks for; None where there is one block."""


def equivalent(interval: Interval, margin: Margin) -> bool:
    """Two one-sided tests: is the effect within the margin on both sides?

    Each test at level a rejects where the interval at ``1 - 2 a`` lies beyond its side of the
    margin (Schuirmann 1987), so ``interval`` is at 90% for 5%. An interval that touches the margin
    does not exclude it. Raises ``ValueError`` for a confidence below ``EQUIVALENCE``.
    """
    if interval.confidence < EQUIVALENCE - _TOLERANCE:
        raise ValueError(f"an interval at {interval.confidence:g}, but {EQUIVALENCE:g} is needed")
    return -margin.limit < interval.low and interval.high < margin.limit


def verdict(
    primary: Evidence,
    check: Evidence,
    *,
    margin: Margin,
    spread: float | None,
    guards: Guards | None = None,
) -> Verdict:
    """Decide one cell.

    Faster or slower, if the interval at 95% lies beyond the margin. Equal within the margin, if the
    one at 90% lies inside it; a difference may still be certain, and ``direction`` then names it.
    Inconclusive otherwise, and whenever a guard forbids more or the methods disagree: that no
    difference was found is never a verdict of equality. Swapping the arms swaps the verdict.

    Args:
        primary: Signed-rank or paired t intervals (``report.statistics.paired_interval``).
        check: Intervals of the same blocks by the bootstrap (``report.bootstrap``).
        margin: The metric's entry in ``MARGINS``.
        spread: Standard deviation of the blocks' differences, on the intervals' scale; None for
            one block.
        guards: What the run says about itself.

    Raises ``ValueError`` if ``primary`` and ``check`` differ in blocks, or ``spread`` is negative,
    not finite, or missing from more than one block.
    """
    n = primary.superiority.n
    if check.superiority.n != n:
        raise ValueError(f"primary is of {n} blocks, check of {check.superiority.n}")
    if (spread is None) != (n == 1):
        raise ValueError(f"spread is {spread} of {n} blocks; only one block has none")
    decision, reason = _decision(primary, check, margin, guards or Guards())
    agreed = primary.direction == check.direction and not (guards and guards.void)
    return Verdict(
        decision=decision,
        direction=primary.direction if agreed else None,
        reason=reason,
        provisional=n < MINIMUM_BLOCKS,
        n=n,
        detectable=None if spread is None else detectable_effect(spread, n),
        blocks_needed=None if spread is None else blocks_needed(spread, margin),
    )


def _decision(
    primary: Evidence, check: Evidence, margin: Margin, guards: Guards
) -> tuple[Decision, str]:
    """Return the decision and its reason; the first rule that applies wins."""
    if guards.void:
        return "inconclusive", "; ".join(guards.void)
    decision, second = primary.decide(margin), check.decide(margin)
    if decision != second:
        methods = primary.superiority.method, check.superiority.method
        return "inconclusive", f"{methods[0]} says {decision}, {methods[1]} says {second}"
    size = margin.show(margin.limit)
    if decision in ("faster", "slower"):
        return decision, f"the interval at {_percent(primary.superiority)} lies beyond {size}"
    if decision == "equal within the margin":
        too_coarse = _too_coarse(primary, margin, guards)
        if too_coarse:
            return "inconclusive", too_coarse
        return decision, f"the interval at {_percent(primary.equivalence)} lies within {size}"
    if primary.direction is None:
        return decision, f"neither a difference nor equality within {size} is shown"
    return decision, f"{primary.direction}, but whether by more than {size} is open"


def _too_coarse(primary: Evidence, margin: Margin, guards: Guards) -> str:
    """Why equality would be luck, as a clause; empty if it would not."""
    size = margin.show(margin.limit)
    resolution = guards.sentinel_half_width
    if resolution is not None and resolution > margin.limit / 2:
        return f"the run resolves {margin.show(resolution)}, too coarse for a margin of {size}"
    if primary.superiority.half_width > margin.limit and primary.direction is None:
        return f"the interval at {_percent(primary.superiority)} is wider than {size} to each side"
    return ""


def _percent(interval: Interval) -> str:
    return f"{100 * interval.confidence:.4g}%"


def detectable_effect(spread: float, n: int) -> float:
    """Smallest effect that ``n`` blocks find with probability 0.80 at 95% confidence.

    ``(t(0.975, n - 1) + t(0.80, n - 1)) * spread / sqrt(n)``, on the scale of ``spread``, the
    standard deviation of the blocks' differences (Bloom 1995, the minimum detectable effect).
    Raises ``ValueError`` if ``spread`` is not a finite number from 0 on, or ``n`` is below 2.
    """
    _check_spread(spread)
    if n < 2:
        raise ValueError(f"n is {n}, but a spread needs two blocks")
    quantiles = float(special.stdtrit(n - 1, 0.975) + special.stdtrit(n - 1, 0.80))
    return quantiles * spread / sqrt(n)


def blocks_needed(spread: float, margin: Margin) -> int:
    """Blocks that find an effect of the margin's size with probability 0.90 at 95% confidence.

    ``((z(0.975) + z(0.90)) * spread / limit)**2``, rounded up, and 2 at least. It is for planning:
    an effect close to the margin itself needs far more to be told from it. Raises ``ValueError``
    if ``spread`` is not a finite number from 0 on.
    """
    _check_spread(spread)
    quantiles = float(special.ndtri(0.975) + special.ndtri(0.90))
    return max(2, ceil((quantiles * spread / margin.limit) ** 2))


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust the p values ``[M]`` of one family of claims, in their order (Holm 1979).

    The i-th smallest of M is multiplied by ``M - i + 1``, none falls below a smaller one's, and
    none exceeds 1. A claim whose adjusted p is at most a is rejected at family-wise level a.
    SciPy has no Holm; its ``false_discovery_control`` controls something weaker. Raises
    ``ValueError`` if a p is not within 0 to 1.
    """
    _check_p(p)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    factors = np.arange(len(p), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return adjusted


def holm_confidences(p: NDArray[np.float64], level: float = 0.05) -> NDArray[np.float64]:
    """Confidence ``[M]`` at which each claim's interval decides as ``holm`` does.

    Of p values ``[M]`` that belong to the intervals (``paired_p``), the i-th smallest is held to
    ``level / (M - i + 1)``, and after the first that fails all to that one's. An interval at this
    confidence excludes the claim's null exactly where Holm rejects it. The intervals are not
    simultaneous ones: together they do not cover at ``1 - level``.

    Raises ``ValueError`` if a p is not within 0 to 1, or ``level`` not between.
    """
    _check_p(p)
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, not between 0 and 1")
    order = np.argsort(p, kind="stable")
    levels = level / np.arange(len(p), 0, -1)
    failed = p[order] > levels
    if failed.any():
        first = int(np.argmax(failed))
        levels[first:] = levels[first]
    confidences = np.empty(len(p))
    confidences[order] = 1 - levels
    return confidences


def _check_p(p: NDArray[np.float64]) -> None:
    wrong = ~((p >= 0) & (p <= 1))
    if wrong.any():
        place = int(np.argmax(wrong))
        raise ValueError(f"p value {place} is {p[place]}, not within 0 to 1")


def _check_spread(spread: float) -> None:
    if not (np.isfinite(spread) and spread >= 0):
        raise ValueError(f"spread is {spread}, not a finite number from 0 on")
