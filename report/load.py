"""Read a run's records, strictly, into two tidy frames: one row per record, one per epoch.

Records hold text from outside (messages of crashed processes, names of machines). What leaves this
module holds printable characters only; whoever shows it still escapes his own markup.
"""

import json
import sys
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, nan
from pathlib import Path
from typing import cast

import pandas as pd
from pydantic import ConfigDict, TypeAdapter, ValidationError

from bench.certificate import Certificate
from bench.errors import UserError
from bench.records import RECORDS, SCHEMA, Measurement, Record
from bench.workloads import Optimizer

PLAN = "plan.json"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """What a run folder holds."""

    folder: Path
    trials: pd.DataFrame
    """One row per record, in the order recorded; the columns are listed in ``COLUMNS``.

    What was not measured is missing (NaN), numbers and texts alike.
    """
    epochs: pd.DataFrame
    """One row per timed epoch: ``trial`` (row of ``trials``), ``epoch`` (from 1), ``steps``,
    ``images``, ``seconds``, ``cpu_seconds``, ``loss``, ``test_accuracy`` (0..1)."""
    planned: int | None
    """How many trials the run was to have; None where ``plan.json`` does not say."""
    interrupted: bool
    """The last line was cut off while being written, and is left out."""


def plain(text: str) -> str:
    r"""Replace every character that is not printable by its escape, such as ``\x1b``.

    Of white space only the plain blank is printable, so the result is one line.
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def parse_record(line: bytes) -> Record:
    """Parse one line of JSON; raise ``ValueError`` saying in one line what is wrong first."""
    try:
        record = _RECORD.validate_json(line)
    except ValidationError as error:
        raise ValueError(_schema_problem(line) or _first_problem(error)) from None
    if record is None:
        raise ValueError("Input should be an object")
    if record.schema != SCHEMA:
        raise ValueError(_schema_problem(line))
    return record


def load_run(folder: Path) -> Run:
    """Read ``records.jsonl`` and the number of planned trials of a run.

    A last line that was cut off is left out, and told. Raises ``UserError`` when ``folder`` is no
    run, a record is not valid, or a trial was recorded as ``ok`` twice.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the folder of a run")
    path = folder / RECORDS
    if not path.exists() and not (folder / PLAN).exists():
        raise UserError(f"{folder}: not a run, it has neither {RECORDS} nor {PLAN}")
    trials: dict[str, list[object]] = {name: [] for name in COLUMNS}
    # Arrays, because 100,000 records may have millions of epochs.
    epochs = {name: array("d") for name in _EPOCH_COLUMNS}
    interrupted = False
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    record = parse_record(line)
                    _append(record, number - 1, trials, epochs)
                except ValueError as error:
                    if not line.endswith(b"\n") and not _is_json(line):
                        interrupted = True
                        break
                    raise UserError(f"{path} line {number}: {error}") from None
    except FileNotFoundError:
        pass  # Nothing recorded yet.
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    run = Run(
        folder=folder,
        trials=pd.DataFrame(
            {name: pd.Series(trials[name], dtype=dtype) for name, (dtype, _) in COLUMNS.items()}
        ),
        epochs=pd.DataFrame(
            {name: pd.Series(epochs[name], dtype=dtype) for name, dtype in _EPOCH_COLUMNS.items()}
        ),
        planned=_planned(folder / PLAN),
        interrupted=interrupted,
    )
    _refuse_duplicates(path, run.trials)
    _add_epoch_results(run.trials, run.epochs)
    return run


# A configuration handed to TypeAdapter is refused for a dataclass that might have its own, but one
# handed to a union reaches every dataclass below it (pydantic 2.14; tests/report/test_load.py).
_RECORD: TypeAdapter[Record | None] = TypeAdapter(
    Record | None, config=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
)


