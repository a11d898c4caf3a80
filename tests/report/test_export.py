import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from pytest_benchmark.stats import Stats

from bench.contract import TWIN
from bench.records import RECORDS, Record
from bench.workloads import WORKLOADS
from report.export import main
from tests.report.conftest import ARMS, make_chunks

Builder = Callable[..., Record]
Writer = Callable[..., Path]
Exported = Callable[..., str]


@pytest.fixture
def exported(capsys: pytest.CaptureFixture[str]) -> Exported:
    """What is printed of a run, which is all ASCII."""

    def of(run: Path, form: str) -> str:
        assert main([str(run), "--to", form]) == 0
        said = capsys.readouterr()
        assert said.err == ""
        assert said.out.isascii()
        return said.out

    return of


def benchmarks(text: str) -> dict[str, dict[str, Any]]:
    return {of["name"]: of for of in json.loads(text)["benchmarks"]}


def test_every_arm_of_every_workload_is_a_benchmark_of_its_processes(
    full_records: list[Record], write_run: Writer, exported: Exported
) -> None:
    report = json.loads(exported(write_run(full_records), "pytest-benchmark"))
    assert set(report) == {"machine_info", "commit_info", "benchmarks", "datetime", "version"}
    assert report["machine_info"]["cpu"] == {"brand_raw": "Some CPU", "count": 8}
    assert report["commit_info"]["id"] == "0123456789abcdef"
    assert report["datetime"] == "2025-11-23T12:00:00+00:00"
    found = benchmarks(json.dumps(report))
    assert set(found) == {
        f"step[{framework}-{mode}-{workload}]"
        for framework, mode in ARMS
        for workload in ("listing1", "listing3")
    }
    assert len({of["fullname"] for of in found.values()}) == 8
    keras = found["step[keras-fit-listing3]"]
    assert keras["params"] == {"framework": "keras", "mode": "fit", "workload": "listing3"}
    # The third arm: an eighth of 3, 4 and 5 seconds, in the order of the records' blocks.
    assert keras["stats"]["data"] == [5 / 8, 3 / 8, 4 / 8]
    assert keras["stats"]["rounds"] == keras["extra_info"]["processes"] == 3
    told = keras["extra_info"]
    assert told["versions"] == {"keras": "2.0", "numpy": "2.3.0"}
    assert (told["python"], told["libraries"]) == ("3.11.9", {"oneDNN": "3.7"})
    assert (told["device"], told["precision"], told["threads"]) == ("cpu", "fp32", 1)
    assert (told["dataset"]["name"], told["batch_size"]) == ("cifar10", 64)
    assert told["certificate"]["first_update"] == 1e-6
    assert told["certificate"]["failure"] == ""
    assert told["problems"] == []


@pytest.mark.parametrize("processes", range(1, 10))
def test_statistics_are_those_of_pytest_benchmark(
    make_record: Builder, write_run: Writer, exported: Exported, processes: int
) -> None:
    seconds = [0.5, 0.3, 0.4, 0.1, 0.45, 0.35, 0.42, 0.44, 0.38][:processes]
    records = [make_record(block=block, step_seconds=of) for block, of in enumerate(seconds)]
    (found,) = benchmarks(exported(write_run(records), "pytest-benchmark")).values()
    rounds = Stats()  # type: ignore[no-untyped-call]
    rounds.data = found["stats"]["data"]
    expected = rounds.as_dict()  # type: ignore[no-untyped-call]
    assert found["stats"].pop("data") == pytest.approx(seconds)
    assert found["stats"].pop("iterations") == 1
    assert list(found["stats"]) == list(expected)
    for name, value in expected.items():
        if isinstance(value, str):
            assert found["stats"][name] == value
        else:
            assert found["stats"][name] == pytest.approx(value), name


def test_a_process_counts_by_the_median_of_its_steady_stretch(
    make_record: Builder, write_run: Writer, exported: Exported
) -> None:
    slow, steady = [4.0] * 10, [0.8, 0.9, 1.0, 1.1] * 10
    record = make_record(chunks=make_chunks(slow + steady))
    (found,) = benchmarks(exported(write_run([record]), "pytest-benchmark")).values()
    assert found["stats"]["data"] == pytest.approx([median(steady) / 8])


def test_what_is_not_compared_is_not_exported(
    make_record: Builder, write_run: Writer, exported: Exported
) -> None:
    records = [
        make_record(step_seconds=0.1),
        make_record(step_seconds=0.2, label=TWIN, position=1),
        make_record(block=1, status="error", message="no"),
        make_record(block=2, inputs="2", chunks=make_chunks([1.0] * 10, stolen=0.5)),
        make_record(scenario="inference"),
        make_record(framework="jax", mode="jit", status="timeout", message="ended"),
    ]
    found = benchmarks(exported(write_run(records), "pytest-benchmark"))
    assert list(found) == ["step[pytorch-eager-listing1]"]
    (own,) = found.values()
    assert own["stats"]["data"] == pytest.approx([0.1])


