import math
from collections.abc import Callable
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from report.statistics import (
    EXACT_FROM,
    Interval,
    Summary,
    batches,
    log_ratios,
    paired_interval,
    paired_p,
    rate_interval,
    signed_rank_distribution,
    signed_rank_interval,
    summarise,
    t_interval,
    walsh_averages,
)

unhurried = settings(deadline=None)

Method = Callable[[NDArray[np.float64], float], Interval]

METHODS = pytest.mark.parametrize("method", [paired_interval, signed_rank_interval, t_interval])
CONFIDENCES = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.999])
# Eighths of whole numbers: sums and halves of them are exact, so that ties stay ties.
EIGHTHS = st.integers(-800, 800).map(lambda number: number / 8)
DIFFERENCES = st.lists(EIGHTHS, min_size=1, max_size=24).map(np.array)


def interval(**changes: float) -> Interval:
    numbers = {"estimate": 0.0, "low": -1.0, "high": 1.0, "confidence": 0.95} | changes
    return Interval(n=10, method="signed rank", **numbers)


@pytest.mark.parametrize(
    ("values", "median", "low", "high"),
    [
        ([3.0], 3.0, 3.0, 3.0),
        ([5.0, 1.0, 2.0], 2.0, 1.0, 5.0),
        ([4.0, 1.0, 2.0, 10.0], 3.0, 1.0, 10.0),
        ([-1.0, -3.0], -2.0, -3.0, -1.0),
    ],
)
def test_median_and_range(values: list[float], median: float, low: float, high: float) -> None:
    expected = Summary(n=len(values), median=median, low=low, high=high)
    assert summarise(np.array(values)) == expected


def test_what_was_not_measured_is_not_counted() -> None:
    assert summarise(np.array([np.nan, 2.0, np.nan, 4.0])) == Summary(
        n=2, median=3.0, low=2.0, high=4.0
    )


@pytest.mark.parametrize("values", [[], [np.nan, np.nan]])
def test_nothing_measured_is_no_number(values: list[float]) -> None:
    summary = summarise(np.array(values, dtype=np.float64))
    assert summary.n == 0
    assert all(math.isnan(number) for number in (summary.median, summary.low, summary.high))


def test_values_are_left_as_they_are() -> None:
    values = np.array([3.0, 1.0, 2.0])
    summarise(values)
    assert values.tolist() == [3.0, 1.0, 2.0]


