from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bench.contract import Device
from bench.records import Mistakes, Record
from report.load import load_run
from report.mistakes import MISTAKES, student_p
from report.sections import build_sections
from tests.report.conftest import make_chunks

Builder = Callable[..., Record]
Writer = Callable[..., Path]
RowsOf = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def rows_of(make_blocks: Callable[..., list[Record]], write_run: Writer) -> RowsOf:
    """Rows of the table, of blocks on a machine that does not drift."""

    names = count()

    def build(steps: Mapping[str, float], **how: float) -> list[dict[str, Any]]:
        records = make_blocks(steps, drift=1.0, **how)
        (section,) = build_sections(load_run(write_run(records, name=f"run {next(names)}")))
        found = section["mistakes"].rows.to_dict("records")
        return [{str(key): value for key, value in row.items()} for row in found]

    return build


def only(rows: list[dict[str, Any]], mistake: str, framework: str) -> dict[str, Any]:
    (row,) = (of for of in rows if (of["mistake"], of["framework"]) == (mistake, framework))
    return row


def test_steps_that_pass_for_runs_make_noise_a_difference(rows_of: RowsOf) -> None:
    """Processes differ by a third, arms do not: what 12 processes cannot tell 144 chunks can."""
    steps = {"pytorch eager": 1.0, "keras fit": 1.0}
    runs = [rows_of(steps, noise=0.3, seed=seed) for seed in range(10)]
    pooled = [only(rows, "steps counted as runs", "keras") for rows in runs]
    # By its own word it is wrong once in twenty.
    assert sum(row["says"] in {"faster", "slower"} for row in pooled) >= 3
    assert {row["verdict"] for row in pooled} == {"inconclusive"}


def test_one_run_says_what_its_block_happened_to_say(rows_of: RowsOf) -> None:
    rows = rows_of({"pytorch eager": 1.0, "tensorflow graph": 1.0}, noise=0.3)
    row = only(rows, "one run only", "tensorflow")
    assert row["says"] == ("faster" if row["printed"] > 1 else "slower")
    assert abs(np.log(row["printed"])) > abs(np.log(row["ours"]))


def test_compiled_against_eager_is_set_right_by_compiling_both(rows_of: RowsOf) -> None:
    steps = {"pytorch eager": 1.0, "pytorch compile": 0.5, "jax jit": 0.75}
    row = only(rows_of(steps), "compiled against eager", "jax")
    assert (row["says"], row["against"]) == ("faster", "pytorch eager")
    assert row["printed"] == pytest.approx(1 / 0.75, rel=0.02)
    assert row["verdict"] == "slower"
    assert row["ours"] == pytest.approx(0.5 / 0.75, rel=0.02)


def test_a_difference_that_is_there_is_found_with_and_without(rows_of: RowsOf) -> None:
    rows = rows_of({"pytorch eager": 2.0, "keras fit": 1.0})
    rows = [row for row in rows if row["framework"] == "keras"]
    assert {row["says"] for row in rows} == {"faster"}
    assert {row["verdict"] for row in rows} == {"faster"}


def test_students_test_is_that_of_scipy() -> None:
    random = np.random.default_rng(0)
    for n, m, apart in ((5, 9, 0.0), (40, 40, 0.5), (300, 120, -3.0)):
        own, other = random.normal(size=n), random.normal(apart, 2.0, m)
        assert student_p(own, other) == pytest.approx(stats.ttest_ind(own, other).pvalue, rel=1e-9)


@pytest.fixture
def table_of(write_run: Writer) -> RowsOf:
    """Rows of the table, of records as they are."""

    def build(records: Sequence[Record]) -> list[dict[str, Any]]:
        (section,) = build_sections(load_run(write_run(records)))
        found = section["mistakes"].rows.to_dict("records")
        return [{str(key): value for key, value in row.items()} for row in found]

    return build


ARMS = (("pytorch", "eager"), ("jax", "jit"))


def test_steps_that_do_not_scatter_have_no_test(make_record: Builder, table_of: RowsOf) -> None:
    rows = table_of(
        [make_record(framework=name, mode=mode, step_seconds=0.1) for name, mode in ARMS]
    )
    assert only(rows, "steps counted as runs", "jax")["says"] == "no test"