def _measured(get: Callable[[Measurement], object]) -> Callable[[Record], object]:
    """Make a getter of a record that gives None where nothing was measured."""
    return lambda record: None if record.measurement is None else get(record.measurement)


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
    "timed_epochs": ("float64", _measured(lambda m: len(m.epochs))),
    "import_seconds": ("float64", _measured(lambda m: m.import_seconds)),
    "build_seconds": ("float64", _measured(lambda m: m.build_seconds)),
    "first_step_seconds": ("float64", _measured(lambda m: m.first_step_seconds)),
    "peak_host_bytes": ("float64", _measured(lambda m: m.peak_host_bytes)),
    "peak_device_bytes": ("float64", _measured(lambda m: m.peak_device_bytes)),
    "threads_used": ("float64", _measured(lambda m: m.threads_used)),
    "sampled_host_bytes": ("float64", lambda r: r.sampled_host_bytes),
    "sampled_device_bytes": ("float64", lambda r: r.sampled_device_bytes),
}
"""Columns of ``Run.trials``: name to type and getter; ``_add_epoch_results`` adds four more."""

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


def _append(
    record: Record,
    trial: int,
    trials: Mapping[str, list[object]],
    epochs: Mapping[str, "array[float]"],
) -> None:
    """Add a record to the columns; raise ``ValueError`` for numbers that no trial can have."""
    for name, (_, get) in COLUMNS.items():
        value = get(record)
        if isinstance(value, str):
            value = sys.intern(plain(value))
        elif isinstance(value, int) and not 0 <= value < 2**63:
            raise ValueError(f"{name} is out of range")
        trials[name].append(value)
    if record.measurement is None:
        return
    for number, epoch in enumerate(record.measurement.epochs, start=1):
        if max(epoch.steps, epoch.images) >= 2**53:  # would not be exact in the arrays
            raise ValueError(f"epoch {number} has too many steps or images")
        row = {"trial": trial, "epoch": number}
        for name, column in epochs.items():
            value = row[name] if name in row else getattr(epoch, name)
            column.append(nan if value is None else value)


def _add_epoch_results(trials: pd.DataFrame, epochs: pd.DataFrame) -> None:
    """Add what a trial's epochs say of it: medians of its speed, the last loss and accuracy."""
    of_trial = epochs["trial"]
    last = epochs.groupby("trial").last()
    rates = {
        "images_per_second": epochs["images"] / epochs["seconds"],
        "ms_per_step": 1000 * epochs["seconds"] / epochs["steps"],
    }
    for name, rate in rates.items():
        trials[name] = rate.groupby(of_trial).median().reindex(trials.index)
    trials["final_loss"] = last["loss"].reindex(trials.index)
    trials["final_test_accuracy"] = last["test_accuracy"].reindex(trials.index)


def _refuse_duplicates(path: Path, trials: pd.DataFrame) -> None:
    """Raise ``UserError`` if a trial is ``ok`` twice: it would pass for two repeats."""
    # Everything that determines a trial, and where and with what it ran.
    identity = list(COLUMNS)[: list(COLUMNS).index("position")]
    identity += ["dataset_digest", "code_digest", "system", "cpu", "cores", "gpu"]
    ok = trials[trials["status"] == "ok"]
    same = ok.groupby(identity, dropna=False).ngroup()
    repeated = same[same.duplicated()]
    if len(repeated):
        first, second = same.index[same == repeated.iloc[0]].to_numpy()[:2] + 1
        raise UserError(f"{path} line {second}: the same trial as line {first}; delete one of them")


def _schema_problem(line: bytes) -> str:
    """Say how the line's schema differs from ours; empty if it does not, or cannot be told."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    schema = values.get("schema") if isinstance(values, dict) else None
    if type(schema) is not int or schema == SCHEMA:
        return ""
    if schema > SCHEMA:
        return (
            f"written by a newer version of the suite: schema {_digits(schema)}, "
            f"this one reads {SCHEMA}; update the suite"
        )
    return (
        f"written by an older version of the suite: schema {_digits(schema)}, "
        f"this one reads {SCHEMA}; report it with the version that wrote it"
    )


def _digits(number: int) -> str:
    return str(number) if abs(number) < 2**63 else "out of range"


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    said = f"{where}: {problem['msg']}" if where else problem["msg"]
    return plain(said)[:200]


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _planned(path: Path) -> int | None:
    """Count the trials of ``plan.json``; None where it is missing or not what it should be."""
    try:
        plan = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    trials = cast("object", plan.get("trials")) if isinstance(plan, dict) else None
    return len(trials) if isinstance(trials, list) else None
