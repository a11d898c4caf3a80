"""Constructed records, of which it is known what should be said."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from bench.records import Inference, Record
from report.load import load_run
from report.sections import Section, build_sections
from tests.report.conftest import certificate, make_chunks

Builder = Callable[..., Record]
Writer = Callable[..., Path]
SectionsOf = Callable[[Sequence[Record]], Sequence[Section]]

SAME = {"pytorch eager": 1.0, "tensorflow graph": 1.0, "keras fit": 1.0}
"""Steps of an arm, in those of PyTorch."""
FASTER = SAME | {"tensorflow graph": 1 / 1.2, "keras fit": 1 / 1.2}
SLOWER = SAME | {"tensorflow graph": 1.2, "keras fit": 1.2}


@pytest.fixture
def sections_of(write_run: Writer) -> SectionsOf:
    def sections(records: Sequence[Record]) -> Sequence[Section]:
        return build_sections(load_run(write_run(records)))

    return sections


@pytest.fixture
def run(make_blocks: Callable[..., list[Record]]) -> Callable[..., list[Record]]:
    """Blocks of both of the article's networks."""
    return partial(make_blocks, workloads=("listing1", "listing3"))


def verdict(section: Section, claim: str = "efficiency") -> dict[str, object]:
    rows = section["verdicts"].rows
    (row,) = rows[rows["claim"] == claim].to_dict("records")
    return {str(name): value for name, value in row.items()}


def conditions(section: Section) -> pd.DataFrame:
    rows = section["conditions"].rows
    return rows[rows["claim"] == "efficiency"]


def primary(section: Section) -> pd.DataFrame:
    rows = conditions(section)
    return rows[rows["primary"] == "yes"]


@pytest.mark.parametrize(
    ("steps", "expected", "reason"),
    [
        (FASTER, "supported", "lies beyond 5.0%"),
        (SAME, "refuted", "lies within 5.0%"),
        (SLOWER, "refuted", "lies beyond 5.0%"),
    ],
)
def test_a_difference_supports_and_equality_and_the_opposite_refute(
    run: Callable[..., list[Record]],
    sections_of: SectionsOf,
    steps: Mapping[str, float],
    expected: str,
    reason: str,
) -> None:
    (section,) = sections_of(run(steps))
    assert verdict(section)["verdict"] == expected
    rows = primary(section)
    assert len(rows) == 8
    assert rows["verdict"].tolist() == [expected] * 8
    assert rows["reason"].str.contains(reason).all()
    assert not verdict(section)["provisional"]


def test_faster_somewhere_and_slower_elsewhere_is_mixed(
    run: Callable[..., list[Record]], sections_of: SectionsOf
) -> None:
    (section,) = sections_of(run(FASTER | {"keras fit": 1.2}))
    found = verdict(section)
    assert found["verdict"] == "mixed"
    assert found["counts"] == "of 8 primary conditions: 4 supported, 4 refuted"


def test_noise_is_inconclusive_and_says_how_many_minutes_would_help(
    run: Callable[..., list[Record]], sections_of: SectionsOf
) -> None:
    (section,) = sections_of(run(FASTER, noise=0.4, seconds=30.0))
    found = verdict(section)
    assert (found["verdict"], found["provisional"]) == ("inconclusive", False)
    rows = primary(section)
    assert set(rows["verdict"]) == {"inconclusive"}
    # Two processes of half a minute: as many minutes as blocks.
    assert (rows["minutes"] > 12).all()
    assert (rows["minutes"] == rows["minutes"].round()).all()


def test_a_small_difference_that_is_certain_is_no_support(
    run: Callable[..., list[Record]], sections_of: SectionsOf
) -> None:
    """Slower by less than the margin refutes; faster by about the margin decides nothing."""
    (section,) = sections_of(run(SAME | {"tensorflow graph": 1 / 1.05, "keras fit": 1.05}))
    rows = primary(section).set_index("condition")
    faster = rows[rows.index.str.contains("tensorflow")]
    slower = rows[rows.index.str.contains("keras")]
    assert set(faster["verdict"]) == {"inconclusive"}
    assert faster["reason"].str.contains("faster, but whether by more than 5.0% is open").all()
    assert set(slower["verdict"]) == {"refuted"}


def test_a_framework_that_is_missing_is_not_tested(
    run: Callable[..., list[Record]], sections_of: SectionsOf
) -> None:
    (section,) = sections_of(run({k: v for k, v in FASTER.items() if k != "keras fit"}))
    assert verdict(section)["verdict"] == "inconclusive"
    rows = primary(section)
    keras = rows[rows["condition"].str.contains("keras")]
    assert set(keras["verdict"]) == {"not tested"}
    assert set(keras["reason"]) == {"keras fit was not measured", "keras was not measured"}
    assert keras["records"].isna().all()
    assert set(rows["verdict"][~rows.index.isin(keras.index)]) == {"supported"}


