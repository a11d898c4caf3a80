import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from report.covariates import (
    BUSY_LEAST,
    BUSY_MOST,
    DISTURBANCE,
    STEAL_LIMIT,
    SWITCHES_LIMIT,
    Calibration,
    Covariates,
    discarded,
    judge_calibration,
)

unhurried = settings(deadline=None)

RATES = st.none() | st.floats(0, 1e4)
SHARES = st.none() | st.floats(0, 1)


@pytest.mark.parametrize(
    ("covariates", "reason"),
    [
        (Covariates(), ""),
        (Covariates(steal=0.0, switches=3.0, busy=0.98), ""),
        (Covariates(steal=0.11), "the host took 11% of the time, more than 10%"),
        (Covariates(busy=1.4), "used 1.40 CPU seconds a second and thread, so it was not bound"),
        (
            Covariates(steal=0.0, switches=127.2, busy=0.47),
            "was pushed off its processors 127 times a second and thread, and had 47% of them",
        ),
        # Half idle by itself, as one that waits for a GPU: nobody pushed it off.
        (Covariates(switches=2.0, busy=0.3), ""),
        # More threads than processors take turns, and lose nothing to others.
        (Covariates(switches=900.0, busy=1.0), ""),
        (Covariates(switches=900.0), ""),
        (Covariates(busy=0.2), ""),
    ],
)
def test_a_trial_is_discarded_for_what_the_machine_did(covariates: Covariates, reason: str) -> None:
    assert discarded(covariates) == reason


def test_a_value_at_its_limit_is_within_it() -> None:
    assert not discarded(Covariates(steal=STEAL_LIMIT, switches=SWITCHES_LIMIT, busy=BUSY_MOST))
    assert not discarded(Covariates(steal=STEAL_LIMIT, switches=1e4, busy=BUSY_LEAST))
    assert not discarded(Covariates(switches=SWITCHES_LIMIT, busy=0.0))


@pytest.mark.parametrize("share", [0.101, 0.104])
def test_a_reason_never_contradicts_itself_by_rounding(share: float) -> None:
    assert "took 10.1% " in discarded(Covariates(steal=0.101))
    assert "more than 10%" in discarded(Covariates(steal=share))


@given(SHARES, RATES, SHARES, st.floats(0, 1), st.floats(0, 1e4))
def test_more_stolen_or_more_switches_never_save_a_trial(
    steal: float | None,
    switches: float | None,
    busy: float | None,
    more_steal: float,
    more_switches: float,
) -> None:
    before = Covariates(steal=steal, switches=switches, busy=busy)
    after = Covariates(
        steal=min(1.0, (steal or 0.0) + more_steal),
        switches=(switches or 0.0) + more_switches,
        busy=busy,
    )
    assert discarded(after) or not discarded(before)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"steal": 1.5}, "steal is 1.5, but a share is 1 at most"),
        ({"steal": -0.1}, "steal is -0.1"),
        ({"switches": math.nan}, "switches is nan"),
        ({"busy": math.inf}, "busy is inf"),
    ],
)
def test_covariates_that_make_no_sense_do_not_exist(
    values: dict[str, float], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        Covariates(**values)


@pytest.mark.parametrize(
    ("log_ratios", "expected"),
    [
        ([0.0], "not known"),
        ([0.5], "not known"),
        # Paired t below eight blocks.
        ([0.001, -0.001, 0.002, 0.0], "undisturbed"),
        ([0.04, -0.03, 0.01], "not known"),
        ([0.05, 0.06, 0.05, 0.06], "disturbed"),
        # A difference that is certain and small is none.
        ([0.004, 0.005, 0.006] * 4, "undisturbed"),
        # Certain, but around the limit.
        ([0.018, 0.024, 0.028] * 3, "not known"),
        ([0.04, 0.05, 0.06] * 4, "disturbed"),
        ([-0.3, 0.3] * 5, "not known"),
    ],
)
def test_a_calibration_is_used_if_shown_to_be_left_alone(
    log_ratios: list[float], expected: Calibration
) -> None:
    ratios = np.array(log_ratios)
    assert judge_calibration(ratios) == expected


@unhurried
@given(st.lists(st.floats(-0.1, 0.1), min_size=1, max_size=20))
def test_swapping_the_arms_changes_nothing(log_ratios: list[float]) -> None:
    ratios = np.array(log_ratios)
    assert judge_calibration(ratios) == judge_calibration(-ratios)


@pytest.mark.parametrize(
    ("spread", "blocks", "at_least"), [(0.02, 10, 0.9), (0.05, 60, 0.9), (0.01, 8, 0.9)]
)
def test_calibrations_left_alone_are_used_given_enough_blocks(
    spread: float, blocks: int, at_least: float
) -> None:
    generator = np.random.default_rng(1)
    rows = spread * generator.normal(size=(200, blocks))
    assert np.mean([judge_calibration(row) == "undisturbed" for row in rows]) >= at_least


@pytest.mark.parametrize("blocks", [4, 8, 12, 30])
@pytest.mark.parametrize("spread", [0.003, 0.02, 0.1])
def test_disturbed_calibrations_are_rarely_used(spread: float, blocks: int) -> None:
    generator = np.random.default_rng(2)
    rows = DISTURBANCE.limit + spread * generator.normal(size=(300, blocks))
    # One-sided at 5%, which leaves room for chance: 8% of 300 are 2.4 standard errors above.
    assert np.mean([judge_calibration(row) == "undisturbed" for row in rows]) <= 0.08


@pytest.mark.parametrize("log_ratios", [[], [0.0, math.nan], [math.inf]])
def test_ratios_that_are_none_are_refused(log_ratios: list[float]) -> None:
    with pytest.raises(ValueError, match="differences: "):
        judge_calibration(np.array(log_ratios, dtype=np.float64))
