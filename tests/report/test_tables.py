"""The families of tables of scenarios: the numbers they show are those that were put in."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.records import Energy, Inference, Memory, Record, Rung, Startup, Sweep
from report.load import load_run
from report.sections import build_sections
from report.tables.columns import Table, rounded
from tests.report.conftest import make_chunks

Builder = Callable[..., Record]
Writer = Callable[..., Path]
Tables = Callable[[Sequence[Record], str], Table]


@pytest.fixture
def table_of(write_run: Writer) -> Tables:
    def table(records: Sequence[Record], key: str) -> Table:
        (section,) = build_sections(load_run(write_run(records)))
        return section[key]

    return table


def cells(table: Table) -> list[dict[str, str]]:
    titles = [column.title for column in table.shown]
    return [
        dict(zip(titles, (f"{text} ({more})" if more else text for text, more in row), strict=True))
        for row in table.cells(table.shown)
    ]


def compiled(make_record: Builder, blocks: int, step_seconds: float) -> list[Record]:
    """An eager mode with steps of 0.1 s, and a compiled one whose first step takes 6 s longer."""
    return [
        make_record(
            mode=mode,
            plain=plain,
            block=block,
            inputs=str(block),
            step_seconds=step * (1 + 0.01 * block),
            first_step_seconds=first + step * (1 + 0.01 * block),
        )
        for block in range(blocks)
        for mode, plain, step, first in (
            ("eager", "", 0.1, 1.0),
            ("compile", "eager", step_seconds, 7.0),
        )
    ]


def test_compiling_is_set_against_the_plain_mode(make_record: Builder, table_of: Tables) -> None:
    table = table_of(compiled(make_record, 3, 0.04), "compiling")
    (row,) = table.rows.to_dict("records")
    assert (row["mode"], row["plain"], row["blocks"]) == ("compile", "eager", 3)
    assert row["compile_seconds"] == pytest.approx(7)
    assert row["extra_seconds"] == pytest.approx(6)
    assert row["gain_seconds"] == pytest.approx(0.0606)
    assert row["break_even_steps"] == pytest.approx(6 / 0.0606)
    assert row["break_even_steps_low"] < 6 / 0.0606 < row["break_even_steps_high"]
    (shown,) = cells(table)
    assert shown["pays after"].startswith("99 (")


def test_compiling_that_gains_nothing_never_pays(make_record: Builder, table_of: Tables) -> None:
    table = table_of(compiled(make_record, 3, 0.2), "compiling")
    assert table.rows["break_even_steps"].tolist() == [inf]
    assert cells(table)[0]["pays after"] == "never (never to never)"


def test_without_the_plain_mode_there_is_nothing_to_set_against(
    make_record: Builder, table_of: Tables
) -> None:
    records = compiled(make_record, 2, 0.04)
    alone = [record for record in records if record.trial.mode == "compile"]
    assert len(table_of(alone, "compiling").rows) == 0


def test_latencies_are_those_of_calls_and_ranges_those_of_trials(
    make_record: Builder, table_of: Tables
) -> None:
    """Calls of 1 to 2 ms, in one trial twice as long."""
    first = Inference(
        latencies=tuple(np.linspace(0.001, 0.002, 101)),
        batch_size=256,
        chunks=make_chunks([0.5, 0.5, 9.0], steps=4),
    )
    second = replace(first, latencies=tuple(2 * latency for latency in first.latencies))
    table = table_of(
        [
            make_record(scenario="inference", block=block, result=result)
            for block, result in enumerate((first, second))
        ],
        "inference",
    )
    assert cells(table) == [
        {
            "workload": "listing1",
            "framework (mode)": "pytorch (eager)",
            "latency p50": "2.25 (1.50-3.00)",
            "latency p95": "2.93 (1.95-3.90)",
            "latency p99": "2.98 (1.99-3.98)",
            "images/s": "2048",
            "batch": "256",
            "repeats": "2",
        }
    ]


def sweep(overhead: float, image: float, sizes: Sequence[int] = (8, 64, 512)) -> Sweep:
    return Sweep(
        rungs=tuple(
            Rung(
                batch_size=size,
                first_step_seconds=1.0,
                chunks=make_chunks([4 * (overhead + image * size)] * 5, steps=4),
            )
            for size in sizes
        ),
        stopped="out of memory at 1024" if 512 in sizes else "",
    )


def test_a_sweep_tells_what_a_step_costs_and_what_an_image(
    make_record: Builder, table_of: Tables
) -> None:
    records = [
        make_record(scenario="sweep", block=block, result=sweep(0.002 * part, 1e-4 * part))
        for block, part in enumerate((0.9, 1.0, 1.1))
    ]
    (row,) = table_of(records, "sweep").rows.to_dict("records")
    assert row["blocks"] == 3
    assert row["overhead_seconds"] == pytest.approx(0.002)
    assert row["image_seconds"] == pytest.approx(1e-4)
    assert row["overhead_seconds_low"] < 0.0018
    assert row["overhead_seconds_high"] > 0.0022
    assert row["stopped"] == "out of memory at 1024"


def test_a_sweeps_steps_are_shown_by_batch_size(make_record: Builder, table_of: Tables) -> None:
    records = [
        make_record(scenario="sweep", result=sweep(0.002, 1e-4)),
        make_record(scenario="sweep", framework="jax", result=sweep(0.001, 1e-4, (8,))),
    ]
    jax, pytorch = cells(table_of(records, "batch-sizes"))
    assert [jax[f"at {size}"] for size in (8, 64, 512)] == ["1.80", "-", "-"]
    assert [pytorch[f"at {size}"] for size in (8, 64, 512)] == ["2.80", "8.40", "53.2"]


def test_one_batch_size_gives_no_line(make_record: Builder, table_of: Tables) -> None:
    records = [make_record(scenario="sweep", result=sweep(0.001, 1e-4, (8,)))]
    assert table_of(records, "sweep").rows["overhead_seconds"].isna().all()


def test_memory_is_parted_into_what_is_fixed_and_what_images_take(
    make_record: Builder, table_of: Tables
) -> None:
    mebi = 2**20
    records = [
        make_record(
            scenario="memory",
            batch_size=size,
            block=block,
            result=Memory(
                batch_size=size,
                baseline_host_bytes=200 * mebi,
                peak_host_bytes=(300 + 10 * block) * mebi + size * mebi // 4,
                peak_device_bytes=None,
                smallest_cap_bytes=None,
            ),
        )
        for block in range(3)
        for size in (32, 128, 512)
    ]
    assert cells(table_of(records, "memory")) == [
        {
            "workload": "listing1",
            "framework (mode)": "pytorch (eager)",
            "imported": "200",
            "fixed": "310 (300-320)",
            "per image": "256",
            "host at 32": "318 (308-328)",
            "host at 128": "342 (332-352)",
            "host at 512": "438 (428-448)",
        }
    ]


def test_memory_of_a_device_has_columns_of_its_own(make_record: Builder, table_of: Tables) -> None:
    peak = Memory(
        batch_size=32,
        baseline_host_bytes=None,
        peak_host_bytes=None,
        peak_device_bytes=2**30,
        smallest_cap_bytes=2**29,
    )
    (row,) = cells(table_of([make_record(scenario="memory", batch_size=32, result=peak)], "memory"))
    assert row["device at 32"] == "1024"
    assert row["smallest cap at 32"] == "512"
    assert "imported" not in row


def test_starts_are_told_cold_and_compiled_before(make_record: Builder, table_of: Tables) -> None:
    records = [
        make_record(scenario="startup", block=block, result=result)
        for block, result in enumerate(
            Startup(cold_seconds=cold, cached_seconds=cold - 3) for cold in (8.0, 9.0, 12.0)
        )
    ]
    (row,) = cells(table_of(records, "startup"))
    assert (row["cold"], row["compiled before"]) == ("9.00 (8.00-12.0)", "6.00 (5.00-9.00)")


def test_energy_is_told_with_and_without_what_idling_takes(
    make_record: Builder, table_of: Tables
) -> None:
    spent = Energy(images=10_000, seconds=10.0, joules=2_500.0, idle_watts=50.0)
    no_counter: dict[str, Any] = {"status": "error", "message": "no counter"}
    table = table_of(
        [
            make_record(scenario="energy", device="cuda", result=spent),
            make_record(scenario="energy", device="cuda", framework="jax", **no_counter),
        ],
        "energy",
    )
    jax, pytorch = cells(table)
    assert (pytorch["per 1,000 images"], pytorch["beyond idle"]) == ("250", "200")
    assert (jax["per 1,000 images"], jax["beyond idle"]) == ("-", "-")


def test_what_processors_compute_otherwise_in_the_last_digit_is_the_same_number() -> None:
    def table(*values: float) -> Table:
        rows = pd.DataFrame({"ratio": values, "count": [3] * len(values)})
        return Table(key="some", title="Some", columns=(), rows=rows)

    # Seen on an Intel Xeon and on an AMD EPYC, from the same records.
    one, other = rounded(table(2.038521430250766)), rounded(table(2.0385214302507664))
    assert one.rows["ratio"].tolist() == other.rows["ratio"].tolist() == [2.03852143025]
    kept = (25325268992.0, -1.5e-9, float("inf"))
    assert rounded(table(*kept, float("nan"))).rows["ratio"].tolist()[:3] == list(kept)
    assert np.isnan(rounded(table(float("nan"))).rows["ratio"].item())
    assert rounded(table(1.0)).rows["count"].tolist() == [3]
    assert len(rounded(table()).rows) == 0
