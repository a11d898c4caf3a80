"""From records to tidy frames: which columns there are, and what of a record fills them."""

import sys
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import inf, nan

import pandas as pd

from bench.certificate import Certificate
from bench.records import (
    Calibration,
    Chunk,
    Energy,
    Example,
    GpuState,
    Inference,
    Measurement,
    Mistakes,
    Overhead,
    Pipeline,
    Record,
    Result,
    Startup,
    Sweep,
    Training,
)
from bench.workloads import Optimizer
from report.text import plain


class Frames:
    """Records, turned into columns one by one; 100,000 of them may have millions of chunks."""

    def __init__(self) -> None:
        self._trials: dict[str, list[object]] = {name: [] for name in COLUMNS}
        self._epochs = {name: array("d") for name in _EPOCH_COLUMNS}
        self._chunks = {name: array("d") for name in _CHUNK_COLUMNS}
        self.results: dict[int, Result] = {}
        """What trials of other scenarios than training measured, by row of ``trials``."""

    def append(self, record: Record) -> None:
        """Add a record; raise ``ValueError`` for numbers that no trial can have."""
        trial = len(self._trials["run"])
        if record.measurement is not None:
            _check(record.measurement)
        for name, (_, get) in COLUMNS.items():
            value = get(record)
            if isinstance(value, str):
                value = sys.intern(plain(value))
            elif isinstance(value, int) and not 0 <= value < 2**63:
                raise ValueError(f"{name} is out of range")
            self._trials[name].append(value)
        if record.measurement is None:
            return
        result = record.measurement.result
        if not isinstance(result, Training):
            self.results[trial] = _printable(result)
            return
        for number, epoch in enumerate(result.epochs, start=1):
            _append_row(self._epochs, {"trial": trial, "epoch": number}, epoch)
        for number, chunk in enumerate(result.steady.chunks):
            _append_row(self._chunks, {"trial": trial, "number": number}, chunk)

    def trials(self) -> pd.DataFrame:
        """A row for each record, in the order appended, with ``COLUMNS`` and what epochs add."""
        trials = pd.DataFrame(
            {
                name: pd.Series(self._trials[name], dtype=dtype)
                for name, (dtype, _) in COLUMNS.items()
            }
        )
        _add_epoch_results(trials, self.epochs())
        return trials

    def epochs(self) -> pd.DataFrame:
        """A row for each timed epoch."""
        return _frame(self._epochs, _EPOCH_COLUMNS)

    def chunks(self) -> pd.DataFrame:
        """A row for each chunk of steady training."""
        return _frame(self._chunks, _CHUNK_COLUMNS)


def _frame(columns: Mapping[str, "array[float]"], types: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {name: pd.Series(columns[name], dtype=dtype) for name, dtype in types.items()}
    )


def _measured(get: Callable[[Measurement], object]) -> Callable[[Record], object]:
    """Make a getter of a record that gives None where nothing was measured."""
    return lambda record: None if record.measurement is None else get(record.measurement)


def _trained(get: Callable[[Training], object]) -> Callable[[Record], object]:
    """Make a getter of a record that gives None where no training was measured."""

    def of(record: Record) -> object:
        result = record.measurement and record.measurement.result
        return get(result) if isinstance(result, Training) else None

    return of


def _gpu(get: Callable[[GpuState], object], which: str) -> Callable[[Record], object]:
    """Make a getter of a record that gives None where there is no state of a GPU."""

    def of(record: Record) -> object:
        state = record.gpu_before if which == "before" else record.gpu_after
        return None if state is None else get(state)

    return of


def _throttled(record: Record) -> str:
    """Why the GPU's clock was held down, before or after."""
    states = (record.gpu_before, record.gpu_after)
    return ", ".join(sorted({reason for state in states if state for reason in state.throttled}))


def _timed_seconds(record: Record) -> float:
    """Wall time that a trial spent being timed, all else being preparation."""
    result = record.measurement and record.measurement.result
    seconds = sum(chunk.wall for chunk in chunks_of(result)) if result else 0.0
    match result:
        case Training():
            seconds += sum(chunk.wall for chunk in result.steady.doubled)
            seconds += sum(epoch.seconds for epoch in result.epochs)
        case Inference():
            seconds += sum(result.latencies)
        case Startup():
            seconds += result.cold_seconds + result.cached_seconds
        case Energy():
            seconds += result.seconds
        case Pipeline():
            seconds += result.first_batch_seconds
    return seconds


def chunks_of(result: Result) -> Iterator[Chunk]:
    """All chunks that a trial timed, but for those twice as long."""
    match result:
        case Training():
            yield from result.steady.chunks
        case Inference():
            yield from result.chunks
        case Sweep():
            for rung in result.rungs:
                yield from rung.chunks
        case Calibration():
            for series in result.series:
                yield from series.chunks
        case _:
            for name in _IN_TURNS.get(type(result), ()):
                yield from getattr(result, name)


