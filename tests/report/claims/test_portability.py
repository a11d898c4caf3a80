from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest

from bench.records import Record, Status
from report.load import load_run
from report.sections import build_sections

Builder = Callable[..., Record]
Writer = Callable[..., Path]
ConditionsOf = Callable[[Sequence[Record]], pd.DataFrame]


@pytest.fixture
def conditions_of(write_run: Writer) -> ConditionsOf:
    def conditions(records: Sequence[Record]) -> pd.DataFrame:
        (section,) = build_sections(load_run(write_run(records)))
        rows = section["conditions"].rows
        cuda = rows["condition"].str.endswith("needs CUDA")
        return rows[(rows["claim"] == "portability") & cuda].set_index("condition")

    return conditions


def test_training_without_cuda_refutes_that_it_is_needed(
    make_record: Builder, conditions_of: ConditionsOf
) -> None:
    rows = conditions_of([make_record(), make_record(framework="keras", mode="fit-jax")])
    assert rows["verdict"].to_dict() == {
        "pytorch needs CUDA": "refuted",
        "keras needs CUDA": "refuted",
        "tensorflow needs CUDA": "not tested",
        "jax needs CUDA": "not tested",
    }
    assert rows["primary"].tolist() == ["yes", "yes", "no", "no"]
    assert rows["records"].tolist()[:2] == ["1", "2"]
    assert rows["reason"].iloc[1].endswith("no CUDA device to be seen (fit-jax)")


@pytest.mark.parametrize("status", ["not equivalent", "error", "timeout"])
def test_what_did_not_end_well_shows_nothing(
    make_record: Builder, conditions_of: ConditionsOf, status: Status
) -> None:
    """That our code fails somewhere does not say that a framework needs CUDA."""
    rows = conditions_of([make_record(status=status)])
    assert rows["verdict"].iloc[0] == "inconclusive"
    assert status in rows["reason"].iloc[0]


def test_a_run_on_cuda_does_not_test_it(make_record: Builder, conditions_of: ConditionsOf) -> None:
    rows = conditions_of([make_record(device="cuda")])
    assert set(rows["verdict"]) == {"not tested"}


def test_inference_is_no_training(make_record: Builder, conditions_of: ConditionsOf) -> None:
    assert set(conditions_of([make_record(scenario="inference")])["verdict"]) == {"not tested"}
