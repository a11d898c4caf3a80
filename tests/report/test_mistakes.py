from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.records import Record
from report.load import load_run
from report.mistakes import MISTAKES
from report.sections import build_sections

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
    assert {row["says"] for row in rows} == {"faster"}
    assert {row["verdict"] for row in rows} == {"faster"}


def test_steps_that_do_not_scatter_have_no_test(make_record: Builder, write_run: Writer) -> None:
    records = [
        make_record(framework=framework, mode=mode, step_seconds=0.1)
        for framework, mode in (("pytorch", "eager"), ("jax", "jit"))
    ]
    (section,) = build_sections(load_run(write_run(records)))
    rows = section["mistakes"].rows.set_index("mistake")
    assert rows.loc["steps counted as runs", "says"] == "no test"


def test_what_is_not_there_cannot_be_wrong(rows_of: RowsOf) -> None:
    assert rows_of({"pytorch eager": 1.0}) == []


def test_every_mistake_names_who_made_it() -> None:
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES)
    assert all(mistake.link.startswith("https://") and mistake.example for mistake in MISTAKES)
