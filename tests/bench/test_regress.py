"""Comparing two states: what is planned, in which order it is run, and what bad input is told."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import count, takewhile
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench import code, machine, plan
from bench.code import ROOT
from bench.comparison import COMPARISON, ITSELF, Cell, Round
from bench.contract import Trial
from bench.data import Dataset, open_dataset, save_dataset
from bench.plan import Plan
from bench.records import RECORDS, Record, append_record
from bench.regress import (
    SIDES,
    Budget,
    Side,
    cell_of,
    in_pairs,
    main,
    parser,
    proven,
    second_round,
    shared,
    start,
)
from bench.runner import Task
from tests.bench.test_adding import copy_of_the_project
from tests.bench.test_states import git

ARMS = (("jax", "jit"), ("pytorch", "eager"), ("tensorflow", "graph"))


def tasks(
    make_plan: Callable[..., Plan], make_trial: Callable[..., Trial]
) -> dict[str, list[Task]]:
    """Twelve blocks of both sides; in one cell the head meets itself, too."""
    trials = [
        make_trial(framework=framework, mode=mode, scenario="regression", block=block, steps=2)
        for block in range(12)
        for framework, mode in ARMS
    ]
    itself = [
        replace(trial, label=label)
        for trial in trials
        if trial.framework == "pytorch"
        for label in ITSELF
    ]
    plans = {
        "base": make_plan(run="base", trials=tuple(trials)),
        "head": make_plan(run="head", trials=(*trials, *itself)),
    }
    return {
        side: [
            Task(folder=Path(), plan=planned, position=p, python=Path(), worker=("bench.brief",))
            for p in range(len(planned.trials))
        ]
        for side, planned in plans.items()
    }


def test_pairs_meet_in_blocks_and_in_random_order(
    make_plan: Callable[..., Plan], make_trial: Callable[..., Trial]
) -> None:
    waiting = tasks(make_plan, make_trial)
    pairs = list(in_pairs(waiting, seed=0))
    assert len(pairs) == 36 + 12
    blocks = [pair[0].trial.block for pair in pairs]
    assert blocks == sorted(blocks)
    for one, other in pairs:
        assert one.trial.block == other.trial.block
        assert cell_of(one.trial) == cell_of(other.trial)
        assert {one.trial.label, other.trial.label} in ({""}, set(ITSELF))
    # As often one way as the other in each cell, and not always the same way in its first block.
    first = Counter((cell_of(one.trial), one.trial.label or one.plan.run) for one, _ in pairs)
    assert set(first.values()) == {6}
    drawn = [one.plan.run for one, _ in pairs if one.trial.block % 2 == 0 and not one.trial.label]
    assert set(drawn) == {"base", "head"}
    begun = {tuple(cell_of(one.trial) for one, _ in pairs[b : b + 4]) for b in range(0, 48, 4)}
    assert len(begun) > 1
    assert names(in_pairs(waiting, seed=0)) == names(pairs)
    assert names(in_pairs(waiting, seed=1)) != names(pairs)


def names(pairs: Iterable[Sequence[Task]]) -> list[tuple[str, str]]:
    return [(task.plan.run, task.trial.name) for pair in pairs for task in pair]


@pytest.mark.parametrize(
    ("seconds", "begun"),
    [
        # Of 20 seconds each: no block is begun that would not be done in time,
        (200.0, 10),
        (219.0, 10),
        (220.0, 11),
        # the eighth in any case,
        (1.0, 8),
        # and no more than there are.
        (1_000.0, 12),
    ],
)
def test_a_round_ends_between_blocks_when_its_budget_is_spent(
    make_plan: Callable[..., Plan],
    make_trial: Callable[..., Trial],
    seconds: float,
    begun: int,
) -> None:
    clock = count(100.0, 20.0)
    budget = Budget(first=0, seconds=seconds, now=lambda: next(clock))
    pairs = list(in_pairs(tasks(make_plan, make_trial), seed=0))
    allowed = list(takewhile(budget.allows, pairs))
    assert allowed == pairs[: 4 * begun]
    assert budget.spent == (begun if begun < 12 else None)


def test_what_was_measured_before_a_round_is_resumed_takes_none_of_its_budget(
    make_plan: Callable[..., Plan], make_trial: Callable[..., Trial]
) -> None:
    clock = count(100.0, 20.0)
    budget = Budget(first=12, seconds=100.0, now=lambda: next(clock))
    task = tasks(make_plan, make_trial)["head"][0]
    of_blocks = (
        [replace(task, plan=make_plan(trials=(make_trial(block=block),)))]
        for block in range(18, 24)
    )
    assert len(list(takewhile(budget.allows, of_blocks))) == 5
    assert budget.spent == 23


def test_one_proof_is_of_both_states_where_implementation_and_lock_are_alike(
    tmp_path: Path, make_plan: Callable[..., Plan], make_trial: Callable[..., Trial]
) -> None:
    sides: dict[str, Side] = {}
    for name in ("base", "head"):
        root = tmp_path / name
        for framework, lock in (("jax", "jax==1"), ("keras", f"keras=={len(name) + len(sides)}")):
            folder = root / "impls" / framework
            folder.mkdir(parents=True)
            (folder / "trainer.py").write_text("pass")
            (folder / "requirements.cpu.txt").write_text(lock)
        trials = (make_trial(framework="jax"), make_trial(framework="keras"))
        sides[name] = Side(
            root=root, proof=root, pairs=root, plan=make_plan(run=name, trials=trials)
        )
    assert shared(sides) == {"jax"}
    # Against stored records there is one side, and nothing to share.
    assert shared({"head": sides["head"]}) == set()


@pytest.fixture
def stored(
    tmp_path: Path, make_plan: Callable[..., Plan], make_record: Callable[..., Record]
) -> Callable[..., Path]:
    """A stored run: a plan and its records."""

    def store(**changes: Any) -> Path:
        folder = tmp_path / "stored"
        folder.mkdir()
        planned: Plan = make_plan(**changes)
        plan.save(folder, planned)
        for position, trial in enumerate(planned.trials):
            append_record(folder, make_record(trial=trial, position=position))
        return folder

    return store


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "--base is missing"),
        (["--base", "no-such-branch"], "--base no-such-branch: neither a commit"),
        (["--base", "HEAD", "--pairs", "7"], "--pairs 7: must be 8 at least"),
        (["--base", "HEAD", "--seed", "-1"], "--seed -1: must not be negative"),
        (["--base", "HEAD", "--threshold", "1"], "--threshold: '1': must be above 1, as"),
        (["--base", "HEAD", "--threshold", "nan"], "--threshold: 'nan': must be above 1, as"),
        (["--base", "HEAD", "--threshold", "much"], "--threshold: 'much' is no number"),
        (["--base", "HEAD", "--budget", "0"], "--budget 0: must be minutes, a week at most"),
        (["--base", "HEAD", "--budget", "5%"], "argument --budget: invalid float value: '5%'"),
        (["--base", "HEAD", "--threshold", "-5%"], "argument --threshold: "),
        (["--base", "HEAD", "--framework", "torch"], "unknown framework 'torch'"),
        (["--base", "HEAD", "--mode", "fast"], "unknown mode 'fast'"),
        (["--base", "HEAD", "--workload", "vgg"], "unknown workload 'vgg'"),
        (["--base", "HEAD", "--framework", "jax", "--mode", "scan"], "not on this device"),
        (["--base-lock", "a.txt"], "--base-lock and --head-lock go together"),
        (["--base-lock", "a", "--head-lock", "b", "--base", "HEAD"], "go together"),
        (["--base-lock", "a", "--head-lock", "b"], "a lock is of one environment"),
        (
            ["--base-lock", "a", "--head-lock", "b", "--framework", "jax"],
            "a: no lock can be read there",
        ),
        (
            ["--base-lock", "a", "--head-lock", "b", "--interpreter", "current"],
            "--interpreter current: locks are of environments",
        ),
        (["--resume", "nowhere"], "nowhere holds no comparison"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    tmp_path: Path,
    arguments: list[str],
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FCB_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "out"
    assert main([*arguments, "--device", "cpu", "--out", str(out)]) == 2
    said = capsys.readouterr().err
    errors = [line for line in said.splitlines() if not line.startswith("left out")]
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    assert problem in errors[0]
    assert not out.exists()


def test_a_folder_that_holds_something_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes").touch()
    assert main(["--base", "HEAD", "--out", str(tmp_path)]) == 2
    assert f"--out {tmp_path} exists" in capsys.readouterr().err


def test_a_stored_run_of_another_machine_is_refused(
    tmp_path: Path, stored: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = stored(), tmp_path / "out"
    assert main(["--base", str(run), "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert f"--base {run}: measured on another machine or device (some CPU, no GPU)" in said
    assert not out.exists()


def test_a_stored_run_of_what_no_commit_has_is_refused(
    tmp_path: Path,
    stored: Callable[..., Path],
    make_plan: Callable[..., Plan],
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = stored(code=replace(make_plan().code, dirty=True))
    assert main(["--base", str(run), "--out", str(tmp_path / "out")]) == 2
    assert "measured with changes that no commit has" in capsys.readouterr().err


def test_records_without_a_plan_are_no_run_to_measure_anew(
    tmp_path: Path, stored: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run = stored()
    (run / plan.PLAN).unlink()
    assert main(["--base", str(run), "--out", str(tmp_path / "out")]) == 2
    assert f"{run} holds no run: it has no {plan.PLAN}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_stored_run_is_measured_again_as_it_was(
    tmp_path: Path,
    stored: Callable[..., Path],
    make_trial: Callable[..., Trial],
    data: Dataset,
) -> None:
    """Trial by trial, also where blocks are missing; a second round comes after all of them."""
    prepared = tmp_path / "data"
    prepared.mkdir()
    save_dataset(prepared, data)
    trials = tuple(make_trial(block=block, seed=7 + block) for block in (0, *range(2, 9)))
    run = stored(
        machine=machine.describe(),
        dataset=open_dataset(prepared).info,
        dataset_folder=str(prepared),
        trials=(*trials, make_trial(scenario="inference")),
    )
    out = tmp_path / "out"
    assert start(parser().parse_args(["--base", str(run), "--out", str(out)]), Console()) == out
    comparison = json.loads((out / COMPARISON).read_text())
    assert comparison["kind"] == "stored"
    assert [of["planned"] for of in comparison["rounds"]] == [9]
    assert comparison["base_run"] == str(run)
    head = plan.load(out / "head" / "pairs")
    assert head.trials == trials
    assert head.code.digest == code.digest(ROOT)


def test_a_stored_run_of_few_repeats_is_refused_before_anything_is_measured(
    tmp_path: Path,
    stored: Callable[..., Path],
    make_trial: Callable[..., Trial],
    data: Dataset,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prepared = tmp_path / "data"
    prepared.mkdir()
    save_dataset(prepared, data)
    run = stored(
        machine=machine.describe(),
        dataset=open_dataset(prepared).info,
        dataset_folder=str(prepared),
        trials=tuple(make_trial(block=block) for block in range(3)),
    )
    assert main(["--base", str(run), "--out", str(tmp_path / "out")]) == 2
    assert f"--base {run}: has 3 repeats, and 8 are needed" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_proof_is_of_what_ended_well(
    tmp_path: Path, make_record: Callable[..., Record], make_trial: Callable[..., Trial]
) -> None:
    append_record(
        tmp_path,
        make_record(
            trial=make_trial(scenario="regression"),
            status="error",
            message="RuntimeError: no",
            certificate=None,
            measurement=None,
        ),
    )
    assert proven(tmp_path) == {}


def test_a_second_round_has_three_times_the_pairs_and_meets_itself() -> None:
    """But not where the base is stored records: there are no others of it."""
    cells = (Cell(workload="listing3", framework="jax", mode="jit"),)
    first = Round(first=0, planned=12, pairs=9, cells=cells, itself=())
    measured = second_round(first, cells, "code")
    assert (measured.first, measured.planned, measured.itself) == (12, 36, cells)
    stored = second_round(first, cells, "stored")
    assert (stored.first, stored.planned, stored.itself) == (12, 12, ())


FORWARD = "        logits = self.forward(self.images[batch])\n"
KEPT = "        self.kept = np.ones(2**26, np.uint8)\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project in a commit, with the implementation that needs no environment."""
    project = tmp_path / "project"
    project.mkdir()
    copy_of_the_project(project)
    shutil.copytree(ROOT / "tests/adding/plain", project / "impls/plain")
    (project / ".gitignore").write_text("__pycache__/\nresults/\n")
    git(project, "init", "--quiet", "--initial-branch=main")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message=first")
    return project