_IN_TURNS: Mapping[type[Result], tuple[str, ...]] = {
    Pipeline: ("alone", "resident", "through"),
    Overhead: ("trainer", "bare"),
    Example: ("trainer", "example"),
    Mistakes: ("right", "fed", "scored", "unfenced", "tf32"),
}
"""What is timed beside each other: fields of results that are chunks."""


def _printable(result: Result) -> Result:
    return replace(result, stopped=plain(result.stopped)) if isinstance(result, Sweep) else result


def _schedule(optimizer: Optimizer) -> str:
    return ", ".join(f"times {factor:g} from step {step}" for step, factor in optimizer.schedule)


def _deviation(certificate: Certificate | None) -> float | None:
    """The largest deviation of what is compared tightly: before, and in, the first step."""
    if certificate is None:
        return None
    first = (certificate.first_logits, certificate.first_loss, certificate.first_update)
    return max(inf if value is None else value for value in first)


def _listing(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))


COLUMNS: Mapping[str, tuple[str, Callable[[Record], object]]] = {
    "run": ("str", lambda r: r.run),
    "framework": ("str", lambda r: r.trial.framework),
    "mode": ("str", lambda r: r.trial.mode),
    "workload": ("str", lambda r: r.trial.workload.name),
    "network": ("str", lambda r: r.trial.workload.network),
    "batch_size": ("int64", lambda r: r.trial.workload.batch_size),
    "learning_rate": ("float64", lambda r: r.trial.workload.optimizer.learning_rate),
    "momentum": ("float64", lambda r: r.trial.workload.optimizer.momentum),
    "nesterov": ("bool", lambda r: r.trial.workload.optimizer.nesterov),
    "weight_decay": ("float64", lambda r: r.trial.workload.optimizer.weight_decay),
    "schedule": ("str", lambda r: _schedule(r.trial.workload.optimizer)),
    "dropout": ("bool", lambda r: r.trial.workload.dropout),
    "augmentation": ("bool", lambda r: r.trial.workload.augmentation),
    "device": ("str", lambda r: r.trial.device),
    "precision": ("str", lambda r: r.trial.precision),
    "threads": ("int64", lambda r: r.trial.threads),
    "allocator": ("str", lambda r: r.trial.allocator),
    "scenario": ("str", lambda r: r.trial.scenario),
    "label": ("str", lambda r: r.trial.label),
    "plain": ("str", lambda r: r.trial.plain),
    "source": ("str", lambda r: r.trial.source),
    "images": ("int64", lambda r: r.trial.images),
    "trial_batch_size": ("int64", lambda r: r.trial.batch_size),
    "least_seconds": ("float64", lambda r: r.trial.seconds),
    "block": ("int64", lambda r: r.trial.block),
    "seed": ("int64", lambda r: r.trial.seed),
    "train_images": ("int64", lambda r: r.trial.train_images),
    "test_images": ("int64", lambda r: r.trial.test_images),
    "epochs": ("int64", lambda r: r.trial.epochs),
    "position": ("int64", lambda r: r.position),
    "started": ("str", lambda r: r.started),
    "seconds": ("float64", lambda r: r.seconds),
    "status": ("str", lambda r: r.status),
    "message": ("str", lambda r: r.message),
    "dataset": ("str", lambda r: r.dataset.name),
    "dataset_digest": ("str", lambda r: r.dataset.digest),
    "system": ("str", lambda r: r.machine.system),
    "cpu": ("str", lambda r: r.machine.cpu),
    "cores": ("int64", lambda r: r.machine.cores),
    "memory_bytes": ("int64", lambda r: r.machine.memory_bytes),
    "gpu": ("str", lambda r: r.machine.gpu),
    "gpu_driver": ("str", lambda r: r.machine.gpu_driver),
    "commit": ("str", lambda r: r.code.commit),
    "dirty": ("bool", lambda r: r.code.dirty),
    "code_digest": ("str", lambda r: r.code.digest),
    "deviation": ("float64", lambda r: _deviation(r.certificate)),
    "python": ("str", _measured(lambda m: m.software.python)),
    "versions": ("str", _measured(lambda m: _listing(m.software.versions))),
    "libraries": ("str", _measured(lambda m: _listing(m.software.libraries))),
    "inputs": ("str", _measured(lambda m: m.inputs)),
    "timed_epochs": ("float64", _trained(lambda t: len(t.epochs))),
    "import_seconds": ("float64", _measured(lambda m: m.import_seconds)),
    "build_seconds": ("float64", _measured(lambda m: m.build_seconds)),
    "first_step_seconds": ("float64", _measured(lambda m: m.first_step_seconds)),
    "peak_host_bytes": ("float64", _trained(lambda t: t.peak_host_bytes)),
    "peak_device_bytes": ("float64", _trained(lambda t: t.peak_device_bytes)),
    "matmul_seconds": ("float64", _trained(lambda t: t.ceiling.matmul)),
    "conv_seconds": ("float64", _trained(lambda t: t.ceiling.conv)),
    "copy_seconds": ("float64", _trained(lambda t: t.ceiling.copy)),
    "calibration_before": ("float64", _measured(lambda m: m.calibration)),
    "threads_used": ("float64", _measured(lambda m: m.threads_used)),
    "sampled_host_bytes": ("float64", lambda r: r.sampled_host_bytes),
    "sampled_device_bytes": ("float64", lambda r: r.sampled_device_bytes),
    "timed_seconds": ("float64", _timed_seconds),
    "clock_before": ("float64", _gpu(lambda state: state.clock_mhz, "before")),
    "clock_after": ("float64", _gpu(lambda state: state.clock_mhz, "after")),
    "celsius_before": ("float64", _gpu(lambda state: state.celsius, "before")),
    "celsius_after": ("float64", _gpu(lambda state: state.celsius, "after")),
    "processes_before": ("float64", _gpu(lambda state: state.processes, "before")),
    "throttled": ("str", _throttled),
}
"""Columns of ``Run.trials``: name to type and getter; ``_add_epoch_results`` adds three more."""

