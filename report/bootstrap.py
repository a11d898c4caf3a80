"""A second opinion on a comparison: resample blocks, then what was measured within a process.

It is not exact as the interval that decides, but it does not take the differences to be spread
symmetrically, and it sees the chunks that a process' one number hides. Where the two come to
different verdicts, the data do not carry one (``report.decisions``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, inf

import numpy as np
from numpy.typing import NDArray

from report.statistics import (
    MOST_UNITS,
    Interval,
    batches,
    check_values,
    log_ratios,
    walsh_averages,
)

RESAMPLES = 9_999
"""One less than 10,000, so that each usual confidence is one of the resamples' ranks."""

MOST = 30
"""Units that are resampled: of more blocks neighbours are joined, to so many batches. Of each
resample there are half as many Walsh averages as units squared, while more than 30 batches make an
interval hardly narrower (Schmeiser 1982, Batch size effects in the analysis of simulation output):
of 60 and 120 blocks it covers as often as it should and is a tenth wider than the one that decides
(``results/reference/coverage.md``). What neighbours have in common, which that one takes to be
independent, is within a batch and counts."""

_BATCH = 250_000
"""Walsh averages made at once: 2 MB, so that they are sorted where they are, in a cache."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replicates:
    """An estimate, and how far resampled ones fell from it, measured in their own spread.

    With estimate ``h`` and spread ``s`` of the data, and ``h*`` and ``s*`` of each resample, the
    deviations are ``|h* - h| / s*``; the interval at confidence c is ``h -+ q s``, where q is their
    c quantile. This is the symmetric bootstrap-t (Hall 1988, On symmetric bootstrap confidence
    intervals). Plain percentiles are not offered: they are too narrow with few blocks
    (``report.coverage`` shows how much).

    h is the Hodges-Lehmann estimate, as in the interval it is held against. s is the interquartile
    range of the Walsh averages: any spread that scales with the data makes the quotient free of
    the unknown scale, and this one is not carried away by a single slow process.
    """

    estimate: float
    spread: float
    deviations: NDArray[np.float64]
    """Of each resample, ``[R]``, ascending; infinite where a resample has no spread."""
    n: int
    """Number of blocks."""

    def interval(self, confidence: float = 0.95) -> Interval:
        """Return the interval; infinite for one block, or where there are too few resamples.

        It has no width where all but a few blocks agree exactly, as memory may. There this opinion
        holds nothing against the other, whose interval reaches to the blocks that differ.
        """
        # The rank that a new deviation would have among R + 1 (Davison and Hinkley, Bootstrap
        # Methods and their Application, chapter 5).
        rank = ceil(round(confidence * (len(self.deviations) + 1), 9))
        if self.n == 1 or rank > len(self.deviations):
            half = inf
        elif self.spread == 0:
            half = 0.0
        else:
            half = float(self.deviations[max(rank, 1) - 1]) * self.spread
        return Interval(
            estimate=self.estimate,
            low=self.estimate - half,
            high=self.estimate + half,
            confidence=confidence,
            n=self.n,
            method="studentised bootstrap",
        )


def resample_log_ratios(
    arm: Sequence[NDArray[np.float64]],
    other: Sequence[NDArray[np.float64]],
    generator: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Replicates:
    """Bootstrap ``log(median other / median arm)`` over blocks, and over chunks within a process.

    ``arm`` and ``other`` hold, for each block, the chunks that this arm's process measured:
    positive numbers ``[K]`` in one unit, seconds per step say. K may differ. The estimate is
    positive where ``arm`` is faster. Of more than ``MOST`` blocks these alone are resampled: what
    chunks do to a process' median is in the spread of the blocks as well. Raises ``ValueError`` if
    the arms differ in blocks, there are none, a chunk is not a positive finite number, or
    ``resamples`` is below 1.
    """
    if len(arm) != len(other) or len(arm) == 0:
        raise ValueError(f"arm has {len(arm)} blocks, other has {len(other)}; blocks are paired")
    mine, theirs = _Processes.of("arm", arm), _Processes.of("other", other)
    differences = log_ratios(mine.medians, theirs.medians)
    if len(differences) > MOST:
        return resample_differences(differences, generator, resamples)

    def resampled(blocks: NDArray[np.intp]) -> _Moments:
        medians = theirs.resampled_medians(blocks, generator)
        return _moments(np.log(medians / mine.resampled_medians(blocks, generator)))

    return _replicates(differences, resampled, generator, resamples)


def resample_differences(
    differences: NDArray[np.float64], generator: np.random.Generator, resamples: int = RESAMPLES
) -> Replicates:
    """Bootstrap over blocks, for what a process has one number of: accuracy, peak memory.

    ``differences`` are ``[B]``, on any scale. Raises ``ValueError`` if one is NaN or infinite,
    there is none, or ``resamples`` is below 1.
    """
    check_values("differences", differences)
    units = batches(batches(differences, MOST_UNITS), MOST)
    found = _replicates(units, _counted(units), generator, resamples)
    return replace(found, n=len(differences))


_Moments = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Median and interquartile range of the Walsh averages of each resample, ``[R]`` each."""


