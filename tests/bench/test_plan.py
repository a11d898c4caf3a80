import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import plan
from bench.contract import Trial
from bench.errors import UserError
from bench.records import RECORDS, Record, append_record
from tests.bench.conftest import DATASET, TRIAL

WORKLOADS = ["listing1", "listing3"]
ARMS = [("pytorch", "eager"), ("tensorflow", "graph"), ("keras", "fit"), ("jax", "jit")]


def planned(seed: int = 0, **changes: Any) -> tuple[Trial, ...]:
    profile = replace(plan.profiles()["quick"], **changes)
    return plan.trials(
        ARMS,
        WORKLOADS,
        profile,
        dataset=DATASET,
        device="cpu",
        precision="fp32",
        threads=1,
        seed=seed,
    )


def test_every_block_holds_every_arm_of_every_workload_once() -> None:
    trials = planned()
    assert len(trials) == len({trial.name for trial in trials}) == 24
    blocks = [trial.block for trial in trials]
    assert blocks == sorted(blocks)
    for block in range(3):
        names = [t.workload.name for t in trials if t.block == block]
        assert Counter(names) == dict.fromkeys(WORKLOADS, 4)
        assert names == sorted(names) or names == sorted(names, reverse=True)
        arms = {(t.framework, t.mode, t.workload.name) for t in trials if t.block == block}
        assert len(arms) == 8


def test_an_arms_trials_name_the_mode_its_compilation_is_set_against() -> None:
    trials = plan.trials(
        [("pytorch", "eager"), ("pytorch", "compile")],
        ["listing1"],
        plan.profiles()["quick"],
        dataset=DATASET,
        device="cpu",
        precision="fp32",
        threads=1,
        seed=0,
        plain={("pytorch", "compile"): "eager"},
    )
    assert {(t.mode, t.plain) for t in trials} == {("eager", ""), ("compile", "eager")}


def test_the_seed_decides_the_order_and_blocks_differ() -> None:
    assert planned(seed=1) == planned(seed=1)
    orders = {
        tuple(t.framework for t in planned(seed=s) if t.block == b)
        for s in range(5)
        for b in range(3)
    }
    assert len(orders) > 5
    assert len({orders_of_first[0] for orders_of_first in orders}) == 4


def test_arms_of_a_block_share_a_seed_and_blocks_do_not() -> None:
    seeds = {(trial.block, trial.seed) for trial in planned(seed=10)}
    assert seeds == {(0, 10), (1, 11), (2, 12)}


def test_a_small_data_set_is_used_whole() -> None:
    assert {trial.train_images for trial in planned(train_images=2048)} == {1000}


def test_too_few_images_are_refused_with_the_number_needed() -> None:
    with pytest.raises(UserError, match=r"listing1 needs at least 128 training images, not 127"):
        planned(train_images=127)


def test_epochs_are_the_profiles_or_the_workloads() -> None:
    assert {t.epochs for t in planned()} == {1}
    assert {t.epochs for t in planned(epochs=3)} == {3}
    article = plan.trials(
        ARMS,
        ["listing1"],
        plan.profiles()["article"],
        dataset=DATASET,
        device="cpu",
        precision="bf16",
        threads=1,
        seed=0,
    )
    assert {t.epochs for t in article} == {10}


def test_a_sentinel_is_one_arm_twice_in_every_block() -> None:
    trials = planned(sentinel=True)
    twins = [t for t in trials if t.label]
    assert len(trials) == 30
    assert len({t.name for t in trials}) == 30
    assert {(t.framework, t.mode, t.label) for t in twins} == {("pytorch", "eager", "twin")}
    assert Counter((t.block, t.workload.name) for t in twins) == dict.fromkeys(
        ((block, name) for block in range(3) for name in WORKLOADS), 1
    )
    for twin in twins:
        assert replace(twin, label="") in trials


def test_every_arm_is_asked_every_scenario_and_memory_in_passes_of_one_size() -> None:
    trials = planned(scenarios=("inference", "memory"), repeats=1, sentinel=True)
    assert len({t.name for t in trials}) == len(trials) == 8 * 4
    asked = Counter((t.scenario, t.batch_size) for t in trials)
    assert asked == {("inference", 0): 8, **{("memory", size): 8 for size in plan.BATCH_SIZES}}


def test_pipelines_are_asked_of_every_source_and_size() -> None:
    trials = planned(scenarios=("pipeline",), images=(1280, 2560), repeats=1)
    assert len({t.name for t in trials}) == len(trials) == 8 * 4
    assert Counter((t.source, t.images) for t in trials) == dict.fromkeys(
        (("files", 1280), ("files", 2560), ("array", 1280), ("array", 2560)), 8
    )


