"""Estimates and their spread: pure functions from arrays to numbers.

The experimental unit is a process, and a block holds one process of each arm. So a comparison has
one difference per block, and its interval is made of these; steps within a process are correlated
and are never counted as repeats.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import copysign, inf, isnan, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

EXACT_FROM = 8
"""Blocks from which on the signed-rank interval is used; with fewer it is wide or has no end."""

MOST_UNITS = 500
"""Blocks that an interval is made of one by one. Of more, neighbours are joined to so many batches:
there are half as many Walsh averages as units squared. Of 500 comparisons of 1,200 blocks by each
of ``report.coverage.NOISES`` intervals at 95% held the truth in 93.8% to 95.4%."""

Method = Literal["signed rank", "paired t", "studentised bootstrap", "Clopper-Pearson"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate and its two-sided confidence interval.

    The limits are infinite where so few values cannot bound the effect at this confidence. Raises
    ``ValueError`` for NaN, limits in the wrong order, a confidence outside (0, 1), or no values.
    """

    estimate: float
    """Of a comparison: a difference, or for ratios its natural logarithm (see ``as_ratio``)."""
    low: float
    high: float
    confidence: float
    """Nominal. The exact methods cover at least as often."""
    n: int
    """Number of independent units: blocks of a comparison, trials of a rate."""
    method: Method

    def __post_init__(self) -> None:
        numbers = {"estimate": self.estimate, "low": self.low, "high": self.high}
        for name, value in numbers.items():
            if isnan(value):
                raise ValueError(f"{name} is NaN")
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        _check_confidence(self.confidence)
        if self.n < 1:
            raise ValueError(f"n is {self.n}, but an estimate needs one value at least")

    @property
    def half_width(self) -> float:
        """Half the distance of the limits; infinite where one of them is."""
        return (self.high - self.low) / 2

    def excludes(self, value: float) -> bool:
        """Whether ``value`` lies outside; the limits themselves are not excluded."""
        return value < self.low or value > self.high

    def __neg__(self) -> "Interval":
        """Of the difference the other way round."""
        # Subtracted, because -0.0 would be shown with its sign.
        return replace(self, estimate=0.0 - self.estimate, low=0.0 - self.high, high=0.0 - self.low)

    def as_ratio(self) -> "Interval":
        """Make of an interval of log ratios one of ratios."""
        # Of two blocks the interval may be so wide that its ratio is more than a float holds.
        with np.errstate(over="ignore"):
            estimate, low, high = np.exp([self.estimate, self.low, self.high]).tolist()
        return Interval(
            estimate=estimate,
            low=low,
            high=high,
            confidence=self.confidence,
            n=self.n,
            method=self.method,
        )


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


