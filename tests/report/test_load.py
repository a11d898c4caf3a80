import gc
import json
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, fields, replace
from itertools import permutations
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bench.certificate import Certificate, Tolerance
from bench.contract import Device, Scenario, Source, Trial
from bench.data import DatasetInfo
from bench.errors import UserError
from bench.records import (
    RECORDS,
    SCHEMA,
    Calibration,
    Ceiling,
    Chunk,
    Code,
    Energy,
    Epoch,
    Example,
    GpuState,
    Inference,
    Machine,
    Measurement,
    Memory,
    Mistakes,
    Overhead,
    Pipeline,
    Record,
    Regression,
    Rung,
    Series,
    Software,
    Startup,
    Status,
    Steady,
    Sweep,
    Training,
    append_record,
)
from bench.workloads import Optimizer, Workload
from report import part, parts
from report.frames import COLUMNS, RESULT_COLUMNS
from report.load import load_run, load_runs
from report.parse import RESULTS, parse_record, validator
from report.sections import build_sections
from report.text import plain
from tests.report.conftest import RESULTS as RESULTS_OF

Builder = Callable[..., Record]
Writer = Callable[..., Path]

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(0, exclude_min=True, allow_infinity=False)
CHUNKS = st.lists(
    st.builds(
        Chunk,
        steps=st.integers(min_value=1),
        wall=POSITIVE,
        cpu=FLOATS,
        calibration=POSITIVE,
        stolen=FLOATS,
    ),
    min_size=1,
    max_size=2,
).map(tuple)
EPOCHS = st.builds(
    Epoch,
    steps=st.integers(min_value=1),
    images=st.integers(min_value=1),
    seconds=POSITIVE,
    cpu_seconds=FLOATS,
    loss=FLOATS | st.none(),
    test_accuracy=st.floats(0, 1),
)
STEADY = st.builds(
    lambda chunks, read: Steady(chunks=chunks, doubled=chunks[:1], read_seconds=read),
    CHUNKS,
    FLOATS,
)
MEASURED: dict[Scenario, st.SearchStrategy[Any]] = {
    "training": st.builds(
        Training,
        steady=STEADY,
        ceiling=st.builds(Ceiling, matmul=FLOATS, conv=FLOATS, copy=FLOATS),
        epochs=st.lists(EPOCHS, min_size=1, max_size=2).map(tuple),
    ),
    "inference": st.builds(
        Inference, latencies=st.lists(FLOATS, max_size=2).map(tuple), chunks=CHUNKS
    ),
    "startup": st.builds(Startup, cold_seconds=FLOATS, cached_seconds=FLOATS),
    "sweep": st.builds(
        Sweep,
        rungs=st.lists(st.builds(Rung, first_step_seconds=FLOATS, chunks=CHUNKS), max_size=2).map(
            tuple
        ),
    ),
    "memory": st.builds(Memory),
    "energy": st.builds(Energy, seconds=FLOATS, joules=FLOATS, idle_watts=FLOATS),
    "pipeline": st.builds(
        Pipeline, first_batch_seconds=FLOATS, alone=CHUNKS, resident=CHUNKS, through=CHUNKS
    ),
    "overhead": st.builds(Overhead, trainer=CHUNKS, bare=CHUNKS),
    "example": st.builds(Example, trainer=CHUNKS, example=CHUNKS),
    "mistakes": st.builds(
        Mistakes, right=CHUNKS, fed=CHUNKS, scored=CHUNKS, unfenced=CHUNKS, tf32=CHUNKS
    ),
    "regression": st.builds(Regression, timed=CHUNKS, accuracy=st.floats(0, 1)),
    "calibration": st.builds(
        Calibration, series=st.lists(st.builds(Series, chunks=CHUNKS), max_size=2).map(tuple)
    ),
}
GPUS = st.none() | st.builds(
    GpuState, watts=FLOATS | st.none(), throttled=st.lists(st.text(), max_size=2).map(tuple)
)
WORKLOADS = st.builds(
    Workload,
    optimizer=st.builds(
        Optimizer,
        learning_rate=FLOATS,
        momentum=FLOATS,
        weight_decay=FLOATS,
        schedule=st.lists(st.tuples(st.integers(), FLOATS), max_size=2).map(tuple),
    ),
)
RECORD_PARTS: dict[str, st.SearchStrategy[Any]] = {
    "schema": st.just(SCHEMA),
    "seconds": FLOATS,
    "dataset": st.builds(DatasetInfo),
    "machine": st.builds(Machine),
    "code": st.builds(Code),
    "gpu_before": GPUS,
    "gpu_after": GPUS,
}


