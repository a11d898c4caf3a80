import pytest

from report.claims import CLAIMS
from report.verdicts import Answer, Finding, whole


def finding(answer: Answer, *, primary: bool = True) -> Finding:
    return Finding(condition="one", answer=answer, reason="so it is", primary=primary)


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        (["supported", "supported"], "supported"),
        (["refuted", "refuted"], "refuted"),
        (["supported", "refuted"], "mixed"),
        (["supported", "refuted", "inconclusive", "not tested"], "mixed"),
        (["refuted", "inconclusive"], "refuted"),
        (["refuted", "not tested"], "refuted"),
        (["supported", "inconclusive"], "inconclusive"),
        (["supported", "not tested"], "inconclusive"),
        (["inconclusive", "not tested"], "inconclusive"),
        (["not tested", "not tested"], "not tested"),
    ],
)
def test_a_claim_must_hold_in_every_condition(answers: list[Answer], verdict: str) -> None:
    assert whole([finding(answer) for answer in answers])[0] == verdict


def test_what_stands_beside_does_not_count() -> None:
    findings = [finding("supported"), finding("refuted", primary=False)]
    assert whole(findings) == ("supported", "of 1 primary condition: 1 supported")


def test_how_conditions_came_out_is_counted() -> None:
    answers: list[Answer] = ["refuted", "supported", "refuted", "not tested"]
    counts = "of 4 primary conditions: 1 supported, 2 refuted, 1 not tested"
    assert whole([finding(answer) for answer in answers])[1] == counts


def test_without_conditions_there_is_no_verdict() -> None:
    with pytest.raises(ValueError, match="without primary conditions"):
        whole([finding("supported", primary=False)])


def test_claims_are_found_in_their_order() -> None:
    keys = [claim.key for claim in CLAIMS]
    assert keys == [
        "portability",
        "efficiency",
        "large-data",
        "style",
        "flexible-readable",
        "popularity",
        "listings",
    ]
    assert len({claim.place for claim in CLAIMS}) == len(CLAIMS)
