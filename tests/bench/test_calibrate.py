"""The suite's measurement of itself: what it plans, and what it says to bad input."""

import json
from collections import Counter
from pathlib import Path

import pytest

from bench import calibrate, plan
from bench.calibrate import BESIDE, beside, main, pairs
from bench.contract import Implementation, Mode, Scenario
from bench.scenarios.calibration import PLANTED
from tests.bench.conftest import DATASET


def test_a_block_is_two_trials_that_differ_in_their_label_only() -> None:
    trials = pairs(40, DATASET, seed=3)
    assert len({trial.name for trial in trials}) == 80
    firsts: Counter[str] = Counter()
    for first, second in zip(trials[::2], trials[1::2], strict=True):
        assert {first.label, second.label} == {"a", "b"}
        assert first.block == second.block
        assert first.seed == second.seed
        assert (first.scenario, first.workload) == ("calibration", second.workload)
        firsts[first.label] += 1
    # In random order: a binomial of 40 is within 8..32 but once in ten thousand.
    assert 8 <= firsts["a"] <= 32
    assert trials == pairs(40, DATASET, seed=3)
    assert trials != pairs(40, DATASET, seed=4)


@pytest.mark.parametrize(("scenario", "workloads"), BESIDE.values())
def test_trainers_are_held_against_something_in_every_mode_that_runs_on_a_cpu(
    scenario: Scenario, workloads: tuple[str, ...]
) -> None:
    implementation = Implementation(
        name="some",
        title="Some",
        modules=(),
        distributions=(),
        modes={
            "eager": Mode(about=""),
            "graph": Mode(about=""),
            "gpu": Mode(about="", devices=("cuda",)),
        },
        compiled="graph",
    )
    some = {"some": implementation}
    trials = beside(scenario, workloads, 2, some, DATASET, seed=0, seconds=3.0)
    of = Counter((trial.workload.name, trial.mode) for trial in trials)
    assert of == {(n, m): 2 for n in workloads for m in ("eager", "graph")}
    assert {trial.scenario for trial in trials} == {scenario}
    assert {(trial.threads, trial.seconds) for trial in trials} == {(1, 3.0)}


def test_what_is_planted_is_what_the_issue_names() -> None:
    shares = [planted / counted for counted, planted in PLANTED]
    assert shares == pytest.approx([0, 0.03, 0.05, 0.10], abs=0.004)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--blocks", "-1"], "--blocks -1: must not be negative"),
        (["--budget", "nan"], "--budget nan: must not be negative"),
        (
            ["--blocks", "0", "--overhead-blocks", "0", "--example-blocks", "0"],
            "one of them must be 1 at least",
        ),
        (["--framework", "torch"], "unknown framework 'torch'; there are: jax"),
        (["--blocks", "many"], "invalid int value"),
        (["--resume", "nowhere"], "nowhere holds no run"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert problem in said
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_what_only_glibc_does_is_refused_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    assert main(["--blocks", "1", "--allocator", "keep"]) == 2
    assert "--allocator keep: a setting of glibc" in capsys.readouterr().err


def test_a_folder_in_use_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "something").touch()
    assert main(["--out", str(tmp_path)]) == 2
    assert "exists; name another folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["something"]


def test_a_run_remembers_how_often_the_tools_are_to_be_run(tmp_path: Path) -> None:
    options = calibrate.parser().parse_args(
        [
            *("--blocks", "1", "--overhead-blocks", "0", "--example-blocks", "0"),
            *("--rounds", "7", "--out", str(tmp_path / "run"), "--allocator", "keep"),
        ]
    )
    folder = calibrate.start(options)
    assert json.loads((folder / calibrate.DUEL).read_text()) == {"rounds": 7, "budget": 30.0}
    assert [trial.allocator for trial in plan.load(folder).trials] == ["keep"] * 2
