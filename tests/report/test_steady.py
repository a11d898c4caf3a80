"""Steady states of series whose truth is known; noise is that of the times' logarithms.

Flat series that were not called flat, of 200 each, the worst of 20, 40 and 60 chunks at a noise of
1% and of 28%: none of normal noise, 0.5% with tails of t(3), 1.5% with a correlation of 0.5, 1%
with 5% of spikes, 1% with all three, 3.5% with 10% of spikes, 8% with a correlation of 0.8 (which
no short series can tell from a drift). The tests simulate 150 of each and leave room for chance.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal

from report.steady import (
    NOISE_FLOOR,
    SHORTEST,
    Kind,
    Steady,
    change_points,
    clip_spikes,
    find,
    find_all,
)

REPETITIONS = 150

unhurried = settings(deadline=None, derandomize=True)
some = settings(deadline=None, derandomize=True, max_examples=60)

SEEDS = st.integers(0, 2**32 - 1)
VALUES = st.lists(st.integers(-20, 20).map(lambda number: number / 8), min_size=1, max_size=11)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Of chunks within a process, on the log scale."""

    spread: float
    correlation: float = 0.0
    """Of neighbours."""
    spikes: float = 0.0
    """Share of chunks that take 2 to 3 times as long."""
    tails: bool = False
    """Spread like t with 3 degrees of freedom, scaled to the same standard deviation."""

    def __call__(self, generator: np.random.Generator, count: int) -> NDArray[np.float64]:
        values = (
            generator.standard_t(3, count) / np.sqrt(3)
            if self.tails
            else generator.normal(size=count)
        )
        values[1:] *= np.sqrt(1 - self.correlation**2)
        values = self.spread * signal.lfilter([1.0], [1.0, -self.correlation], values)
        spikes = np.log(generator.uniform(2, 3, count))
        return values + np.where(generator.random(count) < self.spikes, spikes, 0.0)


def level(*stretches: tuple[int, float]) -> NDArray[np.float64]:
    """Log times of stretches of so many chunks, each so many times as long as the unit."""
    return np.concatenate([np.full(count, log(factor)) for count, factor in stretches])


def drift(count: int, factor: float) -> NDArray[np.float64]:
    return np.linspace(0.0, log(factor), count)


def simulate(
    logs: NDArray[np.float64], around: Noise, repetitions: int = REPETITIONS
) -> Iterator[Steady]:
    generator = np.random.default_rng(1)
    for _ in range(repetitions):
        yield find(np.exp(logs + around(generator, len(logs))))


def kinds(
    logs: NDArray[np.float64], around: Noise, repetitions: int = REPETITIONS
) -> dict[Kind, float]:
    """Share of each kind."""
    counts = Counter(one.kind for one in simulate(logs, around, repetitions))
    return {kind: number / repetitions for kind, number in counts.items()}


# --- What it must say of single series


@pytest.mark.parametrize("count", [1, 2, 9, 10, 40, 500])
def test_chunks_that_agree_are_flat(count: int) -> None:
    assert find(np.full(count, 0.125)) == Steady(kind="flat", start=0)


