from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from report.compiling import break_even

SECONDS = st.floats(0.01, 100)
BLOCKS = st.integers(2, 12)


def test_blocks_that_agree_say_it_exactly() -> None:
    found = break_even(np.full(10, 6.0), np.full(10, 0.002))
    assert found.steps == pytest.approx(3000)
    assert (found.low, found.high) == pytest.approx((3000, 3000))


@given(SECONDS, SECONDS, BLOCKS, st.integers(0, 2**32 - 1))
def test_the_interval_holds_the_estimate_and_scales_with_the_seconds(
    extra: float, gain: float, blocks: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    extras = extra * random.uniform(0.5, 1.5, blocks)
    gains = 1e-4 * gain * random.uniform(-0.2, 2, blocks)
    found = break_even(extras, gains)
    assert 0 <= found.low <= found.steps <= found.high
    again = break_even(8 * extras, 8 * gains)
    assert again.steps == pytest.approx(found.steps)
    assert again.high == pytest.approx(found.high)


def test_what_is_not_faster_never_pays() -> None:
    random = np.random.default_rng(0)
    found = break_even(np.full(10, 5.0), -random.uniform(0.001, 0.002, 10))
    assert found.low == found.steps == found.high == inf


def test_where_there_may_be_no_gain_the_interval_has_no_end() -> None:
    random = np.random.default_rng(0)
    found = break_even(np.full(10, 5.0), random.normal(0.001, 0.01, 10))
    assert found.low < inf
    assert found.high == inf


def test_what_costs_nothing_pays_at_once() -> None:
    found = break_even(np.linspace(-1.1, -0.9, 10), np.full(10, 0.001))
    assert (found.low, found.steps, found.high) == (0, 0, 0)


def test_one_block_bounds_nothing() -> None:
    found = break_even(np.array([4.0]), np.array([0.004]))
    assert found.steps == pytest.approx(1000)
    assert (found.low, found.high) == (0, inf)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    held = 0
    for _ in range(300):
        extra = random.normal(3.0, 0.5, 10)
        gain = random.normal(0.003, 0.001, 10)
        found = break_even(extra, gain)
        held += found.low <= 1000 <= found.high
    assert 0.92 <= held / 300 <= 0.995


def test_blocks_are_paired() -> None:
    with pytest.raises(ValueError, match="extra has 2 blocks, gain has 3"):
        break_even(np.ones(2), np.ones(3))