def log_ratios(arm: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """``log(other / arm)`` of each block, ``[B]``, from one value per process and arm, ``[B]``.

    Of times, bytes or joules, where less is better: positive where ``arm`` does better. Raises
    ``ValueError`` if the lengths differ, or a value is not a positive finite number.
    """
    if arm.shape != other.shape:
        raise ValueError(f"arm has shape {arm.shape}, other has {other.shape}; blocks are paired")
    for name, values in (("arm", arm), ("other", other)):
        check_values(name, values, positive=True)
    return np.log(other) - np.log(arm)


def paired_interval(differences: NDArray[np.float64], confidence: float = 0.95) -> Interval:
    """Interval of the effect behind ``differences`` ``[B]``, one per block; the one that decides.

    The signed-rank interval from ``EXACT_FROM`` blocks on, the paired t interval below. Both take
    the differences to be spread symmetrically around one effect, which random order within blocks
    supplies where there is none. Of more than ``MOST_UNITS`` blocks it is that of so many batches.
    Raises ``ValueError`` like these two.
    """
    check_values("differences", differences)
    if len(differences) < EXACT_FROM:
        return t_interval(differences, confidence)
    found = signed_rank_interval(batches(differences, MOST_UNITS), confidence)
    return replace(found, n=len(differences))


def signed_rank_interval(differences: NDArray[np.float64], confidence: float = 0.95) -> Interval:
    """Hodges-Lehmann estimate of ``differences`` ``[B]`` and its exact interval.

    The estimate is the median of the Walsh averages ``(d_i + d_j) / 2``, ``i <= j``. The limits
    are the k-th smallest and k-th largest of them, where k is the largest number with
    ``P(T <= k - 1) <= (1 - confidence) / 2`` and T is the signed-rank statistic under no effect
    (Hollander and Wolfe, Nonparametric Statistical Methods, chapter 3). They are the effects that
    the exact signed-rank test does not reject. With too few blocks for ``confidence`` (below 6 at
    95%) there is no such k, and the limits are infinite.

    Raises ``ValueError`` if a difference is NaN or infinite, there is none, or ``confidence`` is
    not within (0, 1).
    """
    check_values("differences", differences)
    _check_confidence(confidence)
    averages = _sorted_averages(differences.tobytes())
    # One part in 10**12, lest a confidence such as 1 - 2 / 2**8 miss its own tail by rounding.
    tail = (1 - confidence) / 2 * (1 + 1e-12)
    k = int(np.searchsorted(signed_rank_distribution(len(differences)), tail, side="right"))
    count = len(averages)
    return Interval(
        estimate=float(averages[(count - 1) // 2] + averages[count // 2]) / 2,
        low=float(averages[k - 1]) if k else -inf,
        high=float(averages[-k]) if k else inf,
        confidence=confidence,
        n=len(differences),
        method="signed rank",
    )


def t_interval(differences: NDArray[np.float64], confidence: float = 0.95) -> Interval:
    """Mean of ``differences`` ``[B]`` and its t interval; infinite for one block.

    Blocks that agree exactly make an interval without width. Raises ``ValueError`` like
    ``signed_rank_interval``.
    """
    check_values("differences", differences)
    _check_confidence(confidence)
    n = len(differences)
    mean = float(differences.mean())
    # Not scipy.stats.ttest_1samp, which warns where all differences are equal: memory often is.
    half = inf
    if n > 1:
        quantile = float(special.stdtrit(n - 1, (1 + confidence) / 2))
        half = quantile * float(differences.std(ddof=1)) / sqrt(n)
    return Interval(
        estimate=mean,
        low=mean - half,
        high=mean + half,
        confidence=confidence,
        n=n,
        method="paired t",
    )


def paired_p(differences: NDArray[np.float64], null: float = 0.0) -> float:
    """Two-sided p value of the effect ``null`` behind ``differences`` ``[B]``.

    It is at most ``1 - c`` exactly where ``paired_interval`` at confidence ``c`` excludes ``null``.
    That is why it counts Walsh averages and is not ``scipy.stats.wilcoxon``: the two agree
    without ties, but SciPy drops differences of zero, and its exact p is not exact with ties.
    Here averages that equal ``null`` count for both sides, which makes ties conservative.

    One block has no spread, so its p is 1. Raises ``ValueError`` like ``signed_rank_interval``.
    """
    check_values("differences", differences)
    n = len(differences)
    if n >= EXACT_FROM:
        units = batches(differences, MOST_UNITS)
        averages = _sorted_averages(units.tobytes())
        below, up_to = (int(np.searchsorted(averages, null, side)) for side in ("left", "right"))
        rarer = min(up_to, len(averages) - below)
        return min(1.0, 2 * float(signed_rank_distribution(len(units))[rarer]))
    distance = abs(float(differences.mean()) - null)
    if n == 1 or distance == 0:
        return 1.0
    error = float(differences.std(ddof=1)) / sqrt(n)
    return 2 * float(special.stdtr(n - 1, -distance / error)) if error else 0.0


def p_beyond(differences: NDArray[np.float64], estimate: float, limit: float) -> float:
    """Two-sided p value of an effect of no more than ``limit``, to the side of its ``estimate``.

    Small where the effect lies beyond it; 1 where the estimate (of ``paired_interval``) does not.
    """
    return 1.0 if abs(estimate) <= limit else paired_p(differences, copysign(limit, estimate))


def rate_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Share of ``successes`` in independent ``trials`` and its Clopper-Pearson interval, 0 to 1.

    Raises ``ValueError`` if there are no trials, more successes than trials or fewer than none, or
    ``confidence`` is not within (0, 1).
    """
    if trials < 1:
        raise ValueError(f"trials is {trials}, but a rate needs one at least")
    if not 0 <= successes <= trials:
        raise ValueError(f"successes is {successes}, not within 0..{trials}")
    _check_confidence(confidence)
    # Not at the top: it takes half a second to import, and reports of frameworks have no rates.
    from scipy import stats

    limits = stats.binomtest(successes, trials).proportion_ci(confidence, method="exact")
    return Interval(
        estimate=successes / trials,
        low=float(limits.low),
        high=float(limits.high),
        confidence=confidence,
        n=trials,
        method="Clopper-Pearson",
    )


def rate(found: Sequence[bool]) -> str:
    """Share of true ones and its interval at 95%, to be read: ``5.0% (0.6%-16.9%)``."""
    of = rate_interval(sum(found), len(found))
    return f"{of.estimate:.1%} ({of.low:.1%}-{of.high:.1%})"


def batches(values: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Join neighbours of ``values`` ``[N]`` to batches: the Hodges-Lehmann estimate of each.

    There are ``most`` of them, ``[most]``, with as many values each, or one more in the first; no
    more values than that stay as they are.
    """
    if len(values) <= most:
        return values
    size, larger = divmod(len(values), most)
    first, rest = np.split(values, [larger * (size + 1)])
    parts = first.reshape(larger, size + 1), rest.reshape(most - larger, size)
    return np.concatenate([np.median(walsh_averages(part), axis=-1) for part in parts])


def walsh_averages(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(v_i + v_j) / 2`` for all ``i <= j``: of ``[..., N]`` makes ``[..., N * (N + 1) / 2]``."""
    # By slices, because indexing with all pairs takes several times as long on many rows.
    n = values.shape[-1]
    sums = np.empty((*values.shape[:-1], n * (n + 1) // 2))
    start = 0
    for i in range(n):
        np.add(values[..., i:], values[..., i : i + 1], out=sums[..., start : start + n - i])
        start += n - i
    sums /= 2
    return sums


@lru_cache(maxsize=32)
def _sorted_averages(values: bytes) -> NDArray[np.float64]:
    """Walsh averages of the float64 in ``values``, ascending.

    The same differences are asked for at many confidences, and against many limits. The array is
    shared and cannot be written to.
    """
    averages = walsh_averages(np.frombuffer(values))
    averages.sort()
    averages.flags.writeable = False
    return averages


@lru_cache(maxsize=128)
def signed_rank_distribution(n: int) -> NDArray[np.float64]:
    """``P(T <= t)`` for ``t = 0..n(n + 1)/2``; T is the sum of the positive ranks under no effect.

    Each rank 1..n is positive with probability 1/2, so the probabilities are the coefficients of
    the product of ``(1 + x**rank) / 2``. SciPy publishes p values made of this distribution, but
    neither the distribution nor an interval. The array is shared and cannot be written to.
    """
    probabilities = np.ones(1)
    for rank in range(1, n + 1):
        longer = np.zeros(len(probabilities) + rank)
        longer[: len(probabilities)] = probabilities
        longer[rank:] += probabilities
        probabilities = longer / 2
    cumulative = np.cumsum(probabilities)
    cumulative.flags.writeable = False
    return cumulative


def check_values(name: str, values: NDArray[np.float64], *, positive: bool = False) -> None:
    """Raise ``ValueError``, naming the values, unless they are ``[N]``, N > 0, and all finite."""
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"{name}: shape {values.shape}, but a row of one value or more is needed")
    wrong = ~np.isfinite(values) | (values <= 0 if positive else False)
    if wrong.any():
        place = int(np.argmax(wrong))
        wanted = "a positive finite number" if positive else "a finite number"
        raise ValueError(f"{name}: value {place} is {values[place]}, not {wanted}")


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}, not between 0 and 1")
