"""Budgets, orders and what is kept; the tools themselves are played."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench import duel
from bench.duel import Duel, measure, pace, sessions
from bench.errors import UserError
from bench.machine import usable_cpus
from bench.rivals.record import RIVALS, Session, Value


class Tools:
    """Answers in the place of the tools, and notes what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.begin = {"ours": 2.5, "pyperf_script": 2.0, "pytest": 3.0}

    def run(self, arguments: Sequence[str], steps: int, _duel: Duel) -> tuple[float, str]:
        name = arguments[1].rpartition(".")[2]
        self.asked.append((name, steps))
        if name == "ours":
            chunks = [{"wall": 0.1, "cpu": 0.05, "calibration": 0.005, "steps": 1}] * 4
            return self.begin[name], json.dumps(chunks)
        if name == "pyperf_script":
            (given,) = (a for a in arguments if a.startswith("--processes="))
            count = int(given.partition("=")[2])
            runs = [{"metadata": {}}, *({"values": [0.1, 0.2, 0.3]} for _ in range(count))]
            text = json.dumps({"benchmarks": [{"runs": runs}]})
            return self.begin[name] * (count + 1), text
        text = json.dumps({"benchmarks": [{"stats": {"data": [0.1, 0.2]}}]})
        return self.begin[name], text


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Tools:
    played = Tools()
    monkeypatch.setattr(duel, "_run", played.run)
    return played


DUEL = Duel(rounds=3, budget=20.0, seed=1, allocator="default", python=Path("python"), cpus=[0])


def test_every_tool_spends_its_budget_and_not_more(tmp_path: Path, tools: Tools) -> None:
    measure(tmp_path, DUEL, lambda _: None)
    found = sessions(tmp_path)
    assert Counter((of.tool, of.arm) for of in found) == {
        (tool, arm): 3 for tool in ("ours", "pyperf", "pytest-benchmark") for arm in duel.ARMS
    }
    for of in found:
        assert 20.0 - 3.0 < of.seconds <= 20.0
    counts = {(of.tool, len(of.processes), len(of.processes[0])) for of in found}
    assert counts == {("ours", 8, 4), ("pyperf", 9, 3), ("pytest-benchmark", 6, 2)}
    assert {of.steps for of in found if of.arm == "more"} == {21}
    assert tools.asked.count(("pyperf_script", 20)) == 1 + 3 * 2  # the pilot


def test_orders_change_from_round_to_round_and_are_the_same_again(
    tmp_path: Path, tools: Tools
) -> None:
    duel_of_many = replace(DUEL, rounds=8)
    measure(tmp_path, duel_of_many, lambda _: None)
    orders = {
        of.round: tuple(s.tool for s in sessions(tmp_path) if s.round == of.round)
        for of in sessions(tmp_path)
    }
    assert len(set(orders.values())) > 2
    before = tools.asked.copy()
    tools.asked.clear()
    again = tmp_path / "again"
    again.mkdir()
    measure(again, duel_of_many, lambda _: None)
    assert tools.asked == before


def test_a_run_goes_on_where_it_was_cut_off(tmp_path: Path, tools: Tools) -> None:
    measure(tmp_path, DUEL, lambda _: None)
    whole = (tmp_path / RIVALS).read_text().splitlines(keepends=True)
    (tmp_path / RIVALS).write_text("".join(whole[:6]) + whole[6][:20])
    tools.asked.clear()
    measure(tmp_path, DUEL, lambda _: None)
    again = sessions(tmp_path)
    assert len(again) == 27
    assert {(of.round, of.tool, of.arm) for of in again} == {
        (number, tool, arm)
        for number in range(3)
        for tool in ("ours", "pyperf", "pytest-benchmark")
        for arm in duel.ARMS
    }


def test_what_is_no_session_is_refused(tmp_path: Path) -> None:
    (tmp_path / RIVALS).write_text('{"round": 0}\n')
    with pytest.raises(UserError, match=r"line 1 is not a session"):
        sessions(tmp_path)


def test_pyperf_has_one_process_more_than_it_has_values_of() -> None:
    session = Session(
        round=0,
        position=0,
        tool="pyperf",
        arm="a",
        steps=20,
        started="",
        seconds=30.0,
        processes=((Value(wall=0.1),),) * 9,
    )
    assert pace(session) == 3.0
    with pytest.raises(ValueError, match="has processes"):
        Session(
            round=0, position=0, tool="ours", arm="a", steps=20, started="", seconds=1, processes=()
        )
    with pytest.raises(ValueError, match="has time"):
        Value(wall=0.0)


REAL = replace(DUEL, rounds=1, budget=1.0, python=Path(sys.executable), cpus=usable_cpus()[-1:])


def test_a_tool_gets_the_steps_its_processor_and_little_else() -> None:
    write = "import json, os, sys; json.dump([dict(os.environ), *os.sched_getaffinity(0)], "
    seconds, text = duel._run(("-c", f"{write} open(sys.argv[1], 'w'))"), 21, REAL)  # noqa: SLF001
    variables, *cpus = json.loads(text)
    assert seconds > 0
    assert cpus == REAL.cpus
    assert variables["FCB_STEPS"] == "21"
    assert variables["OMP_NUM_THREADS"] == "1"
    assert not Path(variables["HOME"]).exists()


def test_a_tool_that_fails_says_why() -> None:
    with pytest.raises(UserError, match=r"failed: no such thing"):
        duel._run(("-c", "raise SystemExit('no such thing')"), 20, REAL)  # noqa: SLF001