def trials(scenarios: st.SearchStrategy[Scenario]) -> st.SearchStrategy[Trial]:
    def trial(scenario: Scenario) -> st.SearchStrategy[Trial]:
        reads: dict[str, st.SearchStrategy[Any]] = {
            "source": st.sampled_from(get_args(Source)),
            "images": st.integers(1, 2**31),
        }
        return st.builds(
            Trial,
            workload=WORKLOADS,
            device=st.sampled_from(get_args(Device)),
            scenario=st.just(scenario),
            seconds=FLOATS,
            **(reads if scenario == "pipeline" else {}),
        )

    return scenarios.flatmap(trial)


def finished(scenario: Scenario) -> st.SearchStrategy[Record]:
    measurement = st.builds(
        Measurement,
        software=st.builds(Software),
        import_seconds=FLOATS,
        build_seconds=FLOATS,
        first_step_seconds=FLOATS,
        calibration=FLOATS,
        result=MEASURED[scenario],
    )
    return st.builds(
        Record,
        status=st.just("ok"),
        certificate=PASSED,
        trial=trials(st.just(scenario)),
        measurement=measurement,
        **RECORD_PARTS,
    )


FAILURES = st.sampled_from(
    [status for status in get_args(Status) if status not in {"ok", "not equivalent"}]
)
TOLERANCES = st.builds(Tolerance, **{field.name: FLOATS for field in fields(Tolerance)})
DEVIATIONS = {field.name: FLOATS | st.none() for field in fields(Tolerance)}
PASSED = st.builds(Certificate, tolerance=TOLERANCES, failure=st.just(""), **DEVIATIONS)
FAILED = st.builds(Certificate, tolerance=TOLERANCES, failure=st.text(min_size=1), **DEVIATIONS)
ANY_TRIAL = trials(st.sampled_from(get_args(Scenario)))
ANY_RECORD = (
    st.sampled_from(get_args(Scenario)).flatmap(finished)
    | st.builds(
        Record,
        status=st.just("not equivalent"),
        certificate=FAILED,
        trial=ANY_TRIAL,
        measurement=st.none(),
        **RECORD_PARTS,
    )
    | st.builds(
        Record,
        status=FAILURES,
        certificate=st.none() | PASSED,
        trial=ANY_TRIAL,
        measurement=st.none(),
        **RECORD_PARTS,
    )
)


@settings(deadline=None)
@given(ANY_RECORD)
def test_a_record_is_read_as_it_was_written(record: Record) -> None:
    with tempfile.TemporaryDirectory() as folder:
        append_record(Path(folder), record)
        assert parse_record((Path(folder) / RECORDS).read_bytes()) == record


@pytest.mark.parametrize("named", ["sweep", "none of ours"])
def test_what_a_line_seems_to_be_of_does_not_decide_what_it_is(
    make_record: Callable[..., Record], named: str
) -> None:
    values = as_json(make_record())
    values["measurement"]["software"]["versions"]["scenario"] = named
    first = {"measurement": values.pop("measurement")} | values
    record = parse_record(json.dumps(first).encode())
    assert record.trial.scenario == "training"
    assert record.measurement is not None
    assert isinstance(record.measurement.result, Training)


def as_json(record: Record) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps(asdict(record)))
    return values