def test_the_certificate_is_the_worst_and_problems_are_told(
    make_record: Builder, write_run: Writer, exported: Exported
) -> None:
    records = [
        make_record(block=block, inputs=str(block), deviation=deviation)
        for block, deviation in enumerate((1e-6, 3e-6, 2e-6))
    ]
    other = make_record(framework="jax", mode="jit", inputs="something else")
    found = benchmarks(exported(write_run([*records, other]), "pytest-benchmark"))
    (own,) = found.values()
    assert own["extra_info"]["certificate"]["first_update"] == 3e-6
    assert own["extra_info"]["processes"] == 2
    (problem,) = own["extra_info"]["problems"]
    assert problem.startswith("not the same training")


def test_pytest_benchmark_compares_what_is_exported(
    full_records: list[Record], write_run: Writer, tmp_path: Path
) -> None:
    run, file = write_run(full_records), tmp_path / "steps.json"
    assert main([str(run), "--to", "pytest-benchmark", "--output", str(file)]) == 0
    done = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", file.name, "--group-by", "group"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "benchmark 'training step, listing3': 4 tests" in done.stdout
    assert "step[jax-jit-listing1]" in done.stdout


@pytest.mark.parametrize("form", ["pytest-benchmark", "mllog"])
def test_the_same_records_make_the_same_file(
    full_records: list[Record], write_run: Writer, exported: Exported, form: str
) -> None:
    assert exported(write_run(full_records), form) == exported(
        write_run(full_records, name="again"), form
    )


def events(text: str) -> list[dict[str, Any]]:
    lines = text.splitlines()
    assert all(line.startswith(":::MLLOG ") for line in lines)
    return [json.loads(line.removeprefix(":::MLLOG ")) for line in lines]


