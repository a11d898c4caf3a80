"""From records to tidy frames: which columns there are, and what of a record fills them."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from math import inf, nan
from operator import attrgetter
from typing import cast

import numpy as np
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
    Memory,
    Mistakes,
    Overhead,
    Pipeline,
    Record,
    Regression,
    Result,
    Startup,
    Sweep,
    Training,
)
from bench.workloads import Optimizer
from report.lengths import of_a_length
from report.text import plain


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tidy:
    """Records as frames; ``report.load.Run`` says what is in them."""

    trials: pd.DataFrame
    """One row per record: ``COLUMNS``, and what epochs add."""
    epochs: pd.DataFrame
    chunks: pd.DataFrame
    results: Mapping[str, pd.DataFrame]


def joined(parts: Sequence[Tidy]) -> Tidy:
    """One below the other: trials are numbered on, everywhere."""
    starts = np.cumsum([0, *(len(part.trials) for part in parts)]).tolist()
    shifted = list(zip(parts, starts, strict=False))
    return Tidy(
        trials=pd.concat([part.trials for part in parts], ignore_index=True),
        epochs=pd.concat(
            [part.epochs.assign(trial=part.epochs["trial"] + start) for part, start in shifted],
            ignore_index=True,
        ),
        chunks=pd.concat(
            [part.chunks.assign(trial=part.chunks["trial"] + start) for part, start in shifted],
            ignore_index=True,
        ),
        results={
            name: pd.concat(
                [
                    part.results[name].set_axis(part.results[name].index + start)
                    for part, start in shifted
                ]
            )
            for name in RESULT_COLUMNS
        },
    )


class Frames:
    """Records, turned into columns one by one; 100,000 of them may have millions of chunks."""

    def __init__(self) -> None:
        self._texts = _Texts()
        self._written: list[tuple[str | None, ...]] = []
        self._counted: list[tuple[object, ...]] = []
        self._epochs = [array("d") for _ in _EPOCH_COLUMNS]
        self._series = [array("d") for _ in _SERIES_COLUMNS]
        self._chunks = array("d")
        self._compilations = array("d")
        self._results: dict[str, list[tuple[object, ...]]] = {name: [] for name in RESULT_COLUMNS}

    def append(self, record: Record) -> None:
        """Add a record; raise ``ValueError`` for numbers that no trial can have."""
        trial = len(self._written)
        if record.measurement is not None:
            _check(record.measurement)
        self._written.append(tuple(map(self._texts.__getitem__, _TEXTS(record))))
        self._counted.append(_numbers(record))
        if record.measurement is None:
            return
        result = record.measurement.result
        series = list(series_of(result))
        _extend(self._series, _columns(_series_rows(trial, series)))
        for _, chunks in series:
            self._chunks.extend(chain.from_iterable(map(_CELLS, chunks)))
            self._compilations.extend(
                [nan if chunk.compilations is None else chunk.compilations for chunk in chunks]
            )
        if isinstance(result, Training):
            _extend(self._epochs, _columns(_epoch_rows(trial, result)))
        elif kept := _kept(result):
            self._results[record.trial.scenario].append((trial, *kept))

    def tidy(self) -> Tidy:
        """What was appended, in that order."""
        epochs = _frame(self._epochs, _EPOCH_COLUMNS)
        return Tidy(
            trials=self._trial_rows(epochs),
            epochs=epochs,
            chunks=self._chunk_rows(),
            results=self._result_rows(),
        )

    def _trial_rows(self, epochs: pd.DataFrame) -> pd.DataFrame:
        cells = {
            **dict(zip(_TEXTS.names, zip(*self._written, strict=True), strict=False)),
            **dict(zip(_NUMBERS.names, zip(*self._counted, strict=True), strict=False)),
        }
        trials = pd.DataFrame(
            {
                name: pd.Series(list(cells.get(name, ())), dtype=dtype)
                for name, (dtype, _) in COLUMNS.items()
            }
        )
        _add_epoch_results(trials, epochs)
        return trials

    def _chunk_rows(self) -> pd.DataFrame:
        series = _frame(self._series, _SERIES_COLUMNS)
        known = series.loc[series.index.repeat(series.pop("chunks"))].reset_index(drop=True)
        number = known.groupby("trial").cumcount()
        cells = np.array(self._chunks).reshape(-1, len(_CHUNK_COLUMNS))
        timed = pd.DataFrame(
            {
                name: cells[:, place].astype(of)
                for place, (name, of) in enumerate(_CHUNK_COLUMNS.items())
            }
        )
        known = known.assign(number=number)
        return pd.concat([known, timed], axis="columns").assign(
            compilations=np.array(self._compilations)
        )

    def _result_rows(self) -> dict[str, pd.DataFrame]:
        rows = {**self._results, "inference": _with_quantiles(self._results["inference"])}
        return {
            scenario: pd.DataFrame(rows[scenario], columns=pd.Index(["trial", *columns]))
            .astype({"trial": "int64", **columns})
            .set_index("trial")
            for scenario, columns in RESULT_COLUMNS.items()
        }


class _Texts(dict[object, str | None]):
    """Texts as columns hold them: printable, and each of them once; None stays None."""

    def __missing__(self, text: object) -> str | None:
        return self.setdefault(text, None if text is None else plain(str(text)))


def _numbers(record: Record) -> tuple[object, ...]:
    """As ``_NUMBERS``; raises ``ValueError`` where a column cannot hold one."""
    cells = _NUMBERS(record)
    whole = [cell for cell in cells if type(cell) is int]
    if min(whole) < 0 or max(whole) >= _LARGEST:
        for name, cell in zip(_NUMBERS.names, cells, strict=True):
            _number(name, cell)
    return cells


def _number(name: str, value: object) -> object:
    """A number that a column can hold, or None; raises ``ValueError`` for others."""
    if isinstance(value, int) and not 0 <= value < _LARGEST:
        raise ValueError(f"{name} is out of range")
    return value


def _extend(columns: Sequence["array[float]"], more: Iterable[Sequence[float]]) -> None:
    """Add cells to each of the columns; to none where there are none to add."""
    for column, cells in zip(columns, more, strict=False):
        column.extend(cells)


def _columns(rows: Iterable[Sequence[float]]) -> Iterator[tuple[float, ...]]:
    return zip(*rows, strict=True)


def _frame(columns: Sequence["array[float]"], types: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            name: np.array(column, dtype=dtype)
            for (name, dtype), column in zip(types.items(), columns, strict=True)
        }
    )


def _series_rows(
    trial: int, series: Sequence[tuple[int, Sequence[Chunk]]]
) -> Iterator[tuple[int, ...]]:
    """As ``_SERIES_COLUMNS``."""
    for number, (batch_size, chunks) in enumerate(series):
        yield trial, number, batch_size, len(chunks)


def _epoch_rows(trial: int, result: Training) -> Iterator[tuple[float, ...]]:
    """As ``_EPOCH_COLUMNS``."""
    for number, epoch in enumerate(result.epochs, start=1):
        yield (
            trial,
            number,
            epoch.steps,
            epoch.images,
            epoch.seconds,
            epoch.cpu_seconds,
            nan if epoch.loss is None else epoch.loss,
            epoch.test_accuracy,
        )


def _kept(result: Result) -> tuple[object, ...]:
    """What is kept of a result beside its chunks: cells of its ``RESULT_COLUMNS``."""
    match result:
        case Inference():
            # In the place of their quantiles, which take less time of many at once.
            return (
                array("d", result.latencies),
                _number("measurement.result.batch_size", result.batch_size),
            )
        case Sweep():
            return (plain(result.stopped),)
        case Startup() | Memory() | Energy() | Pipeline() | Regression():
            names = _NUMBERS_OF[type(result)]
            return tuple(_number(f"measurement.result.{n}", getattr(result, n)) for n in names)
    return ()


def _with_quantiles(rows: Sequence[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Results of inference, with ``LATENCIES`` in the place of all of them."""
    every = [cast("array[float]", latencies) for _, latencies, *_ in rows]
    found = np.empty((len(rows), len(LATENCIES)))
    for places, values in of_a_length(every):
        found[places] = np.quantile(values, list(LATENCIES.values()), axis=1).T
    return [
        (trial, *quantiles, *others)
        for (trial, _, *others), quantiles in zip(rows, found.tolist(), strict=True)
    ]


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
    if record.measurement is None:
        return 0.0
    result = record.measurement.result
    seconds = sum((chunk.wall for _, chunks in series_of(result) for chunk in chunks), 0.0)
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


