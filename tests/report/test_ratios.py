from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.contract import TWIN
from bench.records import Record
from report.load import load_run
from report.material import Material
from report.processes import find_processes
from report.ratios import (
    COLUMNS,
    SENTINEL_COLUMNS,
    families,
    sentinel_ratios,
    speed_ratios,
)
from tests.report.conftest import make_chunks

Builder = Callable[..., Record]
Writer = Callable[..., Path]
Ratios = Callable[[Sequence[Record]], pd.DataFrame]


def material(folder: Path) -> Material:
    """All trials of a run, which may be compared."""
    run = load_run(folder)
    return Material(
        device=run.trials["device"].iloc[0],
        trials=run.trials,
        counted=run.trials,
        processes=find_processes(run),
    )


@pytest.fixture
def ratios_of(write_run: Writer) -> Ratios:
    names = count()

    def ratios(records: Sequence[Record]) -> pd.DataFrame:
        of = material(write_run(records, name=f"run {next(names)}"))
        return speed_ratios(families(of), of.device)

    return ratios


@pytest.fixture
def sentinels_of(write_run: Writer) -> Ratios:
    def ratios(records: Sequence[Record]) -> pd.DataFrame:
        return sentinel_ratios(material(write_run(records, name="sentinel")))

    return ratios


ARMS = (("jax", "jit", ""), ("pytorch", "eager", ""))
TWINS = (*ARMS, ("pytorch", "eager", TWIN))


def blocks(
    make_record: Builder,
    number: int,
    factor: float,
    noise: float = 0.01,
    *,
    arms: Sequence[tuple[str, str, str]] = ARMS,
    wall_noise: float = 0.0,
    disturbance: float = 1.0,
    twin: float = 1.0,
    **fields: object,
) -> list[Record]:
    """JAX, and PyTorch's eager mode, which takes ``factor`` times as long, in each block.

    The machine is another one in every block; within a block times scatter by ``noise``. Wall time,
    but not CPU time, scatters by ``wall_noise`` from process to process. JAX makes its calibration
    take ``disturbance`` times as long, and a twin takes ``twin`` times as long as its other half.
    """
    random = np.random.default_rng(0)
    records: list[Record] = []
    for block in range(number):
        machine = random.uniform(1, 3)
        for framework, mode, label in arms:
            jitter = random.uniform(1 - noise, 1 + noise, 12)
            seconds = machine * (twin if label else 1) * (factor if framework != "jax" else 1)
            waiting = 1 + wall_noise * random.uniform(0, 1)
            kernel = 0.005 * machine * random.uniform(0.8, 1.2)
            disturbed = disturbance if framework == "jax" else 1
            records.append(
                make_record(
                    framework=framework,
                    mode=mode,
                    label=label,
                    block=block,
                    position=len(records),
                    inputs=str(block),
                    chunks=make_chunks(
                        (waiting * seconds * jitter).tolist(),
                        busy=1 / waiting,
                        calibration=float(kernel * disturbed),
                    ),
                    calibration=float(kernel),
                    **fields,
                )
            )
    return records


def test_a_true_ratio_is_found_whatever_the_machine_does(
    make_record: Builder, ratios_of: Ratios
) -> None:
    rows = ratios_of(blocks(make_record, 12, 1.3))
    assert rows[["framework", "mode", "against"]].to_numpy().tolist() == [
        ["jax", "jit", "pytorch eager"]
    ]
    assert rows["blocks"].item() == 12
    assert rows["ratio_low"].item() < 1.3 < rows["ratio_high"].item()
    assert rows["ratio_high"].item() - rows["ratio_low"].item() < 0.03
    assert rows["verdict"].item() == "faster"
    assert rows["by"].item() == "wall"
    assert rows["normalised_low"].item() < 1.3 < rows["normalised_high"].item()


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "equal within the margin"), (0.7, "slower")])
def test_equality_and_the_opposite_are_found_too(
    make_record: Builder, ratios_of: Ratios, factor: float, verdict: str
) -> None:
    assert ratios_of(blocks(make_record, 12, factor))["verdict"].tolist() == [verdict]