def test_the_first_step_is_one_of_an_epoch(make_record: Builder, table_of: RowsOf) -> None:
    """Of the seven steps of 128 images that 1,000 images make."""
    rows = table_of(
        [
            make_record(
                framework=name,
                mode=mode,
                block=block,
                inputs=str(block),
                step_seconds=step,
                first_step_seconds=first,
            )
            for block in range(3)
            for (name, mode), step, first in zip(ARMS, (1.0, 0.5), (1.0, 8.0), strict=True)
        ]
    )
    row = only(rows, "first step included", "jax")
    assert row["printed"] == pytest.approx(7 / (8 + 6 * 0.5))
    assert (row["says"], row["ours"]) == ("slower", pytest.approx(2.0))


def drifting(make_record: Builder, blocks: int) -> list[Record]:
    """The machine takes twice as long in the second block as in the first, and so on."""
    return [
        make_record(
            framework=name, mode=mode, block=block, inputs=str(block), step_seconds=1.0 + block
        )
        for block in range(blocks)
        for name, mode in ARMS
    ]


def test_in_a_fixed_order_what_drifts_is_a_difference(
    make_record: Builder, table_of: RowsOf
) -> None:
    row = only(table_of(drifting(make_record, 5)), "fixed order", "jax")
    assert row["printed"] == pytest.approx(4.5 / 1.5)
    assert (row["says"], row["ours"]) == ("faster", pytest.approx(1.0))


def test_one_block_has_no_order(make_record: Builder, table_of: RowsOf) -> None:
    (row,) = (of for of in table_of(drifting(make_record, 1)) if of["mistake"] == "fixed order")
    assert (row["says"], row["command"]) == ("not made", "nox -s bench")


def timed(make_record: Builder, device: Device) -> list[Record]:
    """JAX takes half of PyTorch's time, but for what its mistakes cost or save."""
    return [
        make_record(
            framework=name,
            mode=mode,
            block=block,
            device=device,
            inputs=str(block),
            scenario="mistakes",
            result=Mistakes(
                right=make_chunks([whole] * 4),
                fed=make_chunks([1.25 * whole] * 4),
                scored=make_chunks([2 * whole] * 4),
                unfenced=make_chunks([0.1 * whole] * 4),
                tf32=make_chunks([0.5 * whole] * 4) if device == "cuda" else (),
            ),
        )
        for block in range(3)
        for (name, mode), whole in zip(ARMS, (1.0, 0.5), strict=True)
    ]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_mistake_that_was_timed_is_in_one_arm(
    make_record: Builder, table_of: RowsOf, device: Device
) -> None:
    rows = table_of(timed(make_record, device))
    made = [row for row in rows if row["framework"] == "jax"]
    assert {row["mistake"]: row["printed"] for row in made} == {
        "fed from the host": pytest.approx(2 / 1.25),
        "an extra metric pass": pytest.approx(1.0),
        "no fence": pytest.approx(20.0),
    } | ({"TF32 in one arm": pytest.approx(4.0)} if device == "cuda" else {})
    assert [row["ours"] for row in made] == [pytest.approx(2.0)] * len(made)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_what_is_not_made_says_why_and_what_would_measure_it(
    make_record: Builder, table_of: RowsOf, device: Device
) -> None:
    rows = table_of(timed(make_record, device))
    assert {row["mistake"] for row in rows} == {mistake.name for mistake in MISTAKES}
    gaps = {row["mistake"]: row for row in rows if np.isnan(row["printed"])}
    assert {"one run only", "memory taken in advance read as use"} <= gaps.keys()
    assert all(row["why"] and row["command"].startswith("nox -s ") for row in gaps.values())
    assert ("TF32 in one arm" in gaps) == (device == "cpu")
    if device == "cpu":
        assert gaps["TF32 in one arm"]["why"] == "a CPU has no TF32"


def test_what_is_not_there_cannot_be_wrong(rows_of: RowsOf) -> None:
    assert rows_of({"pytorch eager": 1.0}) == []


def test_every_mistake_names_who_made_it() -> None:
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES)
    assert all(mistake.link.startswith("https://") and mistake.example for mistake in MISTAKES)
