import math
from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from report.bootstrap import (
    MOST,
    Replicates,
    _Processes,
    resample_differences,
    resample_log_ratios,
)
from report.statistics import log_ratios, paired_interval, walsh_averages

FEW = settings(max_examples=25, deadline=None)
EIGHTHS = st.integers(-80, 80).map(lambda number: number / 8)
DIFFERENCES = st.lists(EIGHTHS, min_size=2, max_size=14, unique=True).map(np.array)

Blocks = list[NDArray[np.float64]]


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def chunks(seed: int, blocks: int, each: int, noise: float = 0.1) -> Blocks:
    return list(np.exp(noise * rng(seed).normal(size=(blocks, each))))


def test_the_estimate_is_that_of_the_primary() -> None:
    arm, other = chunks(1, 11, 5), chunks(2, 11, 8)
    differences = log_ratios(
        np.array([np.median(block) for block in arm]),
        np.array([np.median(block) for block in other]),
    )
    replicates = resample_log_ratios(arm, other, rng(), 99)
    assert replicates.estimate == pytest.approx(paired_interval(differences).estimate)
    found = replicates.interval()
    assert (found.n, found.method) == (11, "studentised bootstrap")


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_resampled_medians_are_distributed_as_if_drawn_one_by_one(count: int) -> None:
    # Of one process, every one of the K**K resamples is equally likely.
    values = np.array([1.0, 2.0, 4.0, 8.0, 16.0])[:count]
    exact = Counter(float(np.median(draw)) for draw in product(values, repeat=count))
    draws = 200_000
    drawn = _Processes.of("arm", [values, np.array([3.0])]).resampled_medians(
        np.zeros((draws, 1), dtype=np.intp), rng()
    )
    found = Counter(drawn[:, 0].tolist())
    assert set(found) == set(exact)
    for value, times in exact.items():
        share = times / count**count
        # Five standard errors.
        assert found[value] / draws == pytest.approx(
            share, abs=5 * math.sqrt(share * (1 - share) / draws) + 1e-12
        )


def test_the_same_seed_gives_the_same_interval_and_another_one_another() -> None:
    arm, other = chunks(1, 9, 5), chunks(2, 9, 5)
    first, again, else_ = (
        resample_log_ratios(arm, other, rng(seed), 499).interval() for seed in (1, 1, 2)
    )
    assert first == again
    assert first != else_


@FEW
@given(DIFFERENCES, EIGHTHS, st.sampled_from([-4.0, -1.0, 0.5, 8.0]))
def test_shift_scale_and_sign(
    differences: NDArray[np.float64], shift: float, factor: float
) -> None:
    before = resample_differences(differences, rng(), 199).interval()
    after = resample_differences(differences * factor + shift, rng(), 199).interval()
    limits = sorted([before.low * factor + shift, before.high * factor + shift])
    assert after.estimate == pytest.approx(before.estimate * factor + shift, abs=1e-9)
    assert [after.low, after.high] == pytest.approx(limits, abs=1e-9)


@FEW
@given(DIFFERENCES)
def test_more_confidence_makes_a_wider_interval(differences: NDArray[np.float64]) -> None:
    replicates = resample_differences(differences, rng(), 199)
    widths = [replicates.interval(c).half_width for c in (0.01, 0.5, 0.8, 0.9, 0.95, 0.99)]
    assert widths == sorted(widths)


def test_swapped_arms_have_the_mirrored_interval_but_for_the_draws() -> None:
    arm, other = chunks(1, 12, 9), chunks(2, 12, 9)
    one = resample_log_ratios(arm, other, rng()).interval()
    mirrored = resample_log_ratios(other, arm, rng()).interval()
    assert one.estimate == -mirrored.estimate
    assert one.low == pytest.approx(-mirrored.high, abs=0.05 * one.half_width)


def test_chunks_of_one_unit_are_not_those_of_another() -> None:
    arm, other = chunks(1, 10, 5), chunks(2, 10, 5)
    seconds = resample_log_ratios(arm, other, rng(), 199).interval()
    slower = resample_log_ratios(arm, [2 * block for block in other], rng(), 199).interval()
    assert slower.low == pytest.approx(seconds.low + math.log(2))


def test_one_chunk_per_process_resamples_blocks_only() -> None:
    differences = rng(3).normal(size=10)
    blocks = resample_differences(differences, rng(4)).interval()
    chunked = resample_log_ratios(
        [np.ones(1)] * 10, [np.exp([d]) for d in differences], rng(5)
    ).interval()
    assert chunked.half_width == pytest.approx(blocks.half_width, rel=0.05)


def test_of_many_blocks_neighbours_are_joined() -> None:
    many = rng(6).normal(size=4 * MOST)
    joined = [np.median(walsh_averages(four)) for four in many.reshape(MOST, 4)]
    whole = resample_differences(many, rng(), 299)
    parts = resample_differences(np.array(joined), rng(), 299)
    assert (whole.deviations == parts.deviations).all()
    assert (whole.n, parts.n) == (4 * MOST, MOST)
    found = whole.interval()
    assert found.n == len(many)
    assert found.half_width == pytest.approx(paired_interval(many).half_width, rel=0.25)


