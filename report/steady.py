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

from collections.abc import Sequence
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
    (found,) = find_all([times], [compilations])
    return found


def find_all(
    times: Sequence[NDArray[np.float64]], compilations: Sequence[NDArray[np.int_] | None]
) -> list[Steady]:
    """What ``find`` says of each of several processes; those with as many chunks go together."""
    for series in times:
        check_values("times", series, positive=True)
    firsts = [
        0 if counted is None else _after_last(counted, len(series))
        for series, counted in zip(times, compilations, strict=True)
    ]
    left = np.array([len(series) - first for series, first in zip(times, firsts, strict=True)])
    found: dict[int, Steady] = {}
    for length in np.unique(left):
        places = np.flatnonzero(left == length).tolist()
        logs = np.log(np.stack([times[place][firsts[place] :] for place in places]))
        for place, (kind, start) in zip(places, _judge(logs), strict=True):
            settled = kind != "no steady state" and length - start >= SHARE * len(times[place])
            found[place] = Steady(
                kind=kind if settled else "no steady state",
                start=firsts[place] + (start if settled else 0),
            )
    return [found[place] for place in range(len(times))]


def _judge(logs: NDArray[np.float64]) -> list[tuple[Kind, int]]:
    """Of series ``[R, N]`` without compilations: what each does, and where its stretch starts."""
    count = logs.shape[1]
    if count == 0:
        return [("flat", 0)] * len(logs)
    segmented = change_points(clip_spikes(logs))
    # Most series are one segment. Those that are not are looked at one by one.
    whole = _drifts(logs)
    found: list[tuple[Kind, int]] = []
    for series, starts, drifting in zip(logs, segmented, whole, strict=True):
        start, levels = _steady_stretch(series, starts)
        if drifting if start == 0 else _drifts(series[start:]):
            found.append(("no steady state", start))
        elif start == 0:
            found.append(("flat", start))
        else:
            found.append(("slowdown" if min(levels) < levels[-1] else "warm-up", start))
    return found


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


def _steady_stretch(logs: NDArray[np.float64], starts: tuple[int, ...]) -> tuple[int, list[float]]:
    """First chunk of the steady stretch, and the levels of all segments up to it and of the last.

    ``starts`` are those of the segments. ``levels`` holds those of the segments before the stretch
    that differ from the last one, and the last one's own, on the log scale; none where none does.
    """
    if len(starts) == 1:
        return 0, []
    segments = np.split(logs, starts[1:])
    last = segments[-1]
    different = [not _equivalent(segment, last, ERRORS) for segment in segments]
    if not any(different):
        return 0, []
    place = len(different) - different[::-1].index(True)
    before = [float(np.median(s)) for s, other in zip(segments, different, strict=True) if other]
    return starts[place], [*before, float(np.median(last))]


def _drifts(stretches: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each of ``[..., N]`` does: ``[...]``."""
    if stretches.shape[-1] < DRIFT_CHUNKS:
        return np.zeros(stretches.shape[:-1], np.bool_)
    first, second = np.array_split(stretches, 2, axis=-1)
    return ~_equivalent(first, second, DRIFT_ERRORS)


def _equivalent(
    one: NDArray[np.float64], other: NDArray[np.float64], errors: float
) -> NDArray[np.bool_]:
    """Whether each of ``[..., N]`` is as fast as its like of ``[..., M]``: ``[...]``."""
    difference = np.abs(np.median(one, axis=-1) - np.median(other, axis=-1))
    noise = np.sqrt(_median_error(one) ** 2 + _median_error(other) ** 2)
    return np.asarray(difference <= np.maximum(EQUIVALENT, errors * noise))


def _median_error(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard error of the medians of ``[..., N]``: ``[...]``.

    ``sqrt(pi / 2)`` times that of the mean, if values are normal. The spread is the median absolute
    deviation, which spikes do not widen.
    """
    middle = np.median(values, axis=-1, keepdims=True)
    spread = _MAD * np.median(np.abs(values - middle), axis=-1)
    return np.asarray(sqrt(pi / 2) * spread / sqrt(values.shape[-1]))


def clip_spikes(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """``values`` ``[..., N]`` on the log scale, none further off its surroundings than noise is.

    ``v -> clip(v, m - CLIP s, m + CLIP s)``, where m is the median of ``WINDOW`` values around v
    (beyond the ends the outermost value is repeated, so that slow first chunks stay) and s the
    noise: by the median absolute difference of neighbours, which has few changes of level in it.
    """
    if values.shape[-1] < WINDOW:
        return values
    window = (*(1 for _ in values.shape[1:]), WINDOW)
    middle = ndimage.median_filter(values, size=window, mode="nearest")
    steps = np.abs(np.diff(values, axis=-1))
    noise = _MAD * np.median(steps, axis=-1, keepdims=True) / sqrt(2)
    reach = CLIP * np.maximum(noise, NOISE_FLOOR)
    return np.clip(values, middle - reach, middle + reach)


def change_points(
    values: NDArray[np.float64], penalty: float = PENALTY, shortest: int = SHORTEST
) -> list[tuple[int, ...]]:
    """Split each series of ``values`` ``[R, N]`` where its mean or variance changes.

    What is returned are the starts of its segments, 0 first. Of all ways to split a series into
    segments of ``shortest`` values or more, it is the one with the least
    ``sum(n log(variance + NOISE_FLOOR**2)) + (segments - 1) penalty log(N)``, twice the negative
    log-likelihood of normal values, but for a constant. It is found exactly, in steps of growing
    ends (optimal partitioning, Jackson et al. 2005, https://arxiv.org/abs/math/0309285), and of all
    series at once. Too few values to be split are one segment.
    """
    rows, count = values.shape
    if count < 2 * shortest:
        return [(0,)] * rows
    price = penalty * log(count)
    # Sums from the median on: far from zero the difference of squares would lose its digits.
    centred = values - np.median(values, axis=1, keepdims=True)
    sums, squares = (
        np.pad(np.cumsum(of, axis=1), ((0, 0), (1, 0))) for of in (centred, centred**2)
    )
    least = np.full((rows, count + 1), np.inf)
    least[:, 0] = -price
    start = np.zeros((rows, count + 1), dtype=np.intp)
    for end in range(shortest, count + 1):
        starts = np.arange(end - shortest + 1)
        lengths = end - starts
        means = (sums[:, end, np.newaxis] - sums[:, starts]) / lengths
        spread = (squares[:, end, np.newaxis] - squares[:, starts]) / lengths - means**2
        variances = np.maximum(spread, 0.0)
        costs = least[:, starts] + lengths * np.log(variances + NOISE_FLOOR**2) + price
        start[:, end] = np.argmin(costs, axis=1)
        least[:, end] = costs[np.arange(rows), start[:, end]]
    return [_traced(row, count) for row in start.tolist()]


def _traced(start: Sequence[int], count: int) -> tuple[int, ...]:
    """Starts of all segments, from the start of the last one of each number of values."""
    found = [start[count]]
    while found[-1] > 0:
        found.append(start[found[-1]])
    return tuple(reversed(found))
