"""A run's records in the formats of other tools: ``python -m bench export RUN --to FORMAT``.

``pytest-benchmark`` is a file as that tool's ``--benchmark-json`` writes it: a benchmark for each
arm of each workload, whose rounds are processes. ``mllog`` are lines as MLPerf's logging library
writes them, one training after the other. What they hold, and what not: ``docs/perf.md``.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from math import fsum
from pathlib import Path
from statistics import fmean, stdev
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np

from bench import files
from bench.arguments import Parser
from bench.certificate import worst
from bench.errors import UserError
from bench.records import RECORDS, Machine, Measurement, Record, Training
from report.load import PLAN, Run, load_run
from report.parse import parse_record
from report.processes import find_processes
from report.sections import Section, build_sections
from report.text import plain

FORMAT = "5.3.1"
"""The version of pytest-benchmark whose format is written."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write an export; return 2 if there was an error, else 0."""
    parser = Parser(
        prog="python -m bench export",
        description="Write a run's records in the format of another tool.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    parser.add_argument("--to", required=True, choices=tuple(FORMATS), help="the format")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="in the place of standard output"
    )
    try:
        options = parser.parse_args(arguments)
        _write(FORMATS[options.to](options.run), options.output)
    except UserError as error:
        print(f"error: {plain(str(error))}", file=sys.stderr)
        return 2
    return 0


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    if output.is_dir() or output.name in (RECORDS, PLAN):
        raise UserError(f"--output {output}: a folder, or a file of a run's own; name another file")
    try:
        files.replace(output, text)
    except OSError as error:
        raise UserError(f"--output {output}: cannot be written ({error.strerror})") from None


def _records(folder: Path, run: Run) -> Iterator[Record]:
    """The records of the lines that ``run`` was read from: a line cut off is not among them."""
    if len(run.trials):
        with (folder / RECORDS).open("rb") as file:
            yield from map(parse_record, islice(file, len(run.trials)))


def pytest_benchmark(folder: Path) -> str:
    """Steady seconds per step of every arm and workload, as JSON that pytest-benchmark reads.

    The trials are those of the report's comparison. Raises ``UserError`` as ``load_run`` does, if
    none counts, or if some may not be compared with others.
    """
    run = load_run(folder)
    section = _comparable(folder, build_sections(run))
    processes = find_processes(run)
    steps = {
        trial: float(np.median(processes[trial].wall))
        for trial in section.compared
        if len(processes[trial].wall)
    }
    if not steps:
        raise UserError(f"{folder}: no training in it has a steady step; its report says why")
    cells = defaultdict(list)
    for number, record in enumerate(_records(folder, run)):
        if number in steps:
            key = (record.trial.workload.name, record.trial.framework, record.trial.mode)
            cells[key].append((record, steps[number]))
    records = [record for cell in cells.values() for record, _ in cell]
    try:
        document = {
            "machine_info": _machine(records[0].machine),
            "commit_info": _commit(records),
            "benchmarks": [
                _benchmark(
                    [record for record, _ in cell],
                    [seconds for _, seconds in cell],
                    section.problems,
                )
                for _, cell in sorted(cells.items())
            ],
            "datetime": max(record.started for record in records),
            "version": FORMAT,
        }
        return json.dumps(document, indent=4, allow_nan=False) + "\n"
    except (OverflowError, ValueError):
        raise UserError(f"{folder}: its steps took longer or shorter than any step can") from None


def _comparable(folder: Path, sections: Sequence[Section]) -> Section:
    """The section that has steady training. Raises ``UserError`` unless there is one."""
    found = [section for section in sections if section.compared]
    if not found:
        raise UserError(f"{folder}: no training in it counts; its report says why")
    if len(found) > 1:
        values = zip(*(section.identity.values() for section in found), strict=True)
        differing = [
            name for name, of in zip(found[0].identity, values, strict=True) if len(set(of)) > 1
        ]
        raise UserError(
            f"{folder}: its trainings differ in {', '.join(differing)} and never share a file; "
            "export runs that have one of each"
        )
    return found[0]


