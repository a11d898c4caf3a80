import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench import plan
from bench.__main__ import parser
from bench.contract import TWIN
from bench.environments import frameworks
from bench.records import Record
from bench.workloads import WORKLOADS
from report.load import load_run, load_runs
from report.sections import build_sections

Builder = Callable[..., Record]
Writer = Callable[..., Path]
AgainOf = Callable[[Sequence[Record]], list[str]]

USUAL = [(name, mode) for name, of in frameworks().items() for mode in of.usual()]
"""As the implementations have it; the report, that knows none of them, has it anew."""


@pytest.fixture
def again_of(write_run: Writer) -> AgainOf:
    """Words of the command, without the checkout."""

    def again(records: Sequence[Record]) -> list[str]:
        (section,) = build_sections(load_run(write_run(records)))
        checkout, _, said = section.again.partition(" && ")
        assert checkout == "git checkout 0123456789ab"
        return shlex.split(said)

    return again


@pytest.fixture
def quick(make_record: Builder) -> list[Record]:
    """As the profile has it, on generated images and one thread of a CPU."""
    profile = plan.profiles()["quick"]
    return [
        measured(
            make_record(
                framework=framework,
                mode=mode,
                workload=workload,
                block=block,
                inputs=f"{workload} {block}",
                dataset="synthetic",
                train_images=profile.train_images,
                epoch_seconds=(1.0,),
            ),
            test_images=profile.test_images,
            seconds=profile.seconds,
        )
        for block in range(profile.repeats)
        for workload in profile.workloads
        for framework, mode in USUAL
    ]


def measured(record: Record, **fields: object) -> Record:
    return replace(record, trial=replace(record.trial, **fields))  # type: ignore[arg-type]


def test_a_profile_as_it_is_needs_no_numbers(quick: list[Record], again_of: AgainOf) -> None:
    assert again_of(quick) == [
        *("nox", "-s", "bench", "--", "--profile", "quick"),
        *("--dataset", "synthetic", "--device", "cpu", "--threads", "1"),
    ]


def test_what_is_not_the_profiles_is_said(quick: list[Record], again_of: AgainOf) -> None:
    records = [
        measured(record, seed=record.trial.seed + 7, allocator="keep", train_images=384)
        for record in quick
        if record.trial.framework != "jax" and record.trial.workload.name == "listing3"
    ]
    words = again_of(records)
    options = parser().parse_args(words[4:])
    assert (options.seed, options.allocator, options.train_images) == (7, "keep", 384)
    assert options.workload == ["listing3"]
    assert options.framework == ["keras", "pytorch", "tensorflow"]
    assert options.mode is None


def test_modes_beyond_the_usual_are_named(quick: list[Record], again_of: AgainOf) -> None:
    more = [
        measured(record, mode="channels-last") for record in quick if record.trial.mode == "compile"
    ]
    options = parser().parse_args(again_of([*quick, *more])[4:])
    assert options.mode == ["channels-last", "compile", "eager", "fit", "graph", "jit", "xla"]


def test_modes_in_the_place_of_the_usual_are_named(quick: list[Record], again_of: AgainOf) -> None:
    """Though each framework has as many."""
    others = {"compile": "channels-last", "xla": "eager"}
    records = [
        measured(record, mode=others.get(record.trial.mode, record.trial.mode)) for record in quick
    ]
    options = parser().parse_args(again_of(records)[4:])
    assert options.mode == ["channels-last", "eager", "fit", "graph", "jit"]


def test_modes_as_taught_are_those_of_a_profile(quick: list[Record], again_of: AgainOf) -> None:
    """To name PyTorch's would be to name TensorFlow's of that name, too."""
    taught = [record for record in quick if record.trial.mode not in {"compile", "xla"}]
    options = parser().parse_args(again_of(taught)[4:])
    assert options.mode is None
    assert plan.profiles()[options.profile].modes == "taught"
    assert options.scenario == ["training"]


def test_a_twin_is_no_mode_but_of_a_profile_with_a_sentinel(
    quick: list[Record], again_of: AgainOf
) -> None:
    twins = [measured(record, label=TWIN) for record in quick if record.trial.mode == "eager"]
    options = parser().parse_args(again_of([*quick, *twins])[4:])
    assert plan.profiles()[options.profile].sentinel
    assert options.mode == ["compile", "eager", "fit", "graph", "jit", "xla"]


def test_batches_of_another_size_are_said(quick: list[Record], again_of: AgainOf) -> None:
    """Even if it is the first workload's own."""
    size = WORKLOADS["listing1"].batch_size

    def batched(record: Record) -> Record:
        trial = record.trial
        return replace(
            record, trial=replace(trial, workload=replace(trial.workload, batch_size=size))
        )

    words = again_of([batched(record) for record in quick])
    assert words[words.index("--batch-size") + 1] == str(size)
    assert parser().parse_args(words[words.index("--") + 1 :]).batch_size == size


def test_images_of_ones_own_are_a_path(quick: list[Record], again_of: AgainOf) -> None:
    records = [replace(r, dataset=replace(r.dataset, name="cifar10-jpeg")) for r in quick]
    words = again_of(records)
    assert words[words.index("--dataset") + 1] == "PATH"


def test_runs_of_other_things_are_commands_of_their_own(
    quick: list[Record], write_run: Writer
) -> None:
    """Together they would measure each thing as often as all of them did."""
    longer = [
        replace(measured(record, seconds=4.0), run="longer")
        for record in quick
        if record.trial.block == 0
    ]
    runs = [write_run(records, name=name) for name, records in (("a", quick), ("b", longer))]

    def again(folders: Sequence[Path]) -> list[str]:
        (section,) = build_sections(load_runs(folders))
        return section.again.split(" && ")

    (checkout, first), (_, second) = again(runs[:1]), again(runs[1:])
    assert second != first
    assert again(runs) == [checkout, first, second]


def test_changed_code_cannot_be_checked_out(quick: list[Record], write_run: Writer) -> None:
    records = [replace(record, code=replace(record.code, dirty=True)) for record in quick]
    (section,) = build_sections(load_run(write_run(records)))
    assert section.again.startswith("nox -s bench")