def values(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {of["key"]: of["value"] for of in found if of["event_type"] == "POINT_IN_TIME"}


START = 1763899200000
"""2025-11-23T12:00:00, in milliseconds."""


def test_a_training_is_a_run_of_epochs(
    make_record: Builder, write_run: Writer, exported: Exported
) -> None:
    record = make_record(
        chunks=make_chunks([0.5] * 10), epoch_seconds=(2.0, 1.5), test_accuracy=0.25, block=3
    )
    found = events(exported(write_run([record]), "mllog"))
    for of in found:
        assert list(of) == ["namespace", "time_ms", "event_type", "key", "value", "metadata"]
        assert (of["namespace"], of["metadata"]["file"]) == ("", RECORDS)
        assert of["metadata"]["lineno"] == 1
        derived = of["time_ms"] != START
        assert of["metadata"]["time"] == ("derived" if derived else "recorded")
    assert values(found) == {
        "submission_benchmark": "listing1",
        "submission_platform": "Some CPU",
        "seed": 3,
        "global_batch_size": 128,
        "train_samples": 1000,
        "eval_samples": 500,
        "opt_name": "sgd",
        "opt_base_learning_rate": 0.01,
        "opt_momentum": 0.0,
        "opt_weight_decay": 0.0,
        "eval_accuracy": 0.25,
    }
    told = found[0]["metadata"]
    assert (told["framework"], told["mode"], told["dataset"]["name"]) == (
        "pytorch",
        "eager",
        "cifar10",
    )
    assert told["certificate"]["failure"] == ""
    # Import 1.5 s, build 0.25 s, first step 0.5 s; then ten chunks of 0.5 s and one twice as long.
    assert [
        (of["time_ms"] - START, of["key"], of["metadata"].get("epoch_num"))
        for of in found
        if of["event_type"] != "POINT_IN_TIME"
    ] == [
        (0, "init_start", None),
        (2250, "init_stop", None),
        (8250, "run_start", None),
        (8250, "epoch_start", 1),
        (10250, "epoch_stop", 1),
        (10250, "epoch_start", 2),
        (11750, "epoch_stop", 2),
        (11750, "run_stop", None),
    ]
    assert found[-1]["metadata"]["status"] == "success"


def test_every_training_is_in_the_log_and_whole(
    full_records: list[Record], make_record: Builder, write_run: Writer, exported: Exported
) -> None:
    failed = make_record(block=9, status="timeout", message="ended \x1b after 5 s", seconds=5.0)
    others = [make_record(scenario="inference"), make_record(label=TWIN, block=8)]
    found = events(exported(write_run([*full_records, *others, failed]), "mllog"))
    assert {of["metadata"]["lineno"] for of in found} == {*range(1, 25), 26, 27}
    for number in (1, 24, 26, 27):
        own = [of for of in found if of["metadata"]["lineno"] == number]
        assert [of["time_ms"] for of in own] == sorted(of["time_ms"] for of in own)
        opened = Counter(of["event_type"] for of in own)
        assert opened["INTERVAL_START"] == opened["INTERVAL_END"] > 0
    *_, start, stop = found
    assert (start["key"], stop["key"]) == ("run_start", "run_stop")
    assert stop["time_ms"] - start["time_ms"] == 5000
    assert stop["metadata"]["status"] == "aborted"
    assert stop["metadata"]["reason"] == "timeout: ended \x1b after 5 s"


def test_a_schedule_is_logged(make_record: Builder, write_run: Writer, exported: Exported) -> None:
    record = make_record(workload="resnet20", learning_rate=0.1)
    found = values(events(exported(write_run([record]), "mllog")))
    schedule = WORKLOADS["resnet20"].optimizer.schedule
    assert found["opt_learning_rate_decay_boundary_steps"] == [step for step, _ in schedule]
    assert found["opt_learning_rate_decay_factor"] == [factor for _, factor in schedule]
    assert found["opt_momentum"] == 0.9


def test_times_are_utc_whatever_they_say(
    make_record: Builder, write_run: Writer, exported: Exported
) -> None:
    for number, text in enumerate(("2025-11-23T12:00:00", "2025-11-23T13:00:00+01:00")):
        record = replace(make_record(), started=text)
        run = write_run([record], name=str(number))
        assert events(exported(run, "mllog"))[0]["time_ms"] == START


def test_a_line_that_was_cut_off_is_left_out(
    make_record: Builder, write_run: Writer, exported: Exported
) -> None:
    run = write_run([make_record(), make_record(block=1)])
    file = run / RECORDS
    file.write_bytes(file.read_bytes()[:-100])
    (own,) = benchmarks(exported(run, "pytest-benchmark")).values()
    assert own["stats"]["rounds"] == 1
    assert {of["metadata"]["lineno"] for of in events(exported(run, "mllog"))} == {1}


def test_a_file_is_replaced_whole_or_not_at_all(
    make_record: Builder, write_run: Writer, tmp_path: Path
) -> None:
    run, file = write_run([make_record()]), tmp_path / "log"
    file.write_text("older")
    bad = write_run([make_record(status="error")], name="bad")
    assert main([str(bad), "--to", "pytest-benchmark", "--output", str(file)]) == 2
    assert file.read_text() == "older"
    assert main([str(run), "--to", "mllog", "--output", str(file)]) == 0
    assert file.read_text().startswith(":::MLLOG ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "log", "run"]


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([str(of) for of in arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.isprintable()
    return line.removeprefix("error: ")


def test_bad_input_is_one_line(
    make_record: Builder, write_run: Writer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = write_run([make_record()])
    records = (run / RECORDS).read_bytes()
    empty = write_run([], planned=1, name="empty")
    inference = write_run([make_record(scenario="inference")], name="inference")
    compiling = make_chunks([1.0] * 10, compilations=[1] * 10)
    unsteady = write_run([make_record(chunks=compiling)], name="unsteady")
    two = write_run([make_record(), make_record(cpu="Another", threads=2)], name="two")
    when = write_run([replace(make_record(), started="yesterday")], name="when")
    damaged = write_run([], name="damaged")
    (damaged / RECORDS).write_bytes(b'{"\x1b": 1}\n')
    tool = ("--to", "pytest-benchmark")
    for arguments, problem in (
        ((tmp_path / "missing", *tool), "no such folder; give the folder of a run"),
        ((tmp_path, "--to", "mllog"), "not a run"),
        ((run,), "the following arguments are required: --to; --help explains"),
        ((run, "--to", "asv"), "invalid choice: 'asv'"),
        ((empty, *tool), "no training in it counts"),
        ((empty, "--to", "mllog"), "no training is recorded in it"),
        ((inference, *tool), "no training in it counts"),
        ((inference, "--to", "mllog"), "no training is recorded in it"),
        ((unsteady, *tool), "no training in it has a steady step"),
        ((two, *tool), "its trainings differ in threads, cpu and never share a file"),
        ((when, "--to", "mllog"), f"{RECORDS} line 1: times that no trial can have"),
        ((damaged, *tool), f"{RECORDS} line 1: "),
        ((run, *tool, "--output", tmp_path), "a folder, or a file of a run's own"),
        ((run, *tool, "--output", run / RECORDS), "a folder, or a file of a run's own"),
        ((run, *tool, "--output", tmp_path / "no" / "such"), "cannot be written (No such file"),
    ):
        assert problem in refused(capsys, *arguments)
    assert (run / RECORDS).read_bytes() == records


def test_times_beyond_all_bounds_are_one_line(
    make_record: Builder, write_run: Writer, capsys: pytest.CaptureFixture[str]
) -> None:
    record = make_record(first_step_seconds=1e308)
    assert "line 1: times that no" in refused(capsys, write_run([record]), "--to", "mllog")
    before = make_record(first_step_seconds=-9.0)
    run = write_run([before], name="before")
    assert "line 1: times that no" in refused(capsys, run, "--to", "mllog")
    run = write_run([make_record(step_seconds=1e-310)], name="short")
    assert "longer or shorter than any" in refused(capsys, run, "--to", "pytest-benchmark")