@pytest.mark.parametrize("count", [2, 5, 9])
def test_a_handful_is_flat_whatever_it_does(count: int) -> None:
    times = np.ones(count)
    times[: count // 2] = 3.0
    assert find(times).kind == "flat"


@pytest.mark.parametrize(
    ("logs", "expected"),
    [
        (level((5, 1.2), (35, 1.0)), Steady(kind="warm-up", start=5)),
        (level((5, 1.2), (5, 1.0)), Steady(kind="warm-up", start=5)),
        (level((5, 1.5), (6, 1.2), (20, 1.0)), Steady(kind="warm-up", start=11)),
        (level((13, 1.0), (27, 1.2)), Steady(kind="slowdown", start=13)),
        # Faster and slower before: not the peak, so it has slowed down.
        (level((5, 1.5), (10, 0.8), (25, 1.0)), Steady(kind="slowdown", start=15)),
        # Slower for a while, then as before: only what follows is known to last.
        (level((8, 1.0), (8, 1.4), (24, 1.0)), Steady(kind="warm-up", start=16)),
        (level((30, 1.0), (10, 1.2)), Steady(kind="no steady state", start=0)),
        (level((21, 1.2), (19, 1.0)), Steady(kind="no steady state", start=0)),
        (level((20, 1.2), (20, 1.0)), Steady(kind="warm-up", start=20)),
        # Within 2% is equally fast.
        (level((20, 1.015), (20, 1.0)), Steady(kind="flat", start=0)),
        (level((20, 1.025), (20, 1.0)), Steady(kind="warm-up", start=20)),
    ],
)
def test_levels_are_told_apart(logs: NDArray[np.float64], expected: Steady) -> None:
    little = 0.002 * np.random.default_rng(0).normal(size=len(logs))
    assert find(np.exp(logs + little)) == expected
    assert find(np.exp(logs)) == expected


def test_a_change_of_noise_alone_changes_nothing() -> None:
    generator = np.random.default_rng(3)
    logs = np.concatenate([0.002 * generator.normal(size=30), 0.2 * generator.normal(size=30)])
    assert len(*change_points(logs[np.newaxis])) == 2
    assert find(np.exp(logs)).kind == "flat"


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_slow_chunks_than_half_a_segment_change_nothing(count: int) -> None:
    assert find(np.exp(level((count, 2.0), (40 - count, 1.0)))).kind == "flat"


def test_three_slow_chunks_are_a_segment() -> None:
    assert find(np.exp(level((3, 2.0), (37, 1.0)))) == Steady(kind="warm-up", start=5)


@some
@given(
    seed=SEEDS,
    count=st.integers(10, 60),
    place=st.floats(0, 1, exclude_max=True),
    factor=st.floats(1.0, 20.0),
    spread=st.sampled_from([0.0, 0.01, 0.05]),
)
def test_one_spike_changes_nothing(
    seed: int, count: int, place: float, factor: float, spread: float
) -> None:
    logs = spread * np.random.default_rng(seed).normal(size=count).clip(-2.5, 2.5)
    logs[int(place * count)] += log(factor)
    assert find(np.exp(logs)).kind == "flat"


# --- Compilations


def test_everything_through_the_last_compilation_is_dropped() -> None:
    times = np.array([9.0, 1.0, 5.0, *[1.0] * 12])
    compilations = np.array([2, 0, 1, *[0] * 12])
    assert find(times, compilations) == Steady(kind="flat", start=3)
    assert find(times, np.zeros(15, dtype=np.int64)).start == 0


def test_a_warm_up_after_the_compilation_is_found() -> None:
    times = np.exp(level((2, 9.0), (6, 1.5), (20, 1.0)))
    assert find(times, np.array([1, 1, *[0] * 26])) == Steady(kind="warm-up", start=8)


@pytest.mark.parametrize(
    ("compiled", "expected"),
    [
        (0, Steady(kind="flat", start=1)),
        (4, Steady(kind="flat", start=5)),
        (5, Steady(kind="no steady state", start=6)),
        (9, Steady(kind="no steady state", start=10)),
    ],
)
def test_who_compiles_until_late_is_not_steady(compiled: int, expected: Steady) -> None:
    compilations = np.zeros(10, dtype=np.int64)
    compilations[compiled] = 1
    assert find(np.ones(10), compilations) == expected


# --- What cannot be


@pytest.mark.parametrize(
    ("times", "compilations", "complaint"),
    [
        ([], None, "times: shape"),
        ([1.0, 0.0], None, "times: value 1 is 0.0"),
        ([1.0, np.nan], None, "times: value 1 is nan"),
        ([1.0, 1.0], [0], r"compilations has shape \(1,\), but there are 2 times"),
        ([1.0, 1.0], [0, -1], "compilations: value 1 is -1"),
    ],
)
def test_series_that_make_no_sense_are_refused(
    times: list[float], compilations: list[int] | None, complaint: str
) -> None:
    counts = None if compilations is None else np.array(compilations)
    with pytest.raises(ValueError, match=complaint):
        find(np.array(times, dtype=np.float64), counts)


def test_a_stretch_does_not_start_before_the_first_chunk() -> None:
    with pytest.raises(ValueError, match="start is -1"):
        Steady(kind="flat", start=-1)


# --- Properties


@some
@given(
    seed=SEEDS,
    stretches=st.lists(
        st.tuples(st.integers(1, 25), st.sampled_from([0.8, 1.0, 1.1, 2.0])), min_size=1, max_size=4
    ),
    spread=st.sampled_from([0.003, 0.03, 0.3]),
    compiled=st.integers(0, 8),
)
def test_the_parts_of_an_answer_agree(
    seed: int, stretches: list[tuple[int, float]], spread: float, compiled: int
) -> None:
    logs = level(*stretches)
    shaken = Noise(spread=spread, tails=True, spikes=0.05)
    times = np.exp(logs + shaken(np.random.default_rng(seed), len(logs)))
    compilations = np.zeros(len(times), dtype=np.int64)
    compilations[:compiled] = 1
    first = min(compiled, len(times))
    copy = times.copy()
    found = find(times, compilations)
    assert np.array_equal(times, copy)
    assert first <= found.start <= len(times)
    assert find(4 * times, compilations) == found
    if found.kind == "no steady state":
        assert found.start == first
        return
    assert (found.start == first) == (found.kind == "flat")
    assert 2 * (len(times) - found.start) >= len(times)
    assert found.start == first or found.start >= first + SHORTEST


def test_many_processes_are_judged_as_each_alone() -> None:
    generator = np.random.default_rng(5)
    shapes = [
        level((5, 1.2), (35, 1.0)),
        level((40, 1.0)),
        level((9, 1.0)),
        level((13, 1.0), (27, 1.2)),
        drift(40, 1.3),
        level((38, 1.0)),
    ] * 3
    around = Noise(spread=0.02, spikes=0.05)
    times = [np.exp(logs + around(generator, len(logs))) for logs in shapes]
    compiled = [
        None if place % 2 else (np.arange(len(series)) < place % 5).astype(np.int_)
        for place, series in enumerate(times)
    ]
    alone = [find(*one) for one in zip(times, compiled, strict=True)]
    assert find_all(times, compiled) == alone
    assert len({found.kind for found in alone}) == 4


@unhurried
@given(VALUES, st.sampled_from([0.0, 0.2, 1.0, 3.0, 15.0]), st.integers(1, 4))
def test_no_other_split_costs_less(values: list[float], penalty: float, shortest: int) -> None:
    logs = np.array(values)
    (found,) = change_points(logs[np.newaxis], penalty, shortest)
    least = min(cost(logs, split, penalty) for split in splits(len(logs), shortest))
    assert cost(logs, found, penalty) == pytest.approx(least, abs=1e-6)
    assert found in set(splits(len(logs), shortest))


def splits(count: int, shortest: int) -> Iterator[tuple[int, ...]]:
    """All ways to split so many values, as the segments' starts; undivided, if they are too few."""
    yield (0,)
    for last in range(shortest, count - shortest + 1):
        for before in splits(last, shortest):
            yield (*before, last)


def cost(logs: NDArray[np.float64], starts: tuple[int, ...], penalty: float) -> float:
    segments = np.split(logs, starts[1:])
    fit = sum(len(one) * log(float(one.var()) + NOISE_FLOOR**2) for one in segments)
    return fit + (len(segments) - 1) * penalty * log(len(logs))


@some
@given(SEEDS, st.integers(7, 60), st.floats(-50, 50))
def test_clipping_keeps_what_is_near_its_surroundings(seed: int, count: int, away: float) -> None:
    logs = away + np.random.default_rng(seed).standard_t(2, count)
    clipped = clip_spikes(logs)
    assert logs.min() <= clipped.min()
    assert clipped.max() <= logs.max()
    assert np.mean(clipped != logs) < 0.5
    assert clip_spikes(logs + 1.0) == pytest.approx(clipped + 1.0)
    assert clip_spikes(-logs) == pytest.approx(-clipped)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_up_to_three_spikes_in_a_row_are_clipped_and_a_segment_is_not(length: int) -> None:
    generator = np.random.default_rng(5)
    logs = 0.01 * generator.normal(size=40)
    logs[20 : 20 + length] += 1.0
    assert clip_spikes(logs).max() < 0.1
    logs[10 : 10 + SHORTEST] += 1.0
    assert (clip_spikes(logs)[10 : 10 + SHORTEST] > 0.9).all()


# --- Rates


NOISES = {
    "normal": Noise(spread=1.0),
    "tails": Noise(spread=1.0, tails=True),
    "correlated": Noise(spread=1.0, correlation=0.5),
    "much correlated": Noise(spread=1.0, correlation=0.8),
    "spikes": Noise(spread=1.0, spikes=0.05),
    "all": Noise(spread=1.0, spikes=0.05, correlation=0.5, tails=True),
    "many spikes": Noise(spread=1.0, spikes=0.10),
}


def noise(name: str, spread: float) -> Noise:
    return replace(NOISES[name], spread=spread)


MISJUDGED = {"much correlated": 0.12, "many spikes": 0.08}


@pytest.mark.parametrize("count", [10, 40])
@pytest.mark.parametrize("spread", [0.01, 0.28])
@pytest.mark.parametrize("name", NOISES)
def test_flat_series_are_rarely_misjudged(name: str, spread: float, count: int) -> None:
    found = kinds(np.zeros(count), noise(name, spread))
    assert found["flat"] >= 1 - MISJUDGED.get(name, 0.04)


@pytest.mark.parametrize(
    ("name", "spread", "slower", "found", "exact"),
    [
        ("normal", 0.01, 1.2, 0.99, 0.99),
        ("tails", 0.01, 1.2, 0.98, 0.95),
        ("spikes", 0.01, 1.2, 0.95, 0.75),
        ("all", 0.01, 1.2, 0.95, 0.70),
        ("normal", 0.03, 1.2, 0.85, 0.85),
        ("tails", 0.05, 1.5, 0.98, 0.95),
        ("all", 0.05, 1.5, 0.85, 0.65),
    ],
)
def test_five_slow_chunks_of_forty_are_a_warm_up(
    name: str, spread: float, slower: float, found: float, exact: float
) -> None:
    logs = level((5, slower), (35, 1.0))
    answers = list(simulate(logs, noise(name, spread)))
    warm_ups = [one.start for one in answers if one.kind == "warm-up"]
    assert len(warm_ups) >= found * REPETITIONS
    assert warm_ups.count(5) >= exact * REPETITIONS
    # Beside a spike the edge is uncertain, by that spike.
    assert np.mean([abs(start - 5) <= 2 for start in warm_ups]) >= 0.9


@pytest.mark.parametrize(
    ("name", "spread", "found"),
    [("normal", 0.03, 0.98), ("tails", 0.03, 0.95), ("spikes", 0.01, 0.95), ("all", 0.03, 0.90)],
)
def test_a_slowdown_by_a_fifth_is_found(name: str, spread: float, found: float) -> None:
    early = kinds(level((13, 1.0), (27, 1.2)), noise(name, spread))
    assert early["slowdown"] >= found
    late = kinds(level((30, 1.0), (10, 1.2)), noise(name, spread))
    assert late["no steady state"] >= found
    assert "slowdown" not in late


@pytest.mark.parametrize(
    ("name", "count", "factor", "spread", "flat"),
    [
        ("normal", 40, 1.1, 0.01, 0.15),
        ("all", 60, 1.1, 0.01, 0.10),
        ("normal", 40, 1.3, 0.03, 0.15),
        ("spikes", 40, 1.3, 0.03, 0.25),
    ],
)
def test_a_drift_beyond_the_noise_is_noticed(
    name: str, count: int, factor: float, spread: float, flat: float
) -> None:
    found = kinds(drift(count, factor), noise(name, spread))
    assert found.get("flat", 0.0) <= flat
    # Growing times are no warm-up; falling ones no slowdown.
    assert found.get("warm-up", 0.0) <= 0.02
    falling = kinds(drift(count, 1 / factor), noise(name, spread))
    assert falling.get("slowdown", 0.0) <= 0.02


def test_a_drift_within_the_noise_is_not() -> None:
    assert kinds(drift(40, 1.1), noise("normal", 0.05))["flat"] > 0.85
