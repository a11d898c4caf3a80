import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from report.decisions import (
    MARGINS,
    Evidence,
    Guards,
    Margin,
    blocks_needed,
    detectable_effect,
    equivalent,
    holm,
    holm_confidences,
    verdict,
)
from report.statistics import Interval, Method, paired_interval, paired_p

unhurried = settings(deadline=None)

MARGIN = Margin(size=0.05, scale="ratio")
LIMIT = math.log1p(0.05)
LIMITS = st.tuples(st.floats(-4, 4), st.floats(0, 4)).map(lambda pair: (pair[0], sum(pair)))
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12).map(np.array)


def interval(
    low: float,
    high: float,
    *,
    confidence: float = 0.95,
    n: int = 12,
    method: Method = "signed rank",
) -> Interval:
    return Interval(
        estimate=(low + high) / 2, low=low, high=high, confidence=confidence, n=n, method=method
    )


def evidence(low: float, high: float, n: int = 12, method: Method = "signed rank") -> Evidence:
    """Evidence whose interval at 90% is four fifths as wide as that at 95%, in units of MARGIN."""
    middle, half = LIMIT * (low + high) / 2, LIMIT * (high - low) / 2
    return Evidence(
        superiority=interval(middle - half, middle + half, n=n, method=method),
        equivalence=interval(
            middle - 0.8 * half, middle + 0.8 * half, confidence=0.90, n=n, method=method
        ),
    )


def bootstrap(low: float, high: float, n: int = 12) -> Evidence:
    return evidence(low, high, n, "studentised bootstrap")


@pytest.mark.parametrize(
    ("low", "high", "decision", "direction", "reason"),
    [
        (1.1, 3.0, "faster", "faster", "the interval at 95% lies beyond 5.0%"),
        (-3.0, -1.1, "slower", "slower", "the interval at 95% lies beyond 5.0%"),
        (-0.5, 0.5, "equal within the margin", None, "the interval at 90% lies within 5.0%"),
        (0.2, 0.9, "equal within the margin", "faster", "the interval at 90% lies within 5.0%"),
        (-0.9, -0.2, "equal within the margin", "slower", "the interval at 90% lies within 5.0%"),
        (-0.1, 1.05, "equal within the margin", None, "the interval at 90% lies within 5.0%"),
        (0.2, 3.0, "inconclusive", "faster", "faster, but whether by more than 5.0% is open"),
        (-3.0, -0.2, "inconclusive", "slower", "slower, but whether by more than 5.0% is open"),
        (-2.0, 2.0, "inconclusive", None, "neither a difference nor equality within 5.0% is shown"),
        (-1.1, 1.1, "inconclusive", None, "the interval at 95% is wider than 5.0% to each side"),
    ],
)
def test_verdicts(
    low: float, high: float, decision: str, direction: str | None, reason: str
) -> None:
    found = verdict(evidence(low, high), bootstrap(low, high), margin=MARGIN, spread=0.05)
    assert (found.decision, found.direction, found.reason) == (decision, direction, reason)
    assert not found.provisional


@unhurried
@given(LIMITS, LIMITS)
def test_swapped_arms_have_the_mirrored_verdict(
    first: tuple[float, float], second: tuple[float, float]
) -> None:
    mirror = {"faster": "slower", "slower": "faster"}
    one = verdict(evidence(*first), bootstrap(*second), margin=MARGIN, spread=0.05)
    other = verdict(
        evidence(-first[1], -first[0]),
        bootstrap(-second[1], -second[0]),
        margin=MARGIN,
        spread=0.05,
    )
    assert mirror.get(one.decision, one.decision) == other.decision
    assert mirror.get(one.direction or "", one.direction) == other.direction


def test_disagreement_is_no_verdict() -> None:
    found = verdict(evidence(1.1, 3.0), bootstrap(-0.5, 3.0), margin=MARGIN, spread=0.05)
    assert found.decision == "inconclusive"
    assert found.reason == "signed rank says faster, studentised bootstrap says inconclusive"
    assert found.direction is None
    agreeing = verdict(evidence(1.1, 3.0), bootstrap(0.5, 3.0), margin=MARGIN, spread=0.05)
    assert (agreeing.decision, agreeing.direction) == ("inconclusive", "faster")