def objects(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Paths to all JSON objects inside a value."""
    if isinstance(value, dict):
        yield path
        for key, inner in value.items():
            yield from objects(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from objects(inner, (*path, index))


def put(values: Any, path: tuple[str | int, ...], value: object) -> bytes:
    """The line with the value at a path replaced."""
    *parents, last = path
    inner = values
    for key in parents:
        inner = inner[key]
    inner[last] = value
    return json.dumps(values).encode()


def test_unknown_keys_are_refused_at_every_depth(make_record: Callable[..., Record]) -> None:
    paths = list(objects(as_json(make_record())))
    # record, trial, workload, optimizer, dataset, machine, code, certificate and its tolerance,
    # measurement, software, result, steady, 10 chunks, 1 doubled, ceiling, 2 epochs, and the two
    # mappings of names to versions, in which any name is known
    assert len(paths) == 29
    for path in paths:
        with pytest.raises(ValueError, match=r"Unexpected keyword|valid string"):
            parse_record(put(as_json(make_record()), (*path, "novel"), 1))


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("seconds",), "10", "seconds: Input should be a valid number"),
        (("seconds",), float("nan"), "seconds: Input should be a finite number"),
        (("seconds",), float("inf"), "seconds: Input should be a finite number"),
        (("status",), "fine", "status: Input should be 'ok', 'error'"),
        (("measurement",), None, "a measurement exactly when its status is ok"),
        (("machine", "cores"), 4.0, "machine.cores: Input should be a valid integer"),
        (("machine", "cores"), True, "machine.cores: Input should be a valid integer"),
        (("code", "dirty"), 0, "code.dirty: Input should be a valid boolean"),
        (("trial", "device"), "tpu", "trial.device: Input should be 'cpu' or 'cuda'"),
        (("trial", "precision"), "fp16", "trial.precision: Input should be 'fp32'"),
        (
            ("measurement", "result", "epochs"),
            {},
            "measurement.result.epochs: Input should be a valid array",
        ),
        (
            ("measurement", "result", "epochs", 1, "loss"),
            "2",
            "result.epochs.1.loss: Input should be",
        ),
        (("measurement", "software", "versions", "x"), 1, "versions.x: Input should be a valid"),
    ],
)
def test_wrong_values_are_refused(
    make_record: Callable[..., Record], path: tuple[str | int, ...], value: object, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem.replace(".", r"\.")):
        parse_record(put(as_json(make_record()), path, value))


@pytest.mark.parametrize("scenario", get_args(Scenario))
def test_what_is_wrong_with_a_result_is_said_of_its_own_scenario(
    make_record: Callable[..., Record], scenario: Scenario
) -> None:
    values = as_json(make_record(scenario=scenario))
    for name in values["measurement"]["result"]:
        wrong = json.loads(json.dumps(values))
        del wrong["measurement"]["result"][name]
        with pytest.raises(ValueError, match=rf"^measurement\.result\.{name}: Field required$"):
            parse_record(json.dumps(wrong).encode())
        with pytest.raises(ValueError, match=rf"^measurement\.result\.{name}: Input should be"):
            parse_record(put(json.loads(json.dumps(values)), ("measurement", "result", name), True))
    with pytest.raises(ValueError, match=r"^measurement\.result\.novel: Unexpected keyword"):
        parse_record(put(values, ("measurement", "result", "novel"), 1))


def test_a_result_is_of_the_trials_scenario_or_refused(
    make_record: Callable[..., Record],
) -> None:
    assert set(RESULTS) == set(get_args(Scenario))
    for scenario, other in permutations(get_args(Scenario), 2):
        values = as_json(make_record(scenario=scenario))
        with pytest.raises(ValueError, match=rf"result: of {scenario}, not of {other}$"):
            parse_record(put(values, ("trial", "scenario"), other))


def test_a_line_is_held_against_the_result_of_its_scenario_alone(
    make_record: Callable[..., Record],
) -> None:
    """That is the fast way; pydantic may change what a union is made of, and then it is none."""
    for scenario, other in permutations(get_args(Scenario), 2):
        line = json.dumps(as_json(make_record(scenario=scenario))).encode()
        assert validator(scenario).validate_json(line)
        with pytest.raises(ValidationError):
            validator(other).validate_json(line)


@pytest.mark.parametrize("key", ["schema", "run", "trial", "measurement", "sampled_host_bytes"])
def test_missing_values_are_refused(make_record: Callable[..., Record], key: str) -> None:
    values = as_json(make_record())
    del values[key]
    with pytest.raises(ValueError, match=key):
        parse_record(json.dumps(values).encode())


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b"1",
        b"{}",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"schema": 1' + b"0" * 5000 + b"}",
        b'{"schema": null}',
        b'{"schema": true}',
    ],
)
def test_what_is_no_record_is_refused_in_one_line(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|should be|required|schema") as caught:
        parse_record(line)
    assert str(caught.value).isprintable()
    assert 0 < len(str(caught.value)) <= 200


@pytest.mark.parametrize("extra", [{}, {"novel": 1}])
def test_other_schemas_say_what_to_do(
    make_record: Callable[..., Record], extra: dict[str, object]
) -> None:
    newer = as_json(make_record()) | {"schema": SCHEMA + 1} | extra
    with pytest.raises(ValueError, match=r"newer version of the suite: schema 4, .*update the"):
        parse_record(json.dumps(newer).encode())
    older = as_json(make_record()) | {"schema": SCHEMA - 1} | extra
    with pytest.raises(ValueError, match="older version of the suite: schema 2, this one reads 3"):
        parse_record(json.dumps(older).encode())


def test_a_bad_line_is_named(
    make_record: Callable[..., Record], write_run: Callable[..., Path]
) -> None:
    run = write_run([make_record()])
    with (run / RECORDS).open("ab") as file:
        file.write(put(as_json(make_record(block=1)), ("trial", "colour"), "red") + b"\n")
    with pytest.raises(UserError, match=r"records\.jsonl line 2: trial\.colour: Unexpected"):
        load_run(run)


def test_a_cut_off_last_line_is_left_out_and_told(
    make_record: Callable[..., Record], write_run: Callable[..., Path]
) -> None:
    run = write_run([make_record(), make_record(block=1)])
    path = run / RECORDS
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in (first + 1, first + 100, len(whole) - 2):
        path.write_bytes(whole[:end])
        loaded = load_run(run)
        assert loaded.interrupted
        assert loaded.trials["block"].tolist() == [0]
        assert loaded.epochs["trial"].tolist() == [0, 0]


def test_a_last_line_that_only_lacks_its_end_counts(
    make_record: Callable[..., Record], write_run: Callable[..., Path]
) -> None:
    run = write_run([make_record()])
    path = run / RECORDS
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    loaded = load_run(run)
    assert not loaded.interrupted
    assert len(loaded.trials) == 1


def test_a_whole_last_line_that_is_no_record_is_refused(
    make_record: Callable[..., Record], write_run: Callable[..., Path]
) -> None:
    run = write_run([make_record()])
    with (run / RECORDS).open("ab") as file:
        file.write(b'{"a": 1}')
    with pytest.raises(UserError, match="line 2"):
        load_run(run)


@pytest.mark.parametrize("middle", [b"\n", b'{"schema": 1, \n', b"\x00\n"])
def test_a_bad_line_that_is_not_the_last_is_refused(
    make_record: Callable[..., Record], write_run: Callable[..., Path], middle: bytes
) -> None:
    run = write_run([make_record()])
    path = run / RECORDS
    path.write_bytes(middle + path.read_bytes())
    with pytest.raises(UserError, match=r"line 1: .*Invalid JSON"):
        load_run(run)


CHUNK = ("measurement", "result", "steady", "chunks", 3)


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("machine", "cores"), 10**400, "cores is out of range"),
        (("measurement", "result", "peak_host_bytes"), -1, "peak_host_bytes is out of range"),
        (("trial", "block"), 2**63, "block is out of range"),
        (("measurement", "result", "epochs"), [], "measurement.result: .*at least one epoch"),
        (
            ("measurement", "result", "epochs", 1, "seconds"),
            0.0,
            "epochs.1: .*has steps, images and seconds",
        ),
        (
            ("measurement", "result", "epochs", 0, "steps"),
            0,
            "epochs.0: .*has steps, images and seconds",
        ),
        (
            ("measurement", "result", "epochs", 0, "images"),
            10**400,
            "epoch 1 has too many steps or images",
        ),
        (
            ("measurement", "result", "epochs", 0, "test_accuracy"),
            50.0,
            "epochs.0: .*a share, 0 to",
        ),
        ((*CHUNK, "wall"), 0.0, "steady.chunks.3: .*has steps, time and a calibration"),
        ((*CHUNK, "steps"), 10**400, "chunk 3 has impossible counts"),
        ((*CHUNK, "switches"), -1, "chunk 3 has impossible counts"),
        ((*CHUNK, "compilations"), -1, "chunk 3 has impossible counts"),
        ((*CHUNK, "stolen"), -0.5, "chunk 3 has negative times"),
        ((*CHUNK, "cpu"), -0.5, "chunk 3 has negative times"),
    ],
)
def test_impossible_numbers_are_refused(
    make_record: Callable[..., Record],
    tmp_path: Path,
    path: tuple[str | int, ...],
    value: object,
    problem: str,
) -> None:
    (tmp_path / RECORDS).write_bytes(put(as_json(make_record()), path, value) + b"\n")
    with pytest.raises(UserError, match=f"line 1: .*{problem}"):
        load_run(tmp_path)


@pytest.mark.parametrize(
    ("scenario", "path", "value", "problem"),
    [
        ("training", ("calibration",), 0.0, "calibration is no time"),
        ("training", ("result", "ceiling", "conv"), 0.0, "kernels took no time"),
        ("inference", ("result", "latencies"), [], "there are no calls"),
        ("inference", ("result", "chunks"), [], "there are no calls"),
        ("sweep", ("result", "rungs", 1, "chunks"), [], "a batch size has no steps"),
        ("mistakes", ("result", "unfenced"), [], "something was not timed"),
        ("energy", ("result", "images"), 0, "no images were trained on"),
        ("sweep", ("result", "rungs", 1, "batch_size"), 2**53, "a batch size is out of range"),
        ("memory", ("result", "peak_host_bytes"), 10**400, r"peak_host_bytes is out of range"),
    ],
)
def test_results_that_say_nothing_are_refused(
    make_record: Callable[..., Record],
    tmp_path: Path,
    scenario: Scenario,
    path: tuple[str | int, ...],
    value: object,
    problem: str,
) -> None:
    line = put(as_json(make_record(scenario=scenario)), ("measurement", *path), value)
    (tmp_path / RECORDS).write_bytes(line + b"\n")
    with pytest.raises(UserError, match=f"line 1: measurement.*{problem}"):
        load_run(tmp_path)


def test_a_trial_cannot_pass_for_two_repeats(
    make_record: Callable[..., Record], write_run: Callable[..., Path]
) -> None:
    run = write_run([make_record(), make_record(block=1), make_record(epoch_seconds=(3.0, 4.0))])
    with pytest.raises(UserError, match="line 3: the same trial as line 1; delete one of them"):
        load_run(run)


def test_a_trial_may_fail_and_be_repeated(
    make_record: Callable[..., Record], write_run: Callable[..., Path]
) -> None:
    failed = make_record(status="timeout", message="took too long")
    assert len(load_run(write_run([failed, failed, make_record()])).trials) == 3


def test_folders_that_are_no_runs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        load_run(tmp_path / "missing")
    with pytest.raises(UserError, match=r"neither records\.jsonl nor plan\.json"):
        load_run(tmp_path)
    (tmp_path / RECORDS).mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        load_run(tmp_path)


def test_an_empty_run_has_all_columns(tmp_path: Path) -> None:
    (tmp_path / RECORDS).touch()
    run = load_run(tmp_path)
    assert len(run.trials) == 0
    assert {*COLUMNS, "epoch_seconds", "final_loss", "final_test_accuracy"} <= set(
        run.trials.columns
    )
    assert (run.planned, run.interrupted) == (None, False)


@pytest.mark.parametrize(
    ("plan", "planned"),
    [
        ('{"run": "x", "trials": [1, 2, 3]}', 3),
        ('{"run": "x", "trials": []}', 0),
        ('{"run": "x"}', None),
        ('{"trials": 24}', None),
        ('["trials"]', None),
        ("null", None),
        ("{", None),
        ("", None),
        ("[" * 100_000, None),
        ("\x00", None),
    ],
)
def test_the_plan_is_optional_and_not_trusted(
    tmp_path: Path, plan: str, planned: int | None
) -> None:
    (tmp_path / "plan.json").write_text(plan, encoding="utf-8")
    assert load_run(tmp_path).planned == planned


def test_the_tidy_frame_says_what_the_record_says(
    make_record: Callable[..., Record], write_run: Callable[..., Path]
) -> None:
    record = make_record(block=2, position=7, epoch_seconds=(4.0, 1.0, 2.0))
    run = load_run(write_run([record]))
    row = run.trials.iloc[0].to_dict()
    expected = {
        "framework": "pytorch",
        "mode": "eager",
        "workload": "listing1",
        "batch_size": 128,
        "device": "cpu",
        "precision": "fp32",
        "threads": 1,
        "scenario": "training",
        "label": "",
        "block": 2,
        "position": 7,
        "dataset": "cifar10",
        "dataset_digest": "a" * 64,
        "status": "ok",
        "message": "",
        "versions": "numpy 2.3.0, pytorch 2.0",
        "import_seconds": 1.5,
        "build_seconds": 0.25,
        "first_step_seconds": 0.5,
        "peak_host_bytes": 512 * 2**20,
        "sampled_host_bytes": 600 * 2**20,
        "matmul_seconds": 0.01,
        # ten chunks of 2 seconds, a doubled one, and the epochs
        "timed_seconds": 31.0,
        "epoch_seconds": 2.0,
        "final_loss": 1.8,
        "final_test_accuracy": 0.5,
    }
    assert {name: row[name] for name in expected} == expected
    assert np.isnan([row["peak_device_bytes"], row["sampled_device_bytes"]]).all()
    assert run.trials["gpu"].isna().all()
    assert run.epochs["epoch"].tolist() == [1, 2, 3]
    assert run.epochs["cpu_seconds"].tolist() == [12.0, 3.0, 6.0]
    assert run.chunks["trial"].tolist() == [0] * 10
    assert run.chunks["number"].tolist() == list(range(10))
    assert run.chunks["wall"].tolist() == [2.0] * 10
    assert run.chunks["compilations"].isna().all()
    assert not any(map(len, run.results.values()))


def test_other_scenarios_are_kept_as_they_were_recorded(
    make_record: Callable[..., Record], write_run: Callable[..., Path]
) -> None:
    names: tuple[Scenario, ...] = get_args(Scenario)
    records = [make_record(scenario=scenario) for scenario in names]
    run = load_run(write_run([make_record(status="error", scenario="memory"), *records]))
    assert run.trials["scenario"].tolist() == ["memory", *names]
    of: dict[str, int] = {scenario: place for place, scenario in enumerate(names, start=1)}
    assert {scenario: own.index.tolist() for scenario, own in run.results.items()} == {
        scenario: [of[scenario]] for scenario in RESULT_COLUMNS
    }
    assert run.results["startup"].loc[of["startup"]].to_dict() == asdict(RESULTS_OF["startup"])
    assert run.results["energy"].loc[of["energy"]].to_dict() == asdict(RESULTS_OF["energy"])
    assert run.results["memory"]["peak_host_bytes"].tolist() == [332 * 2**20]
    assert run.results["memory"]["peak_device_bytes"].isna().all()
    assert run.results["inference"]["latency_p50"].tolist() == [0.0015]
    assert run.results["sweep"]["stopped"].tolist() == ["out of memory at 256"]
    assert run.epochs["trial"].unique().tolist() == [of["training"]]
    untimed = {"startup", "memory", "energy"}
    assert set(run.chunks["trial"]) == {of[name] for name in names if name not in untimed}
    rungs = run.chunks[run.chunks["trial"] == of["sweep"]]
    assert rungs["number"].tolist() == list(range(15))
    assert rungs.groupby("series")["batch_size"].unique().map(list).tolist() == [[8], [32], [128]]
    # 101 latencies of 1 to 2 ms, and 10 chunks of half a second
    inference = run.trials["scenario"] == "inference"
    assert run.trials["timed_seconds"][inference].item() == pytest.approx(0.1515 + 5)
    assert run.trials["timed_seconds"][0] == 0


def test_the_gpus_state_is_told_where_there_is_one(
    make_record: Callable[..., Record], write_run: Callable[..., Path]
) -> None:
    state = GpuState(clock_mhz=900, celsius=70, watts=None, throttled=("thermal",), processes=1)
    hot = make_record(gpu_before=replace(state, throttled=()), gpu_after=state)
    run = load_run(write_run([hot, make_record(block=1)]))
    assert run.trials["throttled"].tolist() == ["thermal", ""]
    assert run.trials["celsius_after"].tolist()[0] == 70
    assert run.trials["clock_before"].isna().tolist() == [False, True]
    assert run.trials["processes_before"].tolist()[0] == 1


def test_failures_have_no_numbers(
    make_record: Callable[..., Record], write_run: Callable[..., Path]
) -> None:
    failed = make_record(status="error", message="boom")
    run = load_run(write_run([failed, make_record(epoch_seconds=(1.0,))]))
    assert run.trials["epoch_seconds"].isna().tolist() == [True, False]
    assert run.trials["final_test_accuracy"].isna().tolist() == [True, False]
    assert run.epochs["trial"].tolist() == [1]
    assert set(run.chunks["trial"]) == {1}


def test_text_from_outside_becomes_one_printable_line(
    make_record: Callable[..., Record], write_run: Callable[..., Path]
) -> None:
    hostile = "\x1b[31mred\x1b[0m\r\nnext\x00\u202eleft\u2028\x9bend"
    failed = make_record(status="error", message=hostile, cpu=hostile)
    run = load_run(write_run([replace(failed, started=hostile)]))
    ended = Sweep(rungs=(), stopped=hostile)
    sweep = make_record(scenario="sweep", result=ended)
    (stopped,) = load_run(write_run([sweep], name="sweep")).results["sweep"]["stopped"]
    shown = r"\x1b[31mred\x1b[0m\r\nnext\x00\u202eleft\u2028\x9bend"
    assert [run.trials[name].tolist() for name in ("message", "cpu", "started")] == [[shown]] * 3
    assert stopped == shown


@given(st.text(st.characters()))
def test_plain_text_is_printable(text: str) -> None:
    assert plain(text).isprintable()
    if text.isprintable():
        assert plain(text) == text


def test_several_runs_are_one_whose_blocks_follow_each_other(
    full_records: list[Record], make_record: Builder, write_run: Writer
) -> None:
    """A block of one run is never paired with one of another."""
    first = write_run(full_records, planned=24, name="first")
    later = [replace(record, seconds=50.0) for record in full_records]
    second = write_run(later, planned=30, name="second")
    sweep = write_run([make_record(scenario="sweep", seconds=10.0)], planned=1, name="third")
    run = load_runs([first, second, sweep])
    assert run.planned == 55
    assert len(run.trials) == 49
    assert sorted(set(run.trials["block"])) == list(range(7))
    assert run.trials["record"].tolist()[:2] == ["1:1", "1:2"]
    assert run.trials["record"].tolist()[-2:] == ["2:24", "3:1"]
    alone = load_run(second)
    theirs = run.epochs[run.epochs["trial"].between(24, 47)]
    assert (theirs["trial"] - 24).tolist() == alone.epochs["trial"].tolist()
    assert theirs["seconds"].tolist() == alone.epochs["seconds"].tolist()
    assert run.chunks["trial"].unique().tolist() == list(range(49))
    assert run.results["sweep"].index.tolist() == [48]
    (section, *_) = build_sections(run)
    assert set(section["ratios"].rows["blocks"]) == {6}


def test_two_machines_stand_side_by_side(make_record: Builder, write_run: Writer) -> None:
    arms = [("pytorch", "eager"), ("jax", "jit")]
    here, there = (
        write_run(
            [
                make_record(framework=f, mode=m, block=b, inputs=str(b), cpu=cpu, seconds=10.0 + b)
                for b in range(3)
                for f, m in arms
            ],
            name=cpu,
        )
        for cpu in ("here", "there")
    )
    sections = build_sections(load_runs([here, there]))
    assert [section.identity["cpu"] for section in sections] == ["here", "there"]
    assert [section["ratios"].rows["blocks"].item() for section in sections] == [3, 3]


def test_one_run_is_itself(make_record: Builder, write_run: Writer) -> None:
    folder = write_run([make_record()])
    assert load_runs([folder]).trials["record"].tolist() == ["1"]


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make every line a part of its own, for so many processors."""

    def cut(processors: int) -> None:
        monkeypatch.setattr(parts, "SMALLEST", 1)
        monkeypatch.setattr(parts, "LARGEST", 1)
        monkeypatch.setattr(parts, "ALONE", 1)
        monkeypatch.setattr(parts, "processors", lambda: processors)

    return cut


@pytest.mark.parametrize("processors", [1, 2])
def test_parts_of_a_file_are_one_run(
    make_record: Builder, write_run: Writer, in_parts: Callable[[int], None], processors: int
) -> None:
    names: tuple[Scenario, ...] = get_args(Scenario)
    several = [make_record(scenario=name, block=block) for block in range(2) for name in names]
    folder = write_run([make_record(status="error", message="boom"), *several])
    whole = load_run(folder)
    in_parts(processors)
    found = load_run(folder)
    pd.testing.assert_frame_equal(found.trials, whole.trials)
    pd.testing.assert_frame_equal(found.epochs, whole.epochs)
    pd.testing.assert_frame_equal(found.chunks, whole.chunks)
    for scenario, results in whole.results.items():
        pd.testing.assert_frame_equal(found.results[scenario], results)


@pytest.mark.parametrize("processors", [1, 2])
def test_files_are_read_at_once_and_each_is_itself(
    make_record: Builder, write_run: Writer, in_parts: Callable[[int], None], processors: int
) -> None:
    folders = [
        write_run([make_record(block=block) for block in range(of)], name=f"{of} blocks")
        for of in (3, 2, 4)
    ]
    alone = [load_run(folder) for folder in folders]
    in_parts(processors)
    missing = folders[0] / "missing.jsonl"
    paths = [folder / RECORDS for folder in folders]
    with parts.reading([*paths, missing, paths[0]]) as begun:
        # In any order, and again.
        for place in (1, 0, 2, 1):
            found = [one.tidy.trials for one in begun.parts(paths[place])]
            rows = pd.concat(found, ignore_index=True)
            pd.testing.assert_frame_equal(
                rows.assign(record=alone[place].trials["record"]), alone[place].trials
            )
        with pytest.raises(FileNotFoundError):
            next(begun.parts(missing))


@pytest.mark.parametrize("trouble", [BrokenProcessPool("killed"), OSError(28, "no room")])
def test_what_a_helper_cannot_do_is_done_here(
    make_record: Builder, write_run: Writer, trouble: Exception
) -> None:
    path = write_run([make_record(block=block) for block in range(3)]) / RECORDS
    span = (path, 0, path.stat().st_size)
    failed: Future[Path] = Future()
    failed.set_running_or_notify_cancel()
    failed.set_exception(trouble)
    (part,) = parts.Reading(spans=(span,), theirs={span: failed}, troubles={}).parts(path)
    assert part.lines == 3


def test_what_is_not_asked_for_is_not_read_to_its_end(
    make_record: Builder, write_run: Writer, in_parts: Callable[[int], None]
) -> None:
    in_parts(2)
    folder = write_run([make_record(block=block) for block in range(40)])
    with parts.reading([folder / RECORDS]) as begun:
        pass
    assert sum(future.cancelled() for future in begun.theirs.values()) > 30


@pytest.mark.parametrize("processors", [1, 2])
def test_the_first_bad_line_of_all_parts_is_named(
    make_record: Builder, write_run: Writer, in_parts: Callable[[int], None], processors: int
) -> None:
    in_parts(processors)
    folder = write_run([make_record(block=block) for block in range(4)])
    path = folder / RECORDS
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"{}\n", lines[2], b"[]\n", lines[3]]))
    with pytest.raises(UserError, match=r"records\.jsonl line 3: schema: Field required"):
        load_run(folder)
    path.write_bytes(b"".join(lines)[:-2])
    cut = load_run(folder)
    assert (cut.interrupted, len(cut.trials)) == (True, 3)


def test_records_are_dropped_once_they_are_columns(
    make_record: Builder, write_run: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_run([make_record(block=block) for block in range(20)])
    alive = []

    def watched(line: bytes) -> Record:
        alive.append(sum(isinstance(one, Record) for one in gc.get_objects()))
        return parse_record(line)

    monkeypatch.setattr(part, "parse_record", watched)
    run = load_run(folder)
    assert len(run.trials) == len(alive) == 20
    assert max(alive) - alive[0] <= 1
