import io
import time
from collections.abc import Callable

import pytest
from rich.console import Console

from bench.contract import Trial
from bench.launch import Outcome
from bench.progress import Job, RunProgress
from tests.bench.conftest import MEASUREMENT


def ok(seconds: float) -> Outcome:
    return Outcome(status="ok", message="", seconds=seconds, measurement=MEASUREMENT)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_time_left_is_what_each_arm_took_and_the_average_for_new_ones(
    make_trial: Callable[..., Trial], clock: list[float]
) -> None:
    trials = [
        make_trial(framework=framework, block=block)
        for block in (0, 1)
        for framework in ("jax", "keras")
    ]
    with RunProgress(Console(file=io.StringIO()), [[Job(trial)] for trial in trials]) as shown:
        shown.begin()
        assert shown.seconds_left() is None
        shown.end([ok(10)])
        shown.begin()
        clock[0] += 4
        assert shown.seconds_left() == (10 - 4) + 10 + 10
        shown.end([ok(40)])
        shown.begin()
        assert shown.seconds_left() == 10 + 40
        clock[0] += 60
        assert shown.seconds_left() == 40


def test_of_what_runs_at_once_the_slower_one_is_waited_for(
    make_trial: Callable[..., Trial], clock: list[float]
) -> None:
    output = io.StringIO()
    turns = [
        [Job(make_trial(framework=framework, block=block), side) for framework, side in both]
        for block, both in enumerate([(("jax", "base"), ("keras", "head"))] * 2)
    ]
    with RunProgress(Console(file=output, width=200), turns) as shown:
        shown.begin()
        shown.end([ok(10), ok(40)])
        shown.begin()
        clock[0] += 5
        assert shown.seconds_left() == 40 - 5
    assert output.getvalue().splitlines() == [
        "1/4 listing3 jax jit, repeat 1 (base): ok, 640 images/s (10 s)",
        "2/4 listing3 keras jit, repeat 1 (head): ok, 640 images/s (40 s)",
    ]


def test_every_finished_trial_has_its_line_even_without_a_terminal(
    make_trial: Callable[..., Trial],
) -> None:
    output = io.StringIO()
    trials = [make_trial(), make_trial(block=1)]
    turns = [[Job(trial)] for trial in trials]
    with RunProgress(Console(file=output, width=200), turns) as shown:
        shown.begin()
        shown.end([ok(10)])
        shown.begin()
        shown.end([Outcome(status="error", message="[red]bad[/red]", seconds=3)])
    assert output.getvalue().splitlines() == [
        "1/2 listing3 jax jit, repeat 1: ok, 640 images/s (10 s)",
        "2/2 listing3 jax jit, repeat 2: error (3 s)",
        "    [red]bad[/red]",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (61.4, "1 min 01 s"), (3600, "1 h 00 min"), (9000, "2 h 30 min")],
)
def test_a_terminal_shows_what_runs_and_the_time_left(
    make_trial: Callable[..., Trial], clock: list[float], seconds: float, text: str
) -> None:
    output = io.StringIO()
    console = Console(file=output, width=120, force_terminal=True, color_system=None)
    trials = [make_trial(), make_trial(block=1)]
    with RunProgress(console, [[Job(trial)] for trial in trials]) as shown:
        shown.begin()
        assert "estimating time left" in output.getvalue()
        shown.end([ok(seconds)])
        shown.begin()
    assert "listing3 jax jit, repeat 2" in output.getvalue()
    assert f"1/2 {text} left" in output.getvalue()
    assert clock == [100.0]