def test_pipelines_read_whole_batches() -> None:
    with pytest.raises(UserError, match=r"--images 1000: listing\d reads batches of (64|128);"):
        planned(scenarios=("pipeline",), images=(1000,))


def test_more_blocks_have_the_same_trials_in_orders_and_with_seeds_of_their_own(
    make_plan: Callable[..., plan.Plan],
) -> None:
    first = make_plan(trials=planned(seed=5, repeats=2), seed=5)
    more = plan.extended(first, 2)
    assert more == plan.extended(first, 2)
    assert more.trials[: len(first.trials)] == first.trials
    assert len({t.name for t in more.trials}) == len(more.trials) == 32
    new = more.trials[16:]
    assert [t.block for t in new] == [2] * 8 + [3] * 8
    assert {(t.block, t.seed) for t in new} == {(2, 7), (3, 8)}
    as_first = {replace(t, block=0, seed=5) for t in new}
    assert as_first == {t for t in first.trials if t.block == 0}
    orders = [
        [(t.workload.name, t.framework) for t in more.trials if t.block == b] for b in range(4)
    ]
    assert len({tuple(order) for order in orders}) > 2


def test_a_schedule_is_spread_over_the_steps_that_are_planned() -> None:
    (trial,) = plan.trials(
        ARMS[:1],
        ["resnet20"],
        replace(plan.profiles()["quick"], repeats=1, epochs=4),
        dataset=DATASET,
        device="cpu",
        precision="fp32",
        threads=1,
        seed=0,
    )
    steps = trial.epochs * (trial.train_images // trial.workload.batch_size)
    shares = [round(step / steps, 1) for step, _ in trial.workload.optimizer.schedule]
    assert shares == [0.5, 0.8]


def test_batches_of_another_size_leave_the_schedule_its_shares() -> None:
    own, larger = (
        plan.trials(
            [("pytorch", "eager")],
            ["resnet20"],
            replace(plan.profiles()["article"], repeats=1),
            dataset=DATASET,
            device="cpu",
            precision="fp32",
            threads=1,
            seed=0,
            batch_size=size,
        )[0]
        for size in (None, 100)
    )
    assert (own.workload.batch_size, larger.workload.batch_size) == (128, 100)
    for trial in (own, larger):
        steps = trial.epochs * (trial.train_images // trial.workload.batch_size)
        shares = [round(step / steps, 2) for step, _ in trial.workload.optimizer.schedule]
        assert shares == [0.5, 0.75]


def test_a_plan_is_loaded_as_saved(tmp_path: Path, make_plan: Callable[..., plan.Plan]) -> None:
    saved = make_plan()
    plan.save(tmp_path, saved)
    assert plan.load(tmp_path) == saved
    assert [path.name for path in tmp_path.iterdir()] == [plan.PLAN]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "holds no run"),
        ("{", "is not JSON"),
        ("[]", "cannot be used"),
        ("null", "plans nothing"),
        ('{"schema": 99}', r"newer version of the suite \(schema 99, not 3\)"),
        ('{"schema": 0}', "older version"),
        ('{"schema": 3}', r"cannot be used \(at run\)"),
    ],
)
def test_a_plan_that_cannot_be_used_is_refused(
    tmp_path: Path, content: str | None, problem: str
) -> None:
    if content is not None:
        (tmp_path / plan.PLAN).write_text(content)
    with pytest.raises(UserError, match=problem) as caught:
        plan.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_unknown_fields_are_refused_at_any_depth(
    tmp_path: Path, make_plan: Callable[..., plan.Plan]
) -> None:
    plan.save(tmp_path, make_plan())
    fields = json.loads((tmp_path / plan.PLAN).read_text())
    fields["trials"][0]["workload"]["optimizer"]["adam"] = True
    (tmp_path / plan.PLAN).write_text(json.dumps(fields))
    with pytest.raises(UserError, match="adam"):
        plan.load(tmp_path)


def test_recorded_trials_are_found_and_a_cut_off_line_is_removed(
    tmp_path: Path, make_record: Callable[..., Record]
) -> None:
    assert plan.recorded(tmp_path) == set()
    append_record(tmp_path, make_record())
    whole = (tmp_path / RECORDS).read_bytes()
    (tmp_path / RECORDS).write_bytes(whole + whole[:100])
    assert plan.recorded(tmp_path) == {TRIAL.name}
    assert (tmp_path / RECORDS).read_bytes() == whole


def test_a_line_that_is_no_record_is_named(
    tmp_path: Path, make_record: Callable[..., Record]
) -> None:
    append_record(tmp_path, make_record())
    with (tmp_path / RECORDS).open("a") as file:
        file.write("{}\n")
    with pytest.raises(UserError, match="line 2 is not a record"):
        plan.recorded(tmp_path)