def series_of(result: Result) -> Iterator[tuple[int, Sequence[Chunk]]]:
    """All that a trial timed in chunks, but for those twice as long: batch size and chunks.

    The batch size is 0 where it is the workload's.
    """
    match result:
        case Training():
            yield 0, result.steady.chunks
        case Inference():
            yield result.batch_size, result.chunks
        case Sweep():
            for rung in result.rungs:
                yield rung.batch_size, rung.chunks
        case Calibration():
            for series in result.series:
                yield series.batch_size, series.chunks
        case _:
            for name in IN_TURNS.get(type(result), ()):
                yield 0, getattr(result, name)


IN_TURNS: Mapping[type[Result], tuple[str, ...]] = {
    Pipeline: ("alone", "resident", "through"),
    Overhead: ("trainer", "bare"),
    Example: ("trainer", "example"),
    Mistakes: ("right", "fed", "scored", "unfenced", "tf32"),
    Regression: ("timed",),
}
"""What is timed beside each other: fields of results that are chunks, in the order of series."""

_NUMBERS_OF: Mapping[type[Result], tuple[str, ...]] = {
    result: tuple(of.name for of in fields(result) if of.name not in IN_TURNS.get(result, ()))
    for result in (Startup, Memory, Energy, Pipeline, Regression)
}
"""Fields of results that hold numbers, and chunks at most beside them."""


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


