"""Is a process' series of chunk times steady, and from where on?

The rule is that of Barrett et al. (Virtual Machine Warmup Blows Hot and Cold, OOPSLA 2017,
https://arxiv.org/abs/1602.00602), made fit for tens of chunks on a shared machine instead of
thousands on a silent one: split the series where its mean or variance changes, and keep the last
stretch of segments that are as fast as the last one. It differs where theirs asks for long series:

- Levels are medians. That is what a trial reports, and a spike does not move it.
- Spikes are clipped before the search, theirs were removed before it. They are clipped at a
  distance measured by the differences of neighbours, which a change of level hardly touches.
- The search is exact. PELT (Killick, Fearnhead and Eckley 2012, https://arxiv.org/abs/1101.1438)
  is the same search with candidates left out that cannot win; of series as short as these it saves
  little, and with a shortest segment the pruning needs care: that of ruptures 1.1.10 missed the
  optimum in 54 of 400 series like ours at a penalty of 2, though in none at ours
  (https://github.com/deepcharles/ruptures/pull/383).
- A drift has no step to be found; the halves of what is left are compared as well.
"""

from dataclasses import dataclass
from math import log, log1p, pi, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from report.statistics import check_values

PENALTY = 15.0
"""A change point must raise twice the log-likelihood by this times ``log(N)`` (warmup_stats,
bin/mark_changepoints_in_json). It is five times what BIC asks for three parameters, so that noise
that is correlated from chunk to chunk does not pass for changes: at a correlation of 0.8 the
search alone misjudged 13% of flat series of 40 chunks with 10, and 1% with 15."""
SHORTEST = 5
"""Chunks that a segment has at least: two spikes among them do not move its median. Of fewer than
10 chunks there is nothing to tell apart, and they are flat."""
EQUIVALENT = log1p(0.02)
"""Segments whose levels differ by no more than 2% are equally fast, however sure the difference."""
ERRORS = 2.0
"""Nor are they different if their levels differ by no more than this many standard errors."""
DRIFT_ERRORS = 5.0
"""The halves of the stretch must not differ by more: a drift without any step raises the variance
of all instead of making segments. Chunks that are correlated by 0.5 make medians err 1.7 times as
far as the standard error says, by 0.8 three times; this is beyond both, mostly."""
DRIFT_CHUNKS = 20
"""Chunks of the stretch, below which its halves are too short to tell how far their medians err."""
SHARE = 0.5
"""Share of all chunks that the steady stretch has at least. A process that was steady for less time
than it was not may change once more; and a neighbour who comes late and stays is no slowdown."""
NOISE_FLOOR = 1e-3
"""Standard deviation that is added to each segment's own (in squares), on the log scale. Without it
chunks that agree by chance would be segments; with it 2% between two times five are still found."""
WINDOW = 7
"""Chunks around each, whose median is what a spike is held against: up to three spikes in a row are
clipped, while a segment of ``SHORTEST`` is long enough to stay."""
CLIP = 3.0
"""Standard deviations that a chunk may be off the median around it. Of normal noise 0.3% are."""

Kind = Literal["flat", "warm-up", "slowdown", "no steady state"]

