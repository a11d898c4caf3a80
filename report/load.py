"""Read a run's records, strictly, into tidy frames: rows of records, of epochs, and of chunks.

Records hold text from outside (messages of crashed processes, names of machines). What leaves this
module holds printable characters only; whoever shows it still escapes his own markup.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pandas as pd
from pydantic import ConfigDict, TypeAdapter, ValidationError

from bench.errors import UserError
from bench.records import (
    RECORDS,
    SCHEMA,
    Calibration,
    Energy,
    Example,
    Inference,
    Memory,
    Mistakes,
    Overhead,
    Pipeline,
    Record,
    Result,
    Startup,
    Sweep,
    Training,
)
from report.frames import COLUMNS, Frames
from report.text import plain as plain  # every reader of records shows what went wrong

PLAN = "plan.json"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """What a run's folder holds, or those of several."""

    folders: tuple[Path, ...]
    trials: pd.DataFrame
    """One row per record, in the order recorded; the columns are listed in
    ``report.frames.COLUMNS``, and ``record`` says where it is: ``12`` is a line of the only run's
    file, ``2:12`` one of the second's.

    What was not measured is missing (NaN), numbers and texts alike.
    """
    epochs: pd.DataFrame
    """One row per timed epoch: ``trial`` (row of ``trials``), ``epoch`` (from 1), ``steps``,
    ``images``, ``seconds``, ``cpu_seconds``, ``loss``, ``test_accuracy`` (0..1)."""
    chunks: pd.DataFrame
    """One row per chunk of steady training, in the order measured: ``trial``, ``number`` (from 0),
    and the fields of ``bench.records.Chunk``; ``compilations`` is NaN where nobody counts."""
    results: Mapping[int, Result]
    """What trials of other scenarios than training measured, by row of ``trials``."""
    planned: int | None
    """How many trials there were to be; None where a ``plan.json`` does not say."""
    interrupted: bool
    """A file's last line was cut off while being written, and is left out."""


def parse_record(line: bytes) -> Record:
    """Parse one line of JSON; raise ``ValueError`` saying in one line what is wrong first."""
    try:
        record = _RECORD.validate_json(line)
    except ValidationError as error:
        raise ValueError(_schema_problem(line) or _first_problem(error, line)) from None
    if record is None:
        raise ValueError("Input should be an object")
    if record.schema != SCHEMA:
        raise ValueError(_schema_problem(line))
    if record.measurement is not None:
        found, wanted = type(record.measurement.result), RESULTS[record.trial.scenario]
        if found is not wanted:
            raise ValueError(
                f"measurement.result: of {found.__name__.lower()}, not of {record.trial.scenario}"
            )
    trial = record.trial
    if (trial.scenario == "pipeline") != (trial.source is not None and trial.images > 0):
        raise ValueError("trial: a pipeline, and nothing else, has a source and images")
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
    frames = Frames()
    interrupted = False
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    frames.append(parse_record(line))
                except ValueError as error:
                    if not line.endswith(b"\n") and not _is_json(line):
                        interrupted = True
                        break
                    raise UserError(f"{path} line {number}: {error}") from None
    except FileNotFoundError:
        pass  # Nothing recorded yet.
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    trials = frames.trials()
    run = Run(
        folders=(folder,),
        trials=trials.assign(record=(trials.index + 1).astype("str")),
        epochs=frames.epochs(),
        chunks=frames.chunks(),
        results=frames.results,
        planned=_planned(folder / PLAN),
        interrupted=interrupted,
    )
    _refuse_duplicates(path, run.trials)
    return run


def load_runs(folders: Sequence[Path]) -> Run:
    """Read several runs as one: their blocks follow each other.

    Raises ``UserError`` as ``load_run`` does, or if two of them hold the same record.
    """
    runs = [load_run(folder) for folder in folders]
    if len(runs) == 1:
        return runs[0]
    trials, epochs, chunks = [], [], []
    results: dict[int, Result] = {}
    rows = blocks = 0
    for number, run in enumerate(runs, start=1):
        places = [f"{number}:{line}" for line in run.trials["record"]]
        trials.append(run.trials.assign(block=run.trials["block"] + blocks, record=places))
        epochs.append(run.epochs.assign(trial=run.epochs["trial"] + rows))
        chunks.append(run.chunks.assign(trial=run.chunks["trial"] + rows))
        results |= {rows + row: result for row, result in run.results.items()}
        rows += len(run.trials)
        blocks += int(run.trials["block"].max()) + 1 if len(run.trials) else 0
    together = pd.concat(trials, ignore_index=True)
    _refuse_copies(folders, trials)
    planned = [run.planned for run in runs]
    return Run(
        folders=tuple(folders),
        trials=together,
        epochs=pd.concat(epochs, ignore_index=True),
        chunks=pd.concat(chunks, ignore_index=True),
        results=results,
        planned=None if None in planned else sum(filter(None, planned)),
        interrupted=any(run.interrupted for run in runs),
    )


RESULTS: Mapping[str, type[Result]] = {
    "training": Training,
    "inference": Inference,
    "startup": Startup,
    "sweep": Sweep,
    "memory": Memory,
    "energy": Energy,
    "pipeline": Pipeline,
    "overhead": Overhead,
    "example": Example,
    "mistakes": Mistakes,
    "calibration": Calibration,
}
"""What a trial of each scenario measures. Each has keys that no other has, and none is optional, so
JSON that is valid as one of them is not as another."""


# A configuration handed to TypeAdapter is refused for a dataclass that might have its own, but one
# handed to a union reaches every dataclass below it (pydantic 2.14; tests/report/test_load.py).
_RECORD: TypeAdapter[Record | None] = TypeAdapter(
    Record | None, config=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
)


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


def _refuse_copies(folders: Sequence[Path], trials: Sequence[pd.DataFrame]) -> None:
    """Raise ``UserError`` if a record is in two runs: no process lasts as long as another."""
    seen: set[tuple[object, ...]] = set()
    for folder, own in zip(folders, trials, strict=True):
        kept = own[["run", "position", "status", "seconds", "cpu"]]
        records = set(kept.itertuples(index=False, name=None))
        if seen & records:
            raise UserError(f"{folder}: holds records of another of the runs; name it once")
        seen |= records


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


def _first_problem(error: ValidationError, line: bytes) -> str:
    """What is wrong first; of a result, what is wrong with it as one of the trial's scenario.

    A union complains about a value once for each of its members.
    """
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    wanted = _RESULT_OF.get(_scenario(line), "Training")
    of_result = ("measurement", "result")
    for problem in problems:
        where = problem["loc"]
        if where[:2] == of_result and len(where) > len(of_result):
            if where[2] != wanted:
                continue
            where = (*of_result, *where[3:])
        break
    said = f"{'.'.join(map(str, where))}: {problem['msg']}" if where else problem["msg"]
    return plain(said)[:200]


_RESULT_OF = {scenario: result.__name__ for scenario, result in RESULTS.items()}


def _scenario(line: bytes) -> str:
    """The scenario that a line names, if it can be told."""
    try:
        return str(json.loads(line)["trial"]["scenario"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""


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
