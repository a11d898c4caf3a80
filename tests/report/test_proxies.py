import pytest

from report.proxies import LINES, PROXIES, compare


@pytest.mark.parametrize(
    ("own", "other", "found"),
    [
        (80, 100, "better"),
        (92, 100, "equal"),
        (100, 100, "equal"),
        (109, 100, "equal"),
        (120, 100, "worse"),
        (0, 1, "better"),
        (0, 0, "equal"),
    ],
)
def test_less_by_more_than_a_tenth_is_better(own: float, other: float, found: str) -> None:
    assert compare(LINES, own, other) == (found, f"{own} against {other}")


def test_who_is_better_is_worse_the_other_way_round() -> None:
    for own in range(1, 40):
        for other in range(1, 40):
            pair = {compare(LINES, own, other)[0], compare(LINES, other, own)[0]}
            assert pair in ({"equal"}, {"better", "worse"})


def test_proxies_have_keys_of_their_own() -> None:
    assert len({proxy.key for proxy in PROXIES}) == len(PROXIES)