@pytest.mark.parametrize(("n", "provisional"), [(5, True), (9, True), (10, False)])
def test_few_blocks_make_a_provisional_verdict(n: int, provisional: bool) -> None:
    found = verdict(evidence(1.1, 3.0, n), bootstrap(1.1, 3.0, n), margin=MARGIN, spread=0.05)
    assert (found.decision, found.provisional, found.n) == ("faster", provisional, n)


@pytest.mark.parametrize(
    ("guards", "reason"),
    [
        (Guards(failures=("the fence does not hold",)), "the fence does not hold"),
        (Guards(sentinel=interval(0.001, 0.1)), "the run tells an arm from itself"),
        (Guards(unsteady=0.25), "25% of the processes reached no steady state"),
        (
            Guards(failures=("one arm is missing",), unsteady=0.5),
            "one arm is missing; 50% of the processes reached no steady state",
        ),
    ],
)
def test_a_guard_forbids_every_verdict(guards: Guards, reason: str) -> None:
    found = verdict(
        evidence(1.1, 3.0), bootstrap(1.1, 3.0), margin=MARGIN, spread=0.05, guards=guards
    )
    assert (found.decision, found.direction, found.reason) == ("inconclusive", None, reason)


def test_guards_that_hold_forbid_nothing() -> None:
    guards = Guards(
        sentinel=interval(-0.01, 0.01), sentinel_half_width=LIMIT / 2, unsteady=0.2, failures=()
    )
    for low, high in ((1.1, 3.0), (-0.5, 0.5)):
        arms = evidence(low, high), bootstrap(low, high)
        assert verdict(*arms, margin=MARGIN, spread=0.05, guards=guards) == verdict(
            *arms, margin=MARGIN, spread=0.05
        )


def test_a_run_that_resolves_too_little_proves_no_equality_but_may_prove_a_difference() -> None:
    guards = Guards(sentinel_half_width=math.log(1.03))
    equal = verdict(
        evidence(-0.5, 0.5), bootstrap(-0.5, 0.5), margin=MARGIN, spread=0.05, guards=guards
    )
    assert equal.decision == "inconclusive"
    assert equal.reason == "the run resolves 3.0%, too coarse for a margin of 5.0%"
    faster = verdict(
        evidence(1.1, 3.0), bootstrap(1.1, 3.0), margin=MARGIN, spread=0.05, guards=guards
    )
    assert faster.decision == "faster"


def test_one_block_is_inconclusive_and_plans_nothing() -> None:
    endless = Evidence(
        superiority=Interval(
            estimate=0.5, low=-math.inf, high=math.inf, confidence=0.95, n=1, method="paired t"
        ),
        equivalence=Interval(
            estimate=0.5, low=-math.inf, high=math.inf, confidence=0.90, n=1, method="paired t"
        ),
    )
    found = verdict(endless, endless, margin=MARGIN, spread=None)
    assert (found.decision, found.detectable, found.blocks_needed) == ("inconclusive", None, None)


def test_what_does_not_belong_together_is_refused() -> None:
    with pytest.raises(ValueError, match="primary is of 12 blocks, check of 11"):
        verdict(evidence(0, 1), bootstrap(0, 1, 11), margin=MARGIN, spread=0.1)
    with pytest.raises(ValueError, match="spread is None of 12 blocks"):
        verdict(evidence(0, 1), bootstrap(0, 1), margin=MARGIN, spread=None)
    with pytest.raises(ValueError, match="spread is nan"):
        verdict(evidence(0, 1), bootstrap(0, 1), margin=MARGIN, spread=math.nan)
    good = evidence(0, 1)
    with pytest.raises(ValueError, match="not of one effect"):
        replace(good, equivalence=interval(0, 1, n=9))
    with pytest.raises(ValueError, match=r"superiority is at 0\.9, but needs 0\.95"):
        replace(good, superiority=good.equivalence)
    with pytest.raises(ValueError, match=r"an interval at 0\.8, but 0\.9 is needed"):
        equivalent(interval(0, 1, confidence=0.8), MARGIN)


def test_an_interval_that_touches_the_margin_does_not_exclude_it() -> None:
    assert not equivalent(interval(-0.01, LIMIT, confidence=0.9), MARGIN)
    assert equivalent(interval(-0.01, math.nextafter(LIMIT, 0), confidence=0.9), MARGIN)