def _machine(machine: Machine) -> dict[str, Any]:
    system, _, release = machine.system.partition(" ")
    return {
        "system": system,
        "release": release,
        "processor": machine.cpu,
        "cpu": {"brand_raw": machine.cpu, "count": machine.cores},
        "memory_bytes": machine.memory_bytes,
        "gpu": machine.gpu,
        "gpu_driver": machine.gpu_driver,
    }


def _commit(records: Sequence[Record]) -> dict[str, Any]:
    """What is measured is the suite's checkout; records do not know its branch or its times."""
    commits = {record.code.commit for record in records}
    return {
        "id": (commits.pop() if len(commits) == 1 else None) or "unversioned",
        "time": None,
        "author_time": None,
        "dirty": any(record.code.dirty for record in records),
        "project": None,
        "branch": "(unknown)",
    }


def _benchmark(
    records: Sequence[Record], steps: Sequence[float], problems: Sequence[str]
) -> dict[str, Any]:
    """One arm of one workload: ``steps`` are seconds, one of each record's process."""
    trial = records[0].trial
    arm = {"framework": trial.framework, "mode": trial.mode, "workload": trial.workload.name}
    param = "-".join(arm.values())
    return {
        "group": f"training step, {trial.workload.name}",
        "name": f"step[{param}]",
        "fullname": f"training::step[{param}]",
        "params": arm,
        "param": param,
        "extra_info": {
            **arm,
            "unit": "seconds per training step: each process' median over its steady stretch",
            "processes": len(records),
            "run": records[0].run,
            **_conditions(records[0]),
            "certificate": asdict(worst(of.certificate for of in records if of.certificate)),
            "problems": list(problems),
        },
        "options": {"disable_gc": True, "timer": "perf_counter"},
        "stats": _stats(steps),
    }


def _conditions(record: Record) -> dict[str, object]:
    """What a result holds for: of an arm's records that are compared all is the same."""
    trial = record.trial
    return {
        "network": trial.workload.network,
        "batch_size": trial.workload.batch_size,
        "device": trial.device,
        "precision": trial.precision,
        "threads": trial.threads,
        "allocator": trial.allocator,
        "train_images": trial.train_images,
        "dataset": asdict(record.dataset),
        "code": record.code.digest,
        **(asdict(record.measurement.software) if record.measurement else {}),
    }


def _stats(data: Sequence[float]) -> dict[str, Any]:
    """What pytest-benchmark says of rounds that took so many seconds.

    Its quartiles are Hazen's: of N values in order, the one at place ``N q - 1/2``, from 0.
    """
    mean = fmean(data)
    deviation = stdev(data) if len(data) > 1 else 0.0
    low, middle, high = np.quantile(data, (0.25, 0.5, 0.75), method="hazen").tolist()
    reach = 1.5 * (high - low)
    within = [value for value in data if low - reach <= value <= high + reach]
    beyond = sum(abs(value - mean) > deviation for value in data)
    outliers = len(data) - len(within)
    return {
        "min": min(data),
        "max": max(data),
        "mean": mean,
        "stddev": deviation,
        "rounds": len(data),
        "median": middle,
        "iqr": high - low,
        "q1": low,
        "q3": high,
        "iqr_outliers": outliers,
        "stddev_outliers": beyond,
        "outliers": f"{beyond};{outliers}",
        "ld15iqr": min(within),
        "hd15iqr": max(within),
        "ops": 1 / mean,
        "total": fsum(data),
        "data": list(data),
        "iterations": 1,
    }


def mllog(folder: Path) -> str:
    """Every trial of training as lines of MLPerf's log, failed ones too, in the order recorded.

    Raises ``UserError`` as ``load_run`` does, if there is none, or for times that cannot be.
    """
    lines: list[str] = []
    for number, record in enumerate(_records(folder, load_run(folder)), start=1):
        if record.trial.scenario == "training":
            try:
                lines += _lines(record, number)
            except (OverflowError, ValueError):
                where = f"{folder / RECORDS} line {number}"
                raise UserError(f"{where}: times that no trial can have") from None
    if not lines:
        raise UserError(f"{folder}: no training is recorded in it")
    return "".join(f":::MLLOG {line}\n" for line in lines)


class _Event(NamedTuple):
    kind: Literal["INTERVAL_START", "INTERVAL_END", "POINT_IN_TIME"]
    key: str
    value: object = None
    after: float = 0.0
    """Seconds from the trial's start, which alone is a recorded point in time."""
    metadata: Mapping[str, object] = MappingProxyType({})