def run_in(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A module of the project, as its users run it."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=project,
        env=os.environ | {"FCB_CACHE": str(project.parent / "cache"), "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_planted_is_found_twice_before_it_is_a_failure(project: Path) -> None:
    """A whole comparison, of an implementation that needs no environment: the one of our page.

    Every forward pass is taken twice in the head: half as much time again, which a machine may be
    too busy to tell. And 64 MiB are kept, a quarter more memory at least, which it always can.
    There is no time for the ninth pair of either round, of 9 and of 27.
    """
    trainer = project / "impls/plain/trainer.py"
    text = trainer.read_text(encoding="utf-8")
    assert FORWARD in text
    trainer.write_text(text.replace(FORWARD, 2 * FORWARD + KEPT), encoding="utf-8")

    done = run_in(
        *(project, "bench.regress", "--base", "main", "--out", "results/first"),
        *("--framework", "plain", "--interpreter", "current"),
        *("--pairs", "9", "--budget", "0.001", "--device", "cpu"),
    )
    assert done.returncode == 1, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert "failed, because of listing3 plain loop (" in said
    assert "0.001 minutes (--budget) are spent" in " ".join(done.stderr.split())
    assert "Round 1 has 8 of 9 pairs" in said
    assert "Round 2 has 8 of 27 pairs" in said
    summary = json.loads((project / "results/first/regress.json").read_text())
    assert [of["planned"] for of in summary["rounds"]] == [9, 27]
    outcomes = {row["metric"]: row["outcome"] for row in summary["findings"]}
    assert outcomes["host memory"] == "worse"
    assert outcomes["accuracy"] == "no difference"
    assert outcomes["time per step"] in ("worse", "not confirmed", "undecided")
    records = [
        json.loads(line)
        for line in (project / "results/first/base/pairs" / RECORDS).read_text().splitlines()
    ]
    assert {record["certificate"]["failure"] for record in records} == {""}
    assert len(records) == 16
    for side in SIDES:
        planned = plan.load(project / "results/first" / side / "pairs").trials
        seeds = {trial.block: trial.seed for trial in planned}
        assert seeds == {block: block for block in range(36)}
    # In both rounds the head met itself as well.
    itself = Counter(
        (trial["label"], trial["block"] >= 9)
        for line in (project / "results/first/head/pairs" / RECORDS).read_text().splitlines()
        if (trial := json.loads(line)["trial"])["label"]
    )
    assert itself == {(label, late): 8 for label in ITSELF for late in (False, True)}


def test_a_stored_run_of_training_is_held_against_the_working_tree(project: Path) -> None:
    """As a whole. Its trials earn a certificate each, so no process of their own does."""
    done = run_in(
        *(project, "bench", "--profile", "smoke", "--framework", "plain", "--workload", "listing3"),
        *("--interpreter", "current", "--dataset", "synthetic", "--device", "cpu"),
        *("--repeats", "8", "--train-images", "64", "--test-images", "64"),
        *("--seconds", "0.1", "--out", "results/run"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    asked = ("bench.regress", "--base", "results/run", "--out", "results/compared")
    done = run_in(project, *asked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a weaker comparison" in " ".join(done.stdout.split())
    summary = json.loads((project / "results/compared/regress.json").read_text())
    assert summary["kind"] == "stored"
    outcomes = {row["metric"]: (row["outcome"], row["pairs"]) for row in summary["findings"]}
    assert outcomes["accuracy"] == ("no difference", 8)
    assert outcomes["time per step"][0] in ("no difference", "undecided", "perhaps worse", "better")
    # What was stored may be lost by the time it is judged.
    shutil.rmtree(project / "results/run")
    done = run_in(project, "bench.regress", "--resume", "results/compared")
    assert done.returncode == 2
    (error,) = done.stderr.splitlines()
    assert error.startswith(f"error: {project / 'results/compared'} cannot be judged: ")
    assert "no such folder" in error