_EPOCH_COLUMNS: Mapping[str, str] = {
    "trial": "int64",
    "epoch": "int64",
    "steps": "int64",
    "images": "int64",
    "seconds": "float64",
    "cpu_seconds": "float64",
    "loss": "float64",
    "test_accuracy": "float64",
}

_CHUNK_COLUMNS: Mapping[str, str] = {
    "trial": "int64",
    "number": "int64",
    "steps": "int64",
    "wall": "float64",
    "cpu": "float64",
    "calibration": "float64",
    "switches": "int64",
    "stolen": "float64",
    "compilations": "float64",
}


def _check(measurement: Measurement) -> None:
    """Raise ``ValueError`` for what no trial can have measured."""
    result = measurement.result
    if not measurement.calibration > 0:
        raise ValueError("measurement.calibration is no time")
    if problem := _impossible(result):
        raise ValueError(f"measurement.result: {problem}")
    for number, chunk in enumerate(chunks_of(result)):
        counts = (chunk.steps, chunk.switches, chunk.compilations or 0)
        if min(counts) < 0 or max(counts) >= 2**53:  # would not be exact in the arrays
            raise ValueError(f"chunk {number} has impossible counts")
        if chunk.cpu < 0 or chunk.stolen < 0:
            raise ValueError(f"chunk {number} has negative times")
    for number, epoch in enumerate(result.epochs if isinstance(result, Training) else (), start=1):
        if max(epoch.steps, epoch.images) >= 2**53:
            raise ValueError(f"epoch {number} has too many steps or images")


def _impossible(result: Result) -> str:
    """What no result can be, as a clause; empty if it may be."""
    match result:
        case Training(ceiling=ceiling) if min(ceiling.matmul, ceiling.conv, ceiling.copy) <= 0:
            return "the ceiling's kernels took no time"
        case Inference() if not (result.latencies and result.chunks and result.batch_size > 0):
            return "there are no calls"
        case Sweep() if not all(rung.chunks and rung.batch_size > 0 for rung in result.rungs):
            return "a batch size has no steps"
        case Mistakes() if not all((result.right, result.fed, result.scored, result.unfenced)):
            return "something was not timed"
        case Energy() if result.images < 1:
            return "no images were trained on"
        case Pipeline() if not (result.alone and result.resident and result.through):
            return "nothing was read, or nothing trained"
    return ""


def _append_row(
    columns: Mapping[str, "array[float]"], known: Mapping[str, int], value: object
) -> None:
    """Add a row: what is ``known``, and attributes of ``value``."""
    for name, column in columns.items():
        cell = known[name] if name in known else getattr(value, name)
        column.append(nan if cell is None else cell)


def _add_epoch_results(trials: pd.DataFrame, epochs: pd.DataFrame) -> None:
    """Add what a trial's epochs say of it: its median epoch, the last loss and accuracy."""
    of_trial = epochs.groupby("trial")
    trials["epoch_seconds"] = of_trial["seconds"].median().reindex(trials.index)
    last = of_trial.last()
    trials["final_loss"] = last["loss"].reindex(trials.index)
    trials["final_test_accuracy"] = last["test_accuracy"].reindex(trials.index)