@unhurried
@given(st.lists(st.floats(-1e9, 1e9), min_size=1), st.randoms())
def test_order_does_not_matter_and_the_median_is_within(
    values: list[float], random: Random
) -> None:
    summary = summarise(np.array(values))
    assert summary.low <= summary.median <= summary.high
    random.shuffle(values)
    assert summarise(np.array(values)) == summary


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"estimate": math.nan}, "estimate is NaN"),
        ({"low": math.nan}, "low is NaN"),
        ({"high": math.nan}, "high is NaN"),
        ({"low": 2.0}, "low 2 is above high 1"),
        ({"confidence": 1.0}, "confidence is 1.0"),
        ({"confidence": 95.0}, "confidence is 95.0"),
    ],
)
def test_an_interval_that_makes_no_sense_does_not_exist(
    changes: dict[str, float], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        interval(**changes)


def test_an_interval_does_not_exclude_its_limits() -> None:
    assert not interval().excludes(1.0)
    assert not interval().excludes(-1.0)
    assert interval().excludes(1.001)
    assert interval().half_width == 1.0


def test_ratios_come_from_logarithms_however_wide() -> None:
    ratio = interval(low=-math.inf, high=1000.0).as_ratio()
    assert (ratio.estimate, ratio.low, ratio.high) == (1.0, 0.0, math.inf)


def test_log_ratios_are_positive_where_the_first_arm_takes_less() -> None:
    assert log_ratios(np.array([1.0, 2.0]), np.array([2.0, 1.0])) == pytest.approx(
        [math.log(2), -math.log(2)]
    )


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_log_ratios_are_of_positive_numbers(wrong: float) -> None:
    with pytest.raises(ValueError, match=f"other: value 1 is {wrong}, not a positive"):
        log_ratios(np.array([1.0, 1.0]), np.array([1.0, wrong]))


def test_log_ratios_are_of_pairs() -> None:
    with pytest.raises(ValueError, match="blocks are paired"):
        log_ratios(np.ones(2), np.ones(3))


def test_walsh_averages_are_of_all_pairs() -> None:
    assert sorted(walsh_averages(np.array([0.0, 2.0, 8.0]))) == [0.0, 1.0, 2.0, 4.0, 5.0, 8.0]
    rows = np.arange(24.0).reshape(2, 3, 4)
    assert (walsh_averages(rows)[1, 2] == walsh_averages(rows[1, 2])).all()


# k - 1 of the two-sided 5% test, as printed in tables of the signed-rank statistic.
@pytest.mark.parametrize(
    ("n", "critical"), [(6, 0), (7, 2), (8, 3), (9, 5), (10, 8), (12, 13), (15, 25), (20, 52)]
)
def test_critical_values_are_those_of_the_tables(n: int, critical: int) -> None:
    distribution = signed_rank_distribution(n)
    assert distribution[critical] <= 0.025 < distribution[critical + 1]
    assert len(distribution) == n * (n + 1) // 2 + 1
    assert distribution[-1] == pytest.approx(1.0)
    differences = np.arange(float(n)) * np.arange(1.0, n + 1)
    averages = np.sort(walsh_averages(differences))
    found = signed_rank_interval(differences)
    assert (found.low, found.high) == (averages[critical], averages[-critical - 1])


def test_the_interval_of_a_published_example() -> None:
    # Hollander and Wolfe's depression scale factors: 9 patients, estimate -0.46, and at 96.1% the
    # interval from the 6th to the 40th Walsh average, (-0.786, -0.010).
    before = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    after = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    found = signed_rank_interval(after - before, 0.96)
    assert found.estimate == pytest.approx(-0.46)
    assert (found.low, found.high) == pytest.approx((-0.786, -0.010))


@METHODS
@unhurried
@given(differences=DIFFERENCES, confidence=CONFIDENCES, shift=EIGHTHS)
def test_shifted_differences_have_a_shifted_interval(
    method: Method, differences: NDArray[np.float64], confidence: float, shift: float
) -> None:
    before, after = method(differences, confidence), method(differences + shift, confidence)
    for name in ("estimate", "low", "high"):
        assert getattr(after, name) == pytest.approx(getattr(before, name) + shift, abs=1e-9)


@METHODS
@unhurried
@given(differences=DIFFERENCES, confidence=CONFIDENCES, factor=st.sampled_from([0.25, 2.0, 64.0]))
def test_scaled_differences_have_a_scaled_interval(
    method: Method, differences: NDArray[np.float64], confidence: float, factor: float
) -> None:
    before, after = method(differences, confidence), method(differences * factor, confidence)
    for name in ("estimate", "low", "high"):
        assert getattr(after, name) == pytest.approx(getattr(before, name) * factor, abs=1e-9)


@METHODS
@unhurried
@given(differences=DIFFERENCES, confidence=CONFIDENCES)
def test_swapped_arms_have_the_mirrored_interval(
    method: Method, differences: NDArray[np.float64], confidence: float
) -> None:
    one, other = method(differences, confidence), method(-differences, confidence)
    assert (one.estimate, one.low, one.high) == (-other.estimate, -other.high, -other.low)
    assert paired_p(differences) == paired_p(-differences)


@METHODS
@unhurried
@given(differences=DIFFERENCES)
def test_more_confidence_makes_a_wider_interval(
    method: Method, differences: NDArray[np.float64]
) -> None:
    intervals = [method(differences, confidence) for confidence in (0.5, 0.9, 0.95, 0.999)]
    for narrow, wide in pairwise(intervals):
        assert wide.low <= narrow.low <= narrow.estimate <= narrow.high <= wide.high


@unhurried
@given(
    st.lists(st.integers(1, 10_000), min_size=EXACT_FROM, max_size=40, unique=True),
    st.data(),
)
def test_exact_p_is_that_of_scipy_without_ties(sizes: list[int], data: st.DataObject) -> None:
    signs = data.draw(st.lists(st.sampled_from([-1, 1]), min_size=len(sizes), max_size=len(sizes)))
    differences = np.array(sizes, dtype=np.float64) * signs
    expected = stats.wilcoxon(differences, method="exact").pvalue
    assert paired_p(differences) == pytest.approx(expected, rel=1e-9)


@unhurried
@given(DIFFERENCES.filter(lambda differences: 1 < len(differences) < EXACT_FROM))
def test_p_of_few_blocks_is_that_of_the_t_test(differences: NDArray[np.float64]) -> None:
    if np.ptp(differences) > 0:
        expected = stats.ttest_1samp(differences, 0.5).pvalue
        assert paired_p(differences, 0.5) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@unhurried
@given(differences=DIFFERENCES, confidence=CONFIDENCES, null=EIGHTHS)
def test_the_interval_excludes_what_the_p_value_rejects(
    differences: NDArray[np.float64], confidence: float, null: float
) -> None:
    p = paired_p(differences, null)
    if abs(p - (1 - confidence)) > 1e-9:
        rejected = p < 1 - confidence
        assert paired_interval(differences, confidence).excludes(null) == rejected


def test_ties_and_zeros_are_conservative() -> None:
    differences = np.array([0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0])
    nudged = differences + np.linspace(1e-6, 1e-5, 10)
    assert paired_p(differences) > paired_p(nudged)
    assert signed_rank_interval(differences).low <= signed_rank_interval(nudged).low


@pytest.mark.parametrize("n", [2, 5, 8, 20])
def test_blocks_that_agree_exactly_leave_no_doubt_but_the_p_value_of_their_number(n: int) -> None:
    found = paired_interval(np.full(n, 0.25))
    assert (found.estimate, found.low, found.high) == (0.25, 0.25, 0.25)
    assert paired_p(np.full(n, 0.25)) == (0.0 if n < EXACT_FROM else 2 / 2**n)
    assert paired_p(np.zeros(n)) == 1.0


def test_one_block_bounds_nothing() -> None:
    found = paired_interval(np.array([0.5]))
    assert (found.estimate, found.low, found.high, found.n) == (0.5, -math.inf, math.inf, 1)
    assert paired_p(np.array([0.5])) == 1.0


def test_two_blocks_have_the_t_interval() -> None:
    found = paired_interval(np.array([0.0, 2.0]))
    assert found.method == "paired t"
    assert (found.estimate, found.high) == pytest.approx((1.0, 1.0 + 12.7062), rel=1e-5)


def test_the_method_changes_at_eight_blocks() -> None:
    assert paired_interval(np.arange(7.0)).method == "paired t"
    assert paired_interval(np.arange(8.0)).method == "signed rank"


def test_batches_are_of_neighbours() -> None:
    values = np.array([0.0, 1.0, 8.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
    # Of 0, 1 and 8 the averages are 0, 1/2, 1, 4, 9/2 and 8.
    assert batches(values, 4).tolist() == [2.5, 4.0, 6.5, 8.5]
    assert batches(values, 10) is values
    assert batches(values, 5).tolist() == [0.5, 5.5, 4.5, 6.5, 8.5]


def test_many_blocks_have_the_interval_of_their_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    for _ in range(20):
        differences = generator.normal(0.2, size=90)
        whole = paired_interval(differences)
        with monkeypatch.context() as patch:
            patch.setattr("report.statistics.MOST_UNITS", 30)
            joined = paired_interval(differences)
            for null in (-0.1, 0.0, joined.low - 1e-9, joined.high + 1e-9, 0.5):
                rejected = paired_p(differences, null) < 1 - joined.confidence
                assert joined.excludes(null) == rejected
        assert joined.n == whole.n == 90
        assert joined.estimate == pytest.approx(whole.estimate, abs=0.1)
        assert joined.half_width == pytest.approx(whole.half_width, rel=0.35)


def test_too_few_blocks_for_the_confidence_bound_nothing() -> None:
    assert signed_rank_interval(np.arange(5.0)).half_width == math.inf
    assert signed_rank_interval(np.arange(6.0)).half_width == 2.5
    assert signed_rank_interval(np.arange(8.0), 1 - 2 / 2**8).half_width == 3.5
    assert signed_rank_interval(np.arange(8.0), 0.999).half_width == math.inf


@METHODS
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused_by_name(method: Method, wrong: float) -> None:
    with pytest.raises(ValueError, match=f"differences: value 2 is {wrong}, not a finite"):
        method(np.array([1.0, 2.0, wrong]), 0.95)
    with pytest.raises(ValueError, match="differences: value 2"):
        paired_p(np.array([1.0, 2.0, wrong]))


@METHODS
def test_an_effect_needs_a_row_of_values(method: Method) -> None:
    for values in (np.empty(0), np.ones((2, 9))):
        with pytest.raises(ValueError, match="differences: shape"):
            method(values, 0.95)


@METHODS
@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, math.nan])
def test_confidence_is_a_share(method: Method, confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence is"):
        method(np.arange(9.0), confidence)


# 0 of n: 1 - 0.025 ** (1 / n); 8 of 10: any table of exact binomial limits.
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 10, 0.0, 0.30850), (10, 10, 0.69150, 1.0), (8, 10, 0.44390, 0.97479), (0, 1, 0.0, 0.975)],
)
def test_exact_limits_of_rates(successes: int, trials: int, low: float, high: float) -> None:
    found = rate_interval(successes, trials)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-5)
    assert (found.estimate, found.n) == (successes / trials, trials)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 5), (6, 5)])
def test_rates_are_of_trials(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match=r"trials is|successes is"):
        rate_interval(successes, trials)