def test_without_pytorch_nothing_is_tested(
    run: Callable[..., list[Record]], sections_of: SectionsOf
) -> None:
    (section,) = sections_of(run({k: v for k, v in FASTER.items() if k != "pytorch eager"}))
    assert verdict(section)["verdict"] == "not tested"


def test_what_is_not_certified_does_not_count(
    run: Callable[..., list[Record]], sections_of: SectionsOf
) -> None:
    """Of an arm that is fast because it does something else, nothing is said."""
    records = [
        replace(
            record,
            status="not equivalent",
            certificate=certificate("not equivalent", 1.0),
            measurement=None,
        )
        if record.trial.framework == "tensorflow"
        else record
        for record in run(FASTER)
    ]
    (section,) = sections_of(records)
    rows = primary(section)
    tensorflow = rows[rows["condition"].str.contains("tensorflow")]
    assert set(tensorflow["verdict"]) == {"not tested"}
    assert tensorflow["reason"].str.endswith("counts (not equivalent)").all()
    assert verdict(section)["verdict"] == "inconclusive"


def test_other_data_and_devices_have_verdicts_of_their_own(
    run: Callable[..., list[Record]], sections_of: SectionsOf
) -> None:
    sections = sections_of(
        [
            *run(FASTER),
            *run(SLOWER, dataset="synthetic", digest="b" * 64),
            *run(SAME, device="cuda"),
        ]
    )
    found = {
        (section.identity["dataset"], section.identity["device"]): verdict(section)["verdict"]
        for section in sections
    }
    assert found == {
        ("cifar10", "cpu"): "supported",
        ("synthetic", "cpu"): "refuted",
        ("cifar10", "cuda"): "refuted",
    }


def test_at_its_best_is_the_fastest_mode_of_both(
    run: Callable[..., list[Record]], sections_of: SectionsOf
) -> None:
    """TensorFlow's tutorial mode loses to PyTorch's compiled one, and only to that."""
    steps = FASTER | {"pytorch compile": 1 / 2, "tensorflow xla": 1 / 1.1}
    (section,) = sections_of(run(steps))
    rows = primary(section)
    best = rows[rows["condition"].str.contains("at its best")]
    assert set(best["verdict"]) == {"refuted"}
    assert best["condition"].str.endswith("faster than pytorch compile").all()
    assert "tensorflow graph" in best["condition"].iloc[0]
    taught = rows[rows["condition"].str.contains("as taught")]
    assert set(taught["verdict"]) == {"supported"}
    assert verdict(section)["verdict"] == "mixed"


def test_other_networks_inference_and_jax_stand_beside(
    run: Callable[..., list[Record]], sections_of: SectionsOf
) -> None:
    steps = FASTER | {"jax jit": 2.0}
    inference = [
        replace(
            record,
            trial=replace(record.trial, scenario="inference"),
            measurement=replace(
                record.measurement,
                result=Inference(
                    latencies=(0.001,) * 3,
                    batch_size=256,
                    chunks=make_chunks([SLOWER.get(_arm(record), 1.0)] * 5),
                ),
            ),
        )
        for record in run(SAME, workloads=["listing1"])
        if record.measurement is not None
    ]
    records = [*run(steps), *run(SLOWER, workloads=["rosetta"]), *inference]
    (section,) = sections_of(records)
    assert verdict(section)["verdict"] == "supported"
    rows = conditions(section)
    beside = rows[rows["primary"] == "no"]
    assert set(beside["verdict"][beside["condition"].str.contains("jax")]) >= {"refuted"}
    for part in ("training rosetta", "inference listing1"):
        own = beside[beside["condition"].str.contains(part)]
        claimed = own[~own["condition"].str.contains("jax")]
        assert set(claimed["verdict"]) == {"refuted"}


def _arm(record: Record) -> str:
    return f"{record.trial.framework} {record.trial.mode}"


def test_few_blocks_are_provisional(
    run: Callable[..., list[Record]], sections_of: SectionsOf
) -> None:
    (section,) = sections_of(run(FASTER, number=6, noise=0.001))
    found = verdict(section)
    assert (found["verdict"], found["provisional"]) == ("supported", True)


def test_a_run_that_tells_an_arm_from_itself_decides_nothing(
    run: Callable[..., list[Record]], sections_of: SectionsOf
) -> None:
    (section,) = sections_of(run(FASTER, twin=1.2))
    assert set(primary(section)["verdict"]) == {"inconclusive"}
    assert set(primary(section)["reason"]) == {"the run tells an arm from itself"}


def test_every_number_names_its_records(
    run: Callable[..., list[Record]], sections_of: SectionsOf
) -> None:
    records = run(FASTER)
    (section,) = sections_of(records)
    row = primary(section).iloc[0]
    lines = [int(line) for line in row["records"].split()]
    assert len(lines) == 24
    named = {_arm(records[line - 1]) for line in lines}
    assert named == {"tensorflow graph", "pytorch eager"}
    assert {records[line - 1].trial.workload.name for line in lines} == {"listing1"}