def _replicates(
    differences: NDArray[np.float64],
    resampled: Callable[[NDArray[np.intp]], _Moments],
    generator: np.random.Generator,
    resamples: int,
) -> Replicates:
    """Draw blocks ``[R, B]``, let ``resampled`` say what becomes of them, and studentise."""
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}, but one is needed at least")
    n = len(differences)
    estimates, spreads = _moments(differences[np.newaxis])
    estimate, spread = float(estimates[0]), float(spreads[0])
    deviations = np.empty(resamples)
    batch = max(1, _BATCH // (n * (n + 1) // 2))
    for start in range(0, resamples, batch):
        size = min(batch, resamples - start)
        estimates, spreads = resampled(generator.integers(n, size=(size, n)))
        distances = np.abs(estimates - estimate)
        # A block drawn n times has no spread: nothing can be said, unless it hit the estimate.
        quotients = np.where(distances > 0, inf, 0.0)
        np.divide(distances, spreads, out=quotients, where=spreads > 0)
        deviations[start : start + size] = quotients
    deviations.sort()
    return Replicates(estimate=estimate, spread=spread, deviations=deviations, n=n)


def _moments(samples: NDArray[np.float64]) -> _Moments:
    """Of each row of ``[R, B]``."""
    # Sorting, with vector instructions, takes a quarter of the time of NumPy's quantiles.
    averages = walsh_averages(samples)
    averages.sort(axis=-1)
    return _at_ranks(averages.shape[-1], lambda rank: averages[:, rank])


def _at_ranks(count: int, averages: Callable[[int], NDArray[np.float64]]) -> _Moments:
    """Of ``count`` averages, by what gives that of a rank, from 0, of each resample."""
    low = averages((count - 1) // 2)
    high = low if count % 2 else averages(count // 2)
    return (low + high) / 2, averages(count - 1 - count // 4) - averages(count // 4)


def _counted(units: NDArray[np.float64]) -> Callable[[NDArray[np.intp]], _Moments]:
    """The same of units drawn as they are: theirs are averages of ``units``, each several times.

    These are sorted once. To count how often each is there takes little more than half of the time
    of making and sorting them anew. For ``MOST`` units at most: their counts fit into 16 bits.
    """
    n = len(units)
    first, second = np.triu_indices(n)
    averages = walsh_averages(units)
    order = np.argsort(averages)
    averages, first, second = averages[order], first[order], second[order]
    alone = first == second

    def resampled(drawn: NDArray[np.intp]) -> _Moments:
        rows = n * np.arange(len(drawn))[:, np.newaxis]
        drawn_times = np.bincount((drawn + rows).ravel(), minlength=n * len(drawn))
        times = np.ascontiguousarray(drawn_times.reshape(-1, n).T, dtype=np.int16)
        # Of c draws of one unit and d of another c d averages, of c of the same c (c + 1) / 2.
        pairs, others = times[first], times[second]
        others[alone] += 1
        pairs *= others
        pairs[alone] //= 2
        # Row by row: NumPy's cumsum goes down one column after the other, in twice the time.
        for above, up_to_here in pairwise(pairs):
            up_to_here += above

        def at(rank: int) -> NDArray[np.float64]:
            places: NDArray[np.int16] = (pairs <= rank).sum(axis=0, dtype=np.int16)
            return averages[places]

        return _at_ranks(len(averages), at)

    return resampled


@dataclass(frozen=True, slots=True, eq=False)
class _Processes:
    """Chunks of one arm's processes, a row each, ready to be resampled."""

    chunks: NDArray[np.float64]
    """Ascending, ``[B, K]``; rows with fewer chunks end with NaN."""
    counts: NDArray[np.int64]
    """Number of chunks of each row, ``[B]``."""

    @classmethod
    def of(cls, name: str, blocks: Sequence[NDArray[np.float64]]) -> "_Processes":
        together = np.concatenate(blocks)
        if not (np.isfinite(together) & (together > 0)).all() or not all(map(len, blocks)):
            for number, chunks in enumerate(blocks):
                check_values(f"{name}, block {number}", chunks, positive=True)
        counts = np.array([len(chunks) for chunks in blocks])
        rows = np.full((len(blocks), int(counts.max())), np.nan)
        for row, chunks in zip(rows, blocks, strict=True):
            row[: len(chunks)] = chunks
        return cls(np.sort(rows, axis=1), counts)  # Which puts NaN last.

    @property
    def medians(self) -> NDArray[np.float64]:
        """Median of each process, ``[B]``."""
        rows = np.arange(len(self.counts))
        low, high = (self.counts - 1) // 2, self.counts // 2
        return (self.chunks[rows, low] + self.chunks[rows, high]) / 2

    def resampled_medians(
        self, blocks: NDArray[np.intp], generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Draw K of K chunks with replacement in each of ``blocks`` and take their median.

        A draw is ``floor(K u)`` of a uniform u, which keeps order. So the r-th smallest draw is
        that of the r-th smallest u, which is Beta(r, K + 1 - r), and no draw needs to be sorted.
        Of an even K the median is the mean of draws K/2 and K/2 + 1; above the first, the other
        K/2 are uniform, and the second is the least of them.
        """
        counts = self.counts[blocks]
        middle = (counts + 1) // 2
        lower = generator.beta(middle, counts + 1 - middle)
        medians = self._chunk(blocks, lower)
        even = counts % 2 == 0
        if even.any():
            rest = generator.random(blocks.shape) ** (1 / np.maximum(counts - middle, 1))
            upper = 1 - (1 - lower) * rest
            medians = np.where(even, (medians + self._chunk(blocks, upper)) / 2, medians)
        return medians

    def _chunk(self, blocks: NDArray[np.intp], shares: NDArray[np.float64]) -> NDArray[np.float64]:
        counts = self.counts[blocks]
        # A share may be rounded up to 1, which would be one chunk too far.
        places = np.minimum((shares * counts).astype(np.int64), counts - 1)
        return self.chunks[blocks, places]