def test_noise_is_no_difference_and_says_how_many_blocks_it_would_take(
    make_record: Builder, ratios_of: Ratios
) -> None:
    rows = ratios_of(blocks(make_record, 10, 1.05, noise=0.9))
    assert rows["verdict"].tolist() == ["inconclusive"]
    assert rows["blocks_needed"].item() > 10
    assert rows["detectable"].item() > 0.05


def test_one_block_has_no_interval(make_record: Builder, ratios_of: Ratios) -> None:
    rows = ratios_of(blocks(make_record, 1, 2.0))
    assert rows["ratio"].item() == pytest.approx(2.0, rel=0.02)
    assert (rows["ratio_low"].item(), rows["ratio_high"].item()) == (0, np.inf)
    assert rows["verdict"].tolist() == ["inconclusive"]
    assert rows["blocks_needed"].isna().all()


def test_only_blocks_that_hold_both_arms_are_compared(
    make_record: Builder, ratios_of: Ratios
) -> None:
    records = blocks(make_record, 4, 1.0)
    kept = [r for r in records if (r.trial.block, r.trial.framework) != (2, "pytorch")]
    assert ratios_of(kept)["blocks"].tolist() == [3]


def test_without_the_usual_arm_the_first_by_name_is_held_against(
    full_records: list[Record], ratios_of: Ratios
) -> None:
    rows = ratios_of([r for r in full_records if r.trial.mode != "eager"])
    assert set(rows["against"]) == {"jax jit"}
    assert list(rows.columns) == list(COLUMNS)


def test_one_arm_alone_has_no_ratio(full_records: list[Record], ratios_of: Ratios) -> None:
    assert len(ratios_of([r for r in full_records if r.trial.framework == "keras"])) == 0


def test_cpu_time_decides_where_wall_time_cannot(make_record: Builder, ratios_of: Ratios) -> None:
    (row,) = ratios_of(blocks(make_record, 12, 1.2, wall_noise=0.9)).to_dict("records")
    assert row["ratio_low"] < 1.05 < row["ratio_high"]
    assert (row["verdict"], row["by"]) == ("faster", "CPU time over calibration")
    assert row["normalised_low"] < 1.2 < row["normalised_high"]
    assert row["calibration"] == "undisturbed"


@pytest.mark.parametrize(
    ("given", "calibration"),
    [
        ({"disturbance": 1.05}, "disturbed"),
        ({"threads": 2}, "several threads"),
        ({"device": "cuda"}, np.nan),
    ],
)
def test_cpu_time_decides_nothing_where_it_says_something_else(
    make_record: Builder, ratios_of: Ratios, given: dict[str, object], calibration: object
) -> None:
    (row,) = ratios_of(
        blocks(make_record, 12, 1.2, wall_noise=0.9, **given)  # type: ignore[arg-type]
    ).to_dict("records")
    assert (row["verdict"], row["by"]) == ("inconclusive", "wall")
    assert row["calibration"] == calibration or pd.isna(row["calibration"])
    assert np.isnan(row["normalised"]) == (given.get("device") == "cuda")


def test_cpu_time_that_contradicts_wall_time_decides_nothing(
    make_record: Builder, ratios_of: Ratios
) -> None:
    """An arm that waits is slow, however little it computes."""
    random = np.random.default_rng(0)
    records = []
    for block in range(12):
        for framework, mode, busy in (("jax", "jit", 0.5), ("pytorch", "eager", 1.0)):
            seconds = random.uniform(0.9, 1.1) * random.uniform(0.97, 1.03, 12)
            chunks = make_chunks(seconds.tolist(), busy=busy)
            records.append(make_record(framework=framework, mode=mode, block=block, chunks=chunks))
    (row,) = ratios_of(records).to_dict("records")
    assert row["normalised_low"] > 1.5
    assert (row["verdict"], row["by"]) == ("inconclusive", "wall")
    assert "beyond that of wall" in row["reason"]