def test_what_many_neighbours_share_makes_the_interval_wider() -> None:
    alone = rng(7).normal(size=4 * MOST)
    together = np.repeat(alone[::4], 4)
    shuffled = rng(8).permutation(together)
    wide, narrow = (resample_differences(d, rng(), 999).interval() for d in (together, shuffled))
    assert wide.half_width > 1.5 * narrow.half_width


def test_many_blocks_take_no_longer_than_their_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each resample is made of units, however many blocks there are."""
    widths = []

    def watched(values: NDArray[np.float64]) -> NDArray[np.float64]:
        widths.append(values.shape[-1])
        return walsh_averages(values)

    monkeypatch.setattr("report.bootstrap.walsh_averages", watched)
    resample_log_ratios(chunks(1, 400, 5), chunks(2, 400, 5), rng(), 99)
    assert max(widths) == MOST


@pytest.mark.parametrize("blocks", [2, 3, 4, 5, 8, 17, MOST])
@pytest.mark.parametrize("ties", [False, True])
def test_resamples_are_what_is_drawn(blocks: int, ties: bool) -> None:
    """Nothing is made of what was drawn, so it must be looked at that averages are counted well."""
    differences = rng(3).normal(size=blocks).round(0 if ties else 9)
    drawn = differences[rng().integers(blocks, size=(99, blocks))]
    of_all, of_each = (
        np.sort(walsh_averages(values), axis=-1) for values in (differences[np.newaxis], drawn)
    )

    def centre(averages: NDArray[np.float64]) -> NDArray[np.float64]:
        count = averages.shape[-1]
        return (averages[:, (count - 1) // 2] + averages[:, count // 2]) / 2

    quarter = of_each.shape[-1] // 4
    spread = of_each[:, -1 - quarter] - of_each[:, quarter]
    distance = np.abs(centre(of_each) - centre(of_all))
    expected = np.where(distance > 0, math.inf, 0.0)
    np.divide(distance, spread, out=expected, where=spread > 0)
    found = resample_differences(differences, rng(), 99).deviations
    assert found.tolist() == np.sort(expected).tolist()


def test_batches_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = rng(3).normal(size=10)
    whole = resample_differences(differences, rng(), 300)
    monkeypatch.setattr("report.bootstrap._BATCH", 55 * 7)
    assert (resample_differences(differences, rng(), 300).deviations == whole.deviations).all()


def test_one_block_bounds_nothing() -> None:
    found = resample_differences(np.array([0.5]), rng(), 99).interval()
    assert (found.estimate, found.low, found.high) == (0.5, -math.inf, math.inf)
    assert resample_log_ratios(chunks(1, 1, 9), chunks(2, 1, 9), rng(), 99).interval().low < -1e9


def test_two_blocks_are_drawn_twice_too_often_to_bound_anything() -> None:
    assert resample_differences(np.array([0.5, 0.7]), rng(), 999).interval().high == math.inf


def test_blocks_that_agree_exactly_leave_no_width() -> None:
    found = resample_differences(np.full(9, 0.25), rng(), 99).interval()
    assert (found.low, found.high) == (0.25, 0.25)


def test_more_confidence_than_resamples_carry_bounds_nothing() -> None:
    replicates = Replicates(estimate=0.0, spread=1.0, deviations=np.arange(1.0, 100.0), n=9)
    assert replicates.interval(0.95).half_width == 95.0
    assert replicates.interval(0.99).half_width == 99.0
    assert replicates.interval(0.995).half_width == math.inf


def test_what_is_no_number_is_refused_by_name() -> None:
    good = [np.ones(3)] * 2
    for wrong in (math.nan, math.inf, 0.0, -1.0):
        with pytest.raises(ValueError, match=f"other, block 1: value 2 is {wrong}, not a positive"):
            resample_log_ratios(good, [np.ones(3), np.array([1.0, 1.0, wrong])], rng())
    with pytest.raises(ValueError, match="arm, block 0: shape"):
        resample_log_ratios([np.empty(0), np.ones(3)], good, rng())
    with pytest.raises(ValueError, match="differences: value 0 is nan"):
        resample_differences(np.array([math.nan]), rng())


def test_arms_are_paired_and_there_is_a_block_and_a_resample() -> None:
    with pytest.raises(ValueError, match="arm has 1 blocks, other has 2"):
        resample_log_ratios([np.ones(3)], [np.ones(3)] * 2, rng())
    with pytest.raises(ValueError, match="arm has 0 blocks"):
        resample_log_ratios([], [], rng())
    with pytest.raises(ValueError, match="resamples is 0"):
        resample_differences(np.ones(3), rng(), 0)