_MAD = 1.4826
"""Standard deviation of normal values by their median absolute deviation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """What a series does, and which of its chunks count.

    A process without steady state still counts, with all chunks after the last compilation: to
    leave it out for its times would favour an arm. How many there are is for ``Guards.unsteady``.
    """

    kind: Kind
    """``warm-up`` if it was slower before, ``slowdown`` if it was faster, were it for a stretch
    between. What follows the last compilation is judged; if that is level, the series is flat."""
    start: int
    """Chunks from here on are the steady stretch. It may be the number of chunks, leaving none, if
    something was compiled until the end."""

    def __post_init__(self) -> None:
        if self.start < 0:
            raise ValueError(f"start is {self.start}, but chunks are counted from 0")


def find(times: NDArray[np.float64], compilations: NDArray[np.int_] | None = None) -> Steady:
    """Find the steady stretch of a process' chunk times.

    Everything through the last chunk with a compilation is dropped. The rest is split by
    ``change_points``; the steady stretch starts with the first segment from which on all are
    equivalent to the last one. How often that errs is measured in ``tests/report/test_steady.py``.

    A change that is not found lies within the noise, or concerns fewer than ``SHORTEST`` chunks;
    it moves the median of all by a part of their own spread. Of 40 chunks the first 5, slower by
    20%, are found in 94% of series at a noise of 3%, and in 6% at 5%. A drift of 10% over 40 chunks
    is noticed (as ``no steady state``, or in the direction in which it goes) in 94% at a noise of
    1%, in 22% at 3% and in 4% at 5%; over fewer than ``DRIFT_CHUNKS`` hardly ever.

    Args:
        times: Of each chunk, seconds or any other unit, in the order measured, ``[N]``.
        compilations: How often something was traced or compiled during each chunk, ``[N]``; None
            where that is not known.

    Raises ``ValueError`` if a time is not a positive finite number, there is none, or
    ``compilations`` is negative or of another length.
    """
    check_values("times", times, positive=True)
    first = 0 if compilations is None else _after_last(compilations, len(times))
    logs = np.log(times[first:])
    start, levels = _steady_stretch(logs)
    if len(logs) - start < SHARE * len(times) or _drifts(logs[start:]):
        return Steady(kind="no steady state", start=first)
    if start == 0:
        return Steady(kind="flat", start=first)
    return Steady(kind="slowdown" if min(levels) < levels[-1] else "warm-up", start=first + start)


def _after_last(compilations: NDArray[np.int_], count: int) -> int:
    """First chunk after the last one with a compilation."""
    if compilations.shape != (count,):
        raise ValueError(
            f"compilations has shape {compilations.shape}, but there are {count} times"
        )
    if (compilations < 0).any():
        place = int(np.argmax(compilations < 0))
        raise ValueError(f"compilations: value {place} is {compilations[place]}, a negative number")
    compiled = np.flatnonzero(compilations)
    return int(compiled[-1]) + 1 if len(compiled) else 0


def _steady_stretch(logs: NDArray[np.float64]) -> tuple[int, list[float]]:
    """First chunk of the steady stretch, and the levels of all segments up to it and of the last.

    ``levels`` holds those of the segments before the stretch that differ from the last one, and the
    last one's own, on the log scale.
    """
    if len(logs) == 0:
        return 0, []
    starts = change_points(clip_spikes(logs))
    segments = np.split(logs, starts[1:])
    last = segments[-1]
    different = [not _equivalent(segment, last, ERRORS) for segment in segments]
    if not any(different):
        return 0, [float(np.median(last))]
    place = len(different) - different[::-1].index(True)
    before = [float(np.median(s)) for s, other in zip(segments, different, strict=True) if other]
    return starts[place], [*before, float(np.median(last))]


def _drifts(stretch: NDArray[np.float64]) -> bool:
    if len(stretch) < DRIFT_CHUNKS:
        return False
    first, second = np.array_split(stretch, 2)
    return not _equivalent(first, second, DRIFT_ERRORS)


def _equivalent(one: NDArray[np.float64], other: NDArray[np.float64], errors: float) -> bool:
    difference = abs(float(np.median(one)) - float(np.median(other)))
    noise = sqrt(_median_error(one) ** 2 + _median_error(other) ** 2)
    return difference <= max(EQUIVALENT, errors * noise)


def _median_error(values: NDArray[np.float64]) -> float:
    """Standard error of the median: ``sqrt(pi / 2)`` times that of the mean, if values are normal.

    The spread is the median absolute deviation, which spikes do not widen.
    """
    spread = _MAD * float(np.median(np.abs(values - np.median(values))))
    return sqrt(pi / 2) * spread / sqrt(len(values))


def clip_spikes(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """``values`` ``[N]`` on the log scale, none further off its surroundings than noise would be.

    ``v -> clip(v, m - CLIP s, m + CLIP s)``, where m is the median of ``WINDOW`` values around v
    (beyond the ends the outermost value is repeated, so that slow first chunks stay) and s the
    noise: by the median absolute difference of neighbours, which has few changes of level in it.
    """
    if len(values) < WINDOW:
        return values
    middle = ndimage.median_filter(values, size=WINDOW, mode="nearest")
    noise = _MAD * float(np.median(np.abs(np.diff(values)))) / sqrt(2)
    reach = CLIP * max(noise, NOISE_FLOOR)
    return np.clip(values, middle - reach, middle + reach)


def change_points(
    values: NDArray[np.float64], penalty: float = PENALTY, shortest: int = SHORTEST
) -> tuple[int, ...]:
    """Split ``values`` ``[N]`` where their mean or variance changes: the segments' starts, 0 first.

    Of all ways to split them into segments of ``shortest`` values or more, the one with the least
    ``sum(n log(variance + NOISE_FLOOR**2)) + (segments - 1) penalty log(N)``, twice the negative
    log-likelihood of normal values, but for a constant. It is found exactly, in steps of growing
    ends (optimal partitioning, Jackson et al. 2005, https://arxiv.org/abs/math/0309285). Too few
    values to be split are one segment.
    """
    count = len(values)
    if count < 2 * shortest:
        return (0,)
    price = penalty * log(count)
    # Sums from the median on: far from zero the difference of squares would lose its digits.
    centred = values - np.median(values)
    sums = np.concatenate([[0.0], np.cumsum(centred)])
    squares = np.concatenate([[0.0], np.cumsum(centred**2)])
    least = np.full(count + 1, np.inf)
    least[0] = -price
    start = np.zeros(count + 1, dtype=np.intp)
    for end in range(shortest, count + 1):
        starts = np.arange(end - shortest + 1)
        lengths = end - starts
        means = (sums[end] - sums[starts]) / lengths
        variances = np.maximum((squares[end] - squares[starts]) / lengths - means**2, 0.0)
        costs = least[starts] + lengths * np.log(variances + NOISE_FLOOR**2) + price
        start[end] = np.argmin(costs)
        least[end] = costs[start[end]]
    found = [int(start[count])]
    while found[-1] > 0:
        found.append(int(start[found[-1]]))
    return tuple(reversed(found))