def _lines(record: Record, number: int) -> Iterator[str]:
    """The events of the record in line ``number``, as JSON. Raises ``ValueError``."""
    begun = datetime.fromisoformat(record.started)
    # Records say UTC; a text that names no zone must not be taken for this machine's.
    start = (begun if begun.tzinfo else begun.replace(tzinfo=UTC)).timestamp()
    for event in _events(record):
        if event.after < 0:
            raise ValueError(f"{event.key} is before the start")
        said = {
            "namespace": "",
            "time_ms": round(1000 * (start + event.after)),
            "event_type": event.kind,
            "key": event.key,
            "value": event.value,
            "metadata": {
                "file": RECORDS,
                "lineno": number,
                "time": "derived" if event.after else "recorded",
                **event.metadata,
            },
        }
        yield json.dumps(said, allow_nan=False)


def _events(record: Record) -> Iterator[_Event]:
    trial, optimizer = record.trial, record.trial.workload.optimizer
    settings: dict[str, object] = {
        "submission_platform": record.machine.gpu or record.machine.cpu,
        "seed": trial.seed,
        "global_batch_size": trial.workload.batch_size,
        "train_samples": trial.train_images,
        "eval_samples": trial.test_images,
        "opt_name": "sgd",
        "opt_base_learning_rate": optimizer.learning_rate,
        "opt_momentum": optimizer.momentum,
        "opt_weight_decay": optimizer.weight_decay,
    }
    yield _Event(
        "POINT_IN_TIME", "submission_benchmark", trial.workload.name, metadata=_said(record)
    )
    for key, value in settings.items():
        yield _Event("POINT_IN_TIME", key, value)
    if optimizer.schedule:
        steps, factors = zip(*optimizer.schedule, strict=True)
        yield _Event("POINT_IN_TIME", "opt_learning_rate_decay_boundary_steps", steps)
        yield _Event("POINT_IN_TIME", "opt_learning_rate_decay_factor", factors)
    match record.measurement:
        case Measurement(result=Training() as training):
            yield from _trained(record.measurement, training)
        case _:
            reason = {"status": "aborted", "reason": f"{record.status}: {record.message}"}
            yield _Event("INTERVAL_START", "run_start")
            yield _Event("INTERVAL_END", "run_stop", after=record.seconds, metadata=reason)


def _said(record: Record) -> dict[str, object]:
    """What MLPerf's log has no keys for."""
    trial = record.trial
    return {
        "run": record.run,
        "trial": trial.name,
        "framework": trial.framework,
        "mode": trial.mode,
        **_conditions(record),
        "certificate": record.certificate and asdict(record.certificate),
    }


def _trained(measured: Measurement, training: Training) -> Iterator[_Event]:
    """Preparation and epochs, laid end to end: each is as early as it can have been.

    Records hold how long these took, and not what lay between them: the certificate, calibrations
    and evaluations. Steady steps, which come before the epochs, are left out of the run.
    """
    prepared = measured.import_seconds + measured.build_seconds + measured.first_step_seconds
    steady = (*training.steady.chunks, *training.steady.doubled)
    after = prepared + fsum(chunk.wall for chunk in steady)
    yield _Event("INTERVAL_START", "init_start")
    yield _Event("INTERVAL_END", "init_stop", after=prepared)
    yield _Event("INTERVAL_START", "run_start", after=after)
    for number, epoch in enumerate(training.epochs, start=1):
        which = {"epoch_num": number}
        did = {**which, "steps": epoch.steps, "samples": epoch.images, "loss": epoch.loss}
        yield _Event("INTERVAL_START", "epoch_start", after=after, metadata=which)
        after += epoch.seconds
        yield _Event("INTERVAL_END", "epoch_stop", after=after, metadata=did)
        yield _Event("POINT_IN_TIME", "eval_accuracy", epoch.test_accuracy, after, which)
    yield _Event("INTERVAL_END", "run_stop", after=after, metadata={"status": "success"})


FORMATS: Mapping[str, Callable[[Path], str]] = {
    "pytest-benchmark": pytest_benchmark,
    "mllog": mllog,
}


if __name__ == "__main__":
    sys.exit(main())
