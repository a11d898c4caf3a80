from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.records import Record
from report.load import load_run
from report.ratios import COLUMNS, speed_ratios

Builder = Callable[..., Record]
Writer = Callable[..., Path]
Ratios = Callable[[Sequence[Record]], pd.DataFrame]


@pytest.fixture
def ratios_of(write_run: Writer) -> Ratios:
    def ratios(records: Sequence[Record]) -> pd.DataFrame:
        run = load_run(write_run(records))
        return speed_ratios(run.trials, run.epochs)

    return ratios


def blocks(make_record: Builder, count: int, factor: float, noise: float = 0.01) -> list[Record]:
    """JAX, and PyTorch's eager mode, which takes ``factor`` times as long, in each block.

    The machine is another one in every block; within a block times scatter by ``noise``.
    """
    random = np.random.default_rng(0)
    records: list[Record] = []
    for block in range(count):
        machine = random.uniform(1, 3)
        for framework, mode, seconds in (
            ("jax", "jit", machine),
            ("pytorch", "eager", factor * machine),
        ):
            jitter = random.uniform(1 - noise, 1 + noise, 8)
            records.append(
                make_record(
                    framework=framework,
                    mode=mode,
                    block=block,
                    position=len(records),
                    inputs=str(block),
                    epoch_seconds=(seconds * jitter).tolist(),
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


def test_a_report_rebuilt_is_the_same(
    full_records: list[Record], write_run: Writer, ratios_of: Ratios
) -> None:
    again = load_run(write_run(full_records[::-1], name="again"))
    pd.testing.assert_frame_equal(ratios_of(full_records), speed_ratios(again.trials, again.epochs))
