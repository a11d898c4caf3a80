"""Sessions of tools whose truth is known."""

from collections.abc import Callable
from math import log

import numpy as np
import pytest

from bench.rivals.record import Session, Value
from report.duel import WAYS, rows

BY_NAME = {way.name: way for way in WAYS}


def session(arm: str, processes: list[list[float]], tool: str = "pyperf") -> Session:
    return Session(
        round=0,
        position=0,
        tool=tool,  # type: ignore[arg-type]
        arm=arm,  # type: ignore[arg-type]
        steps=21 if arm == "more" else 20,
        started="2026-11-25T12:00:00+00:00",
        seconds=10.0,
        processes=tuple(tuple(Value(wall=wall) for wall in values) for values in processes),
    )


def test_pyperf_is_a_t_test_of_all_values_together() -> None:
    # pyperf 2.10's is_significant says (True, -3.06...) and (False, -1.22...) of these.
    pyperf = BY_NAME["pyperf"]
    first = session("a", [[1.0, 2.0], [3.0]])
    assert pyperf.differs(first, session("b", [[3.5, 4.5], [5.5]]))
    assert not pyperf.differs(first, session("b", [[2.0, 3.0], [4.0]]))
    assert pyperf.estimate(first, session("b", [[2.0, 4.0], [6.0]])) == pytest.approx(log(2))


def test_pytest_benchmark_compares_one_number_with_another_and_only_to_one_side() -> None:
    first = session("a", [[1.0, 1.0, 4.0], [1.0, 1.0, 1.0]])
    slower = session("b", [[1.2, 1.2, 1.2]])
    mean, median = BY_NAME["pytest-benchmark, mean"], BY_NAME["pytest-benchmark, median"]
    assert mean.estimate(first, slower) == pytest.approx(log(1.2 / 1.5))
    assert median.estimate(first, slower) == pytest.approx(log(1.2))
    assert not mean.differs(first, slower)
    assert median.differs(first, slower)
    assert not median.differs(slower, first)


def test_ours_pairs_processes_by_block() -> None:
    ours = BY_NAME["ours, wall"]
    speeds = np.exp(np.random.default_rng(1).normal(size=10))
    first = session("a", [[s, s] for s in speeds], "ours")
    second = session("b", [[1.1 * s, 1.1 * s] for s in speeds], "ours")
    assert ours.estimate(first, second) == pytest.approx(log(1.1))
    assert ours.differs(first, second)
    assert not ours.differs(first, first)


def test_a_row_for_each_way_with_its_spread_against_ours(
    make_sessions: Callable[..., list[Session]],
) -> None:
    found = {row[0]: row for row in rows(make_sessions(30))}
    assert list(found) == [way.name for way in WAYS]
    assert all(row[1] == "30" for row in found.values())
    assert found["ours, CPU over calibration"][5].startswith("1.00 ")
    assert float(found["pyperf"][5].split()[0]) > 2
    assert found["ours, CPU over calibration"][8].startswith("100.0%")


def test_rounds_that_are_not_whole_are_left_out(
    make_sessions: Callable[..., list[Session]],
) -> None:
    assert [row[1] for row in rows(make_sessions(3)[:-1])] == ["2"] * len(WAYS)
    assert list(rows(make_sessions(1))) == []