@unhurried
@given(
    st.lists(st.integers(-20, 20), min_size=8, max_size=20),
    st.floats(0.5, 15).map(lambda size: size + 1 / 3),
)
def test_the_interval_decides_equivalence_as_two_one_sided_tests_do(
    numbers: list[int], size: float
) -> None:
    differences = np.array(numbers, dtype=np.float64)
    margin = Margin(size=size, scale="difference")
    found = paired_interval(differences, 0.90)
    # One-sided p values are half of the two-sided ones, on the margin's inner side.
    inside = -size < found.estimate < size
    tests = all(paired_p(differences, null) / 2 <= 0.05 for null in (-size, size))
    assert equivalent(found, margin) == (inside and tests)


def test_margins_are_those_declared() -> None:
    assert {key: (m.size, m.scale) for key, m in MARGINS.items() if key[1] == "cpu"} == {
        ("speed", "cpu"): (0.05, "ratio"),
        ("memory", "cpu"): (0.05, "ratio"),
        ("energy", "cpu"): (0.10, "ratio"),
        ("accuracy", "cpu"): (0.005, "difference"),
    }
    assert MARGINS["speed", "cuda"].limit == pytest.approx(math.log(1.03))
    assert MARGINS["accuracy", "cuda"].limit == 0.005
    assert MARGINS["speed", "cpu"].show(LIMIT) == "5.0%"
    assert MARGINS["accuracy", "cpu"].show(0.005) == "0.50 points"
    with pytest.raises(ValueError, match="a margin is 0"):
        Margin(size=0.0, scale="ratio")


def test_the_detectable_effect_and_the_blocks_needed() -> None:
    # t(0.975, 9) = 2.2622, t(0.80, 9) = 0.8834; z: 1.9600, 1.2816.
    assert detectable_effect(0.1, 10) == pytest.approx(
        (2.2622 + 0.8834) * 0.1 / math.sqrt(10), 1e-4
    )
    assert blocks_needed(0.1, MARGIN) == math.ceil((3.2415 * 0.1 / LIMIT) ** 2) == 45
    assert detectable_effect(0.0, 10) == 0.0
    assert blocks_needed(0.0, MARGIN) == 2
    with pytest.raises(ValueError, match="n is 1"):
        detectable_effect(0.1, 1)
    with pytest.raises(ValueError, match=r"spread is -0\.1"):
        blocks_needed(-0.1, MARGIN)


def test_an_inconclusive_verdict_says_what_is_missing() -> None:
    found = verdict(evidence(-2, 2), bootstrap(-2, 2), margin=MARGIN, spread=0.1)
    assert found.detectable == pytest.approx(detectable_effect(0.1, 12))
    assert found.blocks_needed == 45


def test_holm_by_hand() -> None:
    # Sorted 0.01, 0.02, 0.03, 0.04: times 4, 3, 2, 1, and none below the one before.
    assert holm(np.array([0.04, 0.01, 0.03, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]
    assert holm(np.empty(0)).tolist() == []


@unhurried
@given(P_VALUES)
def test_holm_is_between_the_raw_p_and_bonferroni_and_keeps_the_order(
    p: NDArray[np.float64],
) -> None:
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(1, p * len(p))).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()


@unhurried
@given(P_VALUES, st.data())
def test_holm_does_not_mind_the_order(p: NDArray[np.float64], data: st.DataObject) -> None:
    places = data.draw(st.permutations(range(len(p))))
    assert holm(p[places]).tolist() == holm(p)[places].tolist()


@unhurried
@given(st.lists(st.floats(-1, 4), min_size=1, max_size=8), st.integers(0, 2**32 - 1))
def test_an_interval_at_holms_confidence_decides_as_holm(effects: list[float], seed: int) -> None:
    claims = np.random.default_rng(seed).normal(size=(len(effects), 12)) + np.array([effects]).T
    p = np.array([paired_p(claim) for claim in claims])
    rejected = holm(p) <= 0.05
    confidences = holm_confidences(p)
    assert (confidences >= 0.95 - 1e-12).all()
    for claim, confidence, expected in zip(claims, confidences, rejected, strict=True):
        assert paired_interval(claim, float(confidence)).excludes(0.0) == expected


@pytest.mark.parametrize("wrong", [math.nan, -0.1, 1.1])
def test_a_p_value_is_a_probability(wrong: float) -> None:
    for correct in (holm, holm_confidences):
        with pytest.raises(ValueError, match=f"p value 1 is {wrong}"):
            correct(np.array([0.5, wrong]))


def test_a_level_is_between_none_and_all() -> None:
    with pytest.raises(ValueError, match="level is 1"):
        holm_confidences(np.array([0.5]), 1.0)