COLUMNS: Mapping[str, tuple[str, str | Callable[[Record], object]]] = {
    "run": ("str", "run"),
    "framework": ("str", "trial.framework"),
    "mode": ("str", "trial.mode"),
    "workload": ("str", "trial.workload.name"),
    "network": ("str", "trial.workload.network"),
    "batch_size": ("int64", "trial.workload.batch_size"),
    "learning_rate": ("float64", "trial.workload.optimizer.learning_rate"),
    "momentum": ("float64", "trial.workload.optimizer.momentum"),
    "nesterov": ("bool", "trial.workload.optimizer.nesterov"),
    "weight_decay": ("float64", "trial.workload.optimizer.weight_decay"),
    "schedule": ("str", lambda r: _schedule(r.trial.workload.optimizer)),
    "dropout": ("bool", "trial.workload.dropout"),
    "augmentation": ("bool", "trial.workload.augmentation"),
    "device": ("str", "trial.device"),
    "precision": ("str", "trial.precision"),
    "threads": ("int64", "trial.threads"),
    "allocator": ("str", "trial.allocator"),
    "scenario": ("str", "trial.scenario"),
    "label": ("str", "trial.label"),
    "plain": ("str", "trial.plain"),
    "source": ("str", "trial.source"),
    "images": ("int64", "trial.images"),
    "trial_batch_size": ("int64", "trial.batch_size"),
    "least_seconds": ("float64", "trial.seconds"),
    "block": ("int64", "trial.block"),
    "seed": ("int64", "trial.seed"),
    "train_images": ("int64", "trial.train_images"),
    "test_images": ("int64", "trial.test_images"),
    "epochs": ("int64", "trial.epochs"),
    "position": ("int64", "position"),
    "started": ("str", "started"),
    "seconds": ("float64", "seconds"),
    "status": ("str", "status"),
    "message": ("str", "message"),
    "dataset": ("str", "dataset.name"),
    "dataset_digest": ("str", "dataset.digest"),
    "system": ("str", "machine.system"),
    "cpu": ("str", "machine.cpu"),
    "cores": ("int64", "machine.cores"),
    "memory_bytes": ("int64", "machine.memory_bytes"),
    "gpu": ("str", "machine.gpu"),
    "gpu_driver": ("str", "machine.gpu_driver"),
    "commit": ("str", "code.commit"),
    "dirty": ("bool", "code.dirty"),
    "code_digest": ("str", "code.digest"),
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
    "sampled_host_bytes": ("float64", "sampled_host_bytes"),
    "sampled_device_bytes": ("float64", "sampled_device_bytes"),
    "timed_seconds": ("float64", _timed_seconds),
    "clock_before": ("float64", _gpu(lambda state: state.clock_mhz, "before")),
    "clock_after": ("float64", _gpu(lambda state: state.clock_mhz, "after")),
    "celsius_before": ("float64", _gpu(lambda state: state.celsius, "before")),
    "celsius_after": ("float64", _gpu(lambda state: state.celsius, "after")),
    "processes_before": ("float64", _gpu(lambda state: state.processes, "before")),
    "throttled": ("str", _throttled),
}
"""Columns of ``Run.trials``: name to type, and where in a record it is, or what finds it;
``_add_epoch_results`` adds three more."""


