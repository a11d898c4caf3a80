import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from report.statistics import Summary, summarise


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


@given(st.lists(st.floats(-1e9, 1e9), min_size=1), st.randoms())
def test_order_does_not_matter_and_the_median_is_within(
    values: list[float], random: Random
) -> None:
    summary = summarise(np.array(values))
    assert summary.low <= summary.median <= summary.high
    random.shuffle(values)
    assert summarise(np.array(values)) == summary
