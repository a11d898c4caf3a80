"""Records whose truth is known: processes that differ by what was planted, and by nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import log1p
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.certificate import Certificate, Tolerance
from bench.contract import Scenario, Trial
from bench.data import DatasetInfo
from bench.records import (
    SCHEMA,
    Calibration,
    Chunk,
    Code,
    Example,
    Machine,
    Measurement,
    Overhead,
    Record,
    Result,
    Series,
    Software,
    append_record,
)
from bench.rivals.record import append
from bench.workloads import WORKLOADS
from report import calibration
from report.calibration import (
    BLOCKS,
    ERROR_TITLES,
    Block,
    cells,
    correlation,
    disjoint,
    duty_rows,
    error_rows,
    example_rows,
    judge,
    main,
    overhead_rows,
    relabelled,
    relative,
    timed_seconds,
)

PLANTED = ((20, 0), (30, 1), (20, 1), (10, 1))
CHUNK = Chunk(steps=20, wall=0.1, cpu=0.1, calibration=0.01, switches=0, stolen=0, compilations=0)


def record(result: Result, block: int = 0, label: str = "") -> Record:
    scenarios: dict[type, Scenario] = {Overhead: "overhead", Example: "example"}
    scenario = scenarios.get(type(result), "calibration")
    trial = Trial(
        framework="pytorch",
        mode="eager",
        workload=WORKLOADS["listing3"],
        device="cpu",
        precision="fp32",
        threads=1,
        block=block,
        seed=block,
        train_images=512,
        test_images=10,
        epochs=1,
        scenario=scenario,
        label=label,
    )
    return Record(
        schema=SCHEMA,
        run="a-run",
        trial=trial,
        position=0,
        started=f"2026-11-25T12:{block:02d}:{30 * (label == 'b'):02d}+00:00",
        seconds=10.0,
        status="ok",
        message="",
        dataset=DatasetInfo(name="synthetic", digest="d" * 64, train_images=1000, test_images=500),
        machine=Machine(
            system="Linux 6", cpu="some CPU", cores=2, memory_bytes=1, gpu=None, gpu_driver=None
        ),
        code=Code(commit=None, dirty=False, digest="c" * 64),
        certificate=Certificate(
            steps=10,
            first_logits=1e-7,
            first_loss=1e-7,
            first_update=1e-7,
            losses=1e-7,
            weights=1e-7,
            logits=1e-7,
            tolerance=Tolerance(
                first_logits=1e-6,
                first_loss=1e-6,
                first_update=1e-6,
                losses=1e-6,
                weights=1e-6,
                logits=1e-6,
            ),
            failure="",
        ),
        measurement=Measurement(
            software=Software(python="3.11", versions={}, libraries={}),
            inputs="e" * 64,
            import_seconds=1.0,
            build_seconds=1.0,
            first_step_seconds=1.0,
            threads_used=1,
            calibration=0.005,
            result=result,
        ),
        sampled_host_bytes=None,
        sampled_device_bytes=None,
        gpu_before=None,
        gpu_after=None,
    )


def measured(
    generator: np.random.Generator, size: int, spread: float, slower: float
) -> list[Series]:
    """Chunks of steps of 5 ms, on a machine whose speed changes from one chunk to the next."""
    found = []
    for counted, planted in PLANTED:
        chunks = []
        for _ in range(4):
            speed = np.exp(0.3 * generator.normal())
            seconds = 0.005 * slower * (counted + planted) * np.exp(spread * generator.normal())
            chunks.append(
                replace(
                    CHUNK,
                    steps=counted,
                    wall=seconds * speed * 2,
                    cpu=seconds * speed,
                    calibration=0.01 * speed,
                )
            )
        found.append(
            Series(batch_size=size, counted=counted, planted=planted, chunks=tuple(chunks))
        )
    return found


def records(
    blocks: int, sizes: Sequence[int] = (1, 2), spread: float = 0.02, seconds_slower: float = 1.0
) -> list[Record]:
    """``b`` is slower than ``a`` by ``seconds_slower``, which in truth is 1."""
    generator = np.random.default_rng(1)
    return [
        record(
            Calibration(
                series=tuple(
                    series
                    for size in sizes
                    for series in measured(
                        generator, size, spread, seconds_slower if label == "b" else 1.0
                    )
                )
            ),
            block,
            label,
        )
        for block in range(blocks)
        for label in ("b", "a")
    ]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "RELABELLINGS", 20)
    monkeypatch.setattr(calibration, "RESAMPLES", 199)


def blocks_of(found: list[Record]) -> list[Block]:
    return next(iter(cells(found).values()))


def test_cells_hold_pairs_in_order_and_leave_out_a_process_without_its_twin() -> None:
    found = records(3)
    of = cells([*found[:-1], record(Overhead(trainer=(CHUNK,), bare=(CHUNK,)))])
    assert [cell.batch_size for cell in of] == [1, 2]
    assert all(len(blocks) == 2 for blocks in of.values())
    first, second = blocks_of(found)[0]
    (earlier,) = [r for r in found if (r.trial.block, r.trial.label) == (0, "a")]
    assert earlier.measurement is not None
    assert isinstance(earlier.measurement.result, Calibration)
    assert first.series[0.0] == earlier.measurement.result.series[0]
    assert first.series.keys() == {0.0, 1 / 30, 0.05, 0.1}
    assert second.series[0.0] != first.series[0.0]


@pytest.mark.parametrize(("planted", "found"), [(0.0, False), (0.05, True), (0.1, True)])
def test_what_is_planted_is_found_and_covered(planted: float, *, found: bool) -> None:
    judged = judge(blocks_of(records(BLOCKS)), planted, "CPU over calibration")
    assert judged.truth == -log1p(planted)
    assert judged.covers
    assert judged.alarm == found
    assert judged.found == found
    assert judged.interval.estimate == pytest.approx(judged.truth, abs=0.015)
    assert judged.spread < 0.04


def test_speed_that_changes_is_in_wall_time_and_not_in_cpu_over_calibration() -> None:
    blocks = blocks_of(records(BLOCKS))
    wall, cpu = judge(blocks, 0.0, "wall"), judge(blocks, 0.0, "CPU over calibration")
    assert wall.spread > 5 * cpu.spread


def test_a_difference_that_should_not_be_there_is_an_alarm() -> None:
    judged = judge(blocks_of(records(BLOCKS, seconds_slower=1.2)), 0.0, "CPU over calibration")
    assert judged.alarm
    assert not judged.covers
    assert judged.decision == "slower"


def test_minutes_are_those_of_the_series_compared() -> None:
    first, _ = blocks_of(records(1))[0]
    own = sum(chunk.wall for chunk in first.series[0.05].chunks)
    assert first.minutes(0.05) == pytest.approx((10.0 - first.timed + own) / 60)


def test_groups_share_no_process_and_relabelling_swaps_within_blocks() -> None:
    blocks = blocks_of(records(2 * BLOCKS + 3))
    groups = disjoint(blocks)
    assert [len(group) for group in groups] == [BLOCKS, BLOCKS]
    assert [id(pair) for group in groups for pair in group] == [id(p) for p in blocks[:24]]
    again = relabelled(blocks, np.random.default_rng(1))
    known = {frozenset(map(id, pair)) for pair in blocks}
    drawn = [frozenset(map(id, pair)) for pair in again]
    assert len(set(drawn)) == BLOCKS
    assert set(drawn) <= known
    straight = {tuple(map(id, pair)) for pair in blocks}
    kept = sum(tuple(map(id, pair)) in straight for pair in again)
    assert 0 < kept < BLOCKS


def test_rows_of_errors_count_both_ways_of_dealing_labels() -> None:
    rows = list(error_rows(cells(records(BLOCKS + 1))))
    assert len(rows) == 2 * (4 + 1) * 2  # measures, slow-downs and all of them, ways
    assert {len(row) for row in rows} == {len(ERROR_TITLES)}
    assert [row[3] for row in rows[:2]] == ["2", "20"]
    found = {(row[0], row[1], row[2]): row[4] for row in rows}
    assert found["CPU over calibration", "10.0%", "as run"].startswith("100.0%")
    assert list(error_rows(cells(records(BLOCKS - 1)))) == []


def test_cells_of_the_same_processes_correlate_by_what_they_share() -> None:
    independent = records(40, spread=0.1)
    assert abs(float(correlation(cells(independent), "CPU over calibration"))) < 0.4
    assert correlation(cells(records(40, sizes=(1,))), "wall") == "unknown"
    generator = np.random.default_rng(2)
    shared = []
    for block in range(40):
        for label in ("a", "b"):
            slower = float(np.exp(0.2 * generator.normal()))
            series = [s for size in (1, 2) for s in measured(generator, size, 0.001, slower)]
            shared.append(record(Calibration(series=tuple(series)), block, label))
    assert float(correlation(cells(shared), "CPU over calibration")) > 0.9


def test_overhead_is_the_median_of_pairs_and_a_process_counts_once() -> None:
    generator = np.random.default_rng(3)

    def one(cost: float) -> Overhead:
        speeds = np.exp(0.3 * generator.normal(size=11))
        bare = tuple(
            replace(CHUNK, cpu=0.1 * s, wall=0.2 * s, calibration=0.01 * s) for s in speeds
        )
        return Overhead(trainer=tuple(replace(c, cpu=cost * c.cpu) for c in bare), bare=bare)

    results = [one(1.004), one(1.006), one(1.005)]
    processes = [(of.trainer, of.bare) for of in results]
    found = relative(processes, "CPU over calibration")
    assert found.estimate == pytest.approx(1.005, abs=1e-4)
    assert found.n == 3
    assert relative(processes, "wall").estimate == pytest.approx(1)
    (row,) = overhead_rows([record(of, block) for block, of in enumerate(results)])
    assert (row[3], row[4][:6], row[-1]) == ("3", "1.0050", "yes")
    (row,) = overhead_rows([record(one(1.02), block) for block in range(3)])
    assert row[-1] == "no"


@pytest.mark.parametrize(
    ("ratios", "said"),
    [
        ((0.95, 0.96, 0.95), "faster"),
        ((1.05, 1.04, 1.05), "slower"),
        ((0.9, 1.1, 1.0), "not told apart"),
    ],
)
def test_examples_are_told_apart_by_wall_time_where_the_interval_does(
    ratios: tuple[float, ...], said: str
) -> None:
    results = [
        Example(trainer=(replace(CHUNK, wall=ratio * CHUNK.wall),) * 3, example=(CHUNK,) * 3)
        for ratio in ratios
    ]
    (row,) = example_rows([record(of, block) for block, of in enumerate(results)])
    assert (row[3], row[-1]) == ("3", said)


def test_duty_is_what_is_timed_of_all_that_passed() -> None:
    first = record(Overhead(trainer=(CHUNK,) * 10, bare=(CHUNK,) * 10), 0)
    second = record(Overhead(trainer=(CHUNK,) * 10, bare=(CHUNK,) * 10), 1)
    assert timed_seconds(first) == pytest.approx(2.0)
    own, whole = duty_rows("run", [first, second])
    assert own == ("run", "overhead", "2", "0.3", "20.0%")
    # A minute from start to start, and ten seconds of the last.
    assert whole[2:] == ("2", "1.2", "5.7%")
    failed = replace(
        record(Overhead(trainer=(CHUNK,), bare=(CHUNK,))), status="timeout", measurement=None
    )
    assert timed_seconds(failed) == 0


def test_the_page_is_made_of_the_records_and_the_same_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make_sessions: Callable[..., Any]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    overheads = record(Overhead(trainer=(CHUNK,), bare=(CHUNK,)))
    examples = record(Example(trainer=(CHUNK,), example=(CHUNK,)))
    for one in (*records(BLOCKS), overheads, examples):
        append_record(run, one)
    append(run, make_sessions(3))
    assert main([str(run), "--output", str(tmp_path / "page.md")]) == 0
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert main([str(run)]) == 0
    assert capsys.readouterr().out == text
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## False alarms, power and coverage",
        "## Overhead: the trainer's step over that of a bare loop",
        "## Examples: the trainer's step over that of the framework's own example",
        "## Duty cycle",
        "## Against pyperf and pytest-benchmark, at equal wall budget",
    ]


@pytest.mark.parametrize("content", [None, b"nonsense\n", b'{"schema": 2}\n'])
def test_what_cannot_be_read_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "records.jsonl").write_bytes(content)
    assert main([str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_a_session_that_cannot_be_read_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    append_record(tmp_path, record(Overhead(trainer=(CHUNK,), bare=(CHUNK,))))
    (tmp_path / "rivals.jsonl").write_text('{"round": 0}\n', encoding="utf-8")
    assert main([str(tmp_path)]) == 2
    assert "rivals.jsonl line 1" in capsys.readouterr().err


def test_runs_with_different_allocators_share_no_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = record(Overhead(trainer=(CHUNK,), bare=(CHUNK,)))
    other = replace(one, trial=replace(one.trial, allocator="keep"))
    for name, found in (("one", one), ("other", other)):
        (tmp_path / name).mkdir()
        append_record(tmp_path / name, found)
    assert main([str(tmp_path / "one"), str(tmp_path / "other")]) == 2
    assert "runs differ in --allocator (default, keep)" in capsys.readouterr().err