def test_no_cpu_time_is_no_normalised_ratio(make_record: Builder, ratios_of: Ratios) -> None:
    records = [
        make_record(framework=framework, mode=mode, chunks=make_chunks([1.0] * 10, busy=0.0))
        for framework, mode in (("jax", "jit"), ("pytorch", "eager"))
    ]
    assert ratios_of(records)["normalised"].isna().all()


def test_more_claims_ask_for_more_confidence(make_record: Builder, ratios_of: Ratios) -> None:
    """A claim that holds alone at 95% need not hold as one of three."""
    alone = blocks(make_record, 10, 1.2)
    several = (*ARMS, ("keras", "fit", ""), ("tensorflow", "graph", ""))
    together = blocks(make_record, 10, 1.2, arms=several)
    assert "at 95%" in ratios_of(alone)["reason"].item()
    rows = ratios_of(together)
    assert len(rows) == 3
    assert "at 98.33%" in rows["reason"][0]


def test_an_unsteady_arm_has_no_verdict(make_record: Builder, ratios_of: Ratios) -> None:
    records = blocks(make_record, 12, 2.0)
    restless = make_chunks([1.0] * 10 + [2.0] * 10 + [1.0] * 5 + [2.0] * 5)
    for place, record in enumerate(records):
        if record.trial.framework == "jax" and record.trial.block < 6:
            records[place] = replace(record, measurement=make_record(chunks=restless).measurement)
    (row,) = ratios_of(records).to_dict("records")
    assert row["verdict"] == "inconclusive"
    assert row["reason"] == "25% of the processes reached no steady state"


def test_what_compiles_until_the_end_has_no_speed(make_record: Builder, ratios_of: Ratios) -> None:
    compiling = make_chunks([1.0] * 10, compilations=[1] * 10)
    records = [make_record(framework="jax", mode="jit", chunks=compiling), make_record()]
    assert len(ratios_of(records)) == 0


def test_a_twin_is_only_held_against_its_other_half(
    make_record: Builder, ratios_of: Ratios, sentinels_of: Ratios
) -> None:
    records = blocks(make_record, 12, 1.3, arms=TWINS)
    (row,) = ratios_of(records).to_dict("records")
    assert (row["framework"], row["blocks"], row["verdict"]) == ("jax", 12, "faster")
    (row,) = sentinels_of(records).to_dict("records")
    assert [row[name] for name in SENTINEL_COLUMNS[:4]] == ["listing1", "pytorch", "eager", 12]
    assert row["ratio_low"] < 1 < row["ratio_high"]
    assert row["holds"] == "yes"


def test_a_run_that_tells_an_arm_from_itself_decides_nothing(
    make_record: Builder, ratios_of: Ratios, sentinels_of: Ratios
) -> None:
    records = blocks(make_record, 12, 1.3, arms=TWINS, twin=1.1)
    assert sentinels_of(records)["holds"].tolist() == ["no"]
    (row,) = ratios_of(records).to_dict("records")
    assert (row["verdict"], row["by"]) == ("inconclusive", "wall")
    assert row["reason"] == "the run tells an arm from itself"


def test_a_coarse_run_proves_no_equality(make_record: Builder, ratios_of: Ratios) -> None:
    """Two arms that agree by luck in a run that does not know an arm from itself by 3%."""
    records = blocks(make_record, 12, 1.0, noise=0.001, arms=TWINS, device="cuda")
    assert ratios_of(records)["verdict"].tolist() == ["equal within the margin"]
    random = np.random.default_rng(1)
    coarse = [
        replace(
            record,
            measurement=make_record(step_seconds=float(random.uniform(0.9, 1.1))).measurement,
        )
        if record.trial.label
        else record
        for record in records
    ]
    (row,) = ratios_of(coarse).to_dict("records")
    assert row["verdict"] == "inconclusive"


def test_a_report_rebuilt_is_the_same(
    full_records: list[Record], write_run: Writer, ratios_of: Ratios
) -> None:
    again = material(write_run(full_records[::-1], name="again"))
    rebuilt = speed_ratios(families(again), again.device)
    pd.testing.assert_frame_equal(ratios_of(full_records), rebuilt)