class _Cells:
    """Cells of a record: of some of ``COLUMNS``, those that are found by a path first.

    Of these one call gets all: there are too many cells for a call each.
    """

    def __init__(self, names: Iterable[str]) -> None:
        of = {name: COLUMNS[name][1] for name in names}
        paths = {name: path for name, path in of.items() if isinstance(path, str)}
        found = {name: find for name, find in of.items() if not isinstance(find, str)}
        self.names = (*paths, *found)
        self._at = attrgetter(*paths.values())
        self._found = tuple(found.values())

    def __call__(self, record: Record) -> tuple[object, ...]:
        return (*self._at(record), *[find(record) for find in self._found])


_TEXTS = _Cells(name for name, (dtype, _) in COLUMNS.items() if dtype == "str")
_NUMBERS = _Cells(name for name, (dtype, _) in COLUMNS.items() if dtype != "str")

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

_SERIES_COLUMNS: Mapping[str, str] = {
    "trial": "int64",
    "series": "int64",
    "batch_size": "int64",
    "chunks": "int64",
}

_CHUNK_COLUMNS: Mapping[str, str] = {
    "steps": "int64",
    "wall": "float64",
    "cpu": "float64",
    "calibration": "float64",
    "switches": "int64",
    "stolen": "float64",
}
"""Fields of chunks; of ``compilations``, which may be None, a column follows."""

_CELLS = attrgetter(*_CHUNK_COLUMNS)

LATENCIES: Mapping[str, float] = {"latency_p50": 0.5, "latency_p95": 0.95, "latency_p99": 0.99}
"""Quantiles of the calls with one image."""

RESULT_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "inference": {**dict.fromkeys(LATENCIES, "float64"), "batch": "int64"},
    "startup": dict.fromkeys(_NUMBERS_OF[Startup], "float64"),
    "sweep": {"stopped": "str"},
    "memory": dict.fromkeys(_NUMBERS_OF[Memory], "float64"),
    "energy": dict.fromkeys(_NUMBERS_OF[Energy], "float64"),
    "pipeline": dict.fromkeys(_NUMBERS_OF[Pipeline], "float64"),
    "regression": dict.fromkeys(_NUMBERS_OF[Regression], "float64"),
}
"""By scenario, what is kept of its results beside their chunks: name to type."""

_LARGEST = 2**63
_EXACT = 2**53
"""Whole numbers from here on would not be exact in the arrays."""


def _check(measurement: Measurement) -> None:
    """Raise ``ValueError`` for what no trial can have measured."""
    result = measurement.result
    if not measurement.calibration > 0:
        raise ValueError("measurement.calibration is no time")
    if problem := _impossible(result):
        raise ValueError(f"measurement.result: {problem}")
    for batch_size, chunks in series_of(result):
        if not 0 <= batch_size < _EXACT:
            raise ValueError("measurement.result: a batch size is out of range")
        for number, chunk in enumerate(chunks):
            if not (
                chunk.steps < _EXACT
                and 0 <= chunk.switches < _EXACT
                and 0 <= (chunk.compilations or 0) < _EXACT
            ):
                raise ValueError(f"chunk {number} has impossible counts")
            if chunk.cpu < 0 or chunk.stolen < 0:
                raise ValueError(f"chunk {number} has negative times")
    for number, epoch in enumerate(result.epochs if isinstance(result, Training) else (), start=1):
        if max(epoch.steps, epoch.images) >= _EXACT:
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


def _add_epoch_results(trials: pd.DataFrame, epochs: pd.DataFrame) -> None:
    """Add what a trial's epochs say of it: its median epoch, the last loss and accuracy."""
    of_trial = epochs.groupby("trial")
    trials["epoch_seconds"] = of_trial["seconds"].median().reindex(trials.index)
    last = of_trial.last()
    trials["final_loss"] = last["loss"].reindex(trials.index)
    trials["final_test_accuracy"] = last["test_accuracy"].reindex(trials.index)
