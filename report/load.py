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

from bench.errors import UserError
from bench.records import RECORDS
from report.frames import COLUMNS, Frames, Tidy, joined
from report.parts import Reading, reading

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
    """One row per chunk of whatever was timed in chunks, in the order measured: ``trial``,
    ``number`` (from 0 in each trial), ``series`` (from 0: batch sizes of a sweep, or the trainer
    and what it is held against), ``batch_size`` (0 where it is the workload's), and the fields of
    ``bench.records.Chunk``; ``compilations`` is NaN where nobody counts."""
    results: Mapping[str, pd.DataFrame]
    """What else trials of other scenarios than training measured: by scenario, one row per trial,
    whose row of ``trials`` is the index. Columns are ``report.frames.RESULT_COLUMNS``."""
    planned: int | None
    """How many trials there were to be; None where a ``plan.json`` does not say."""
    interrupted: bool
    """A file's last line was cut off while being written, and is left out."""


def load_run(folder: Path) -> Run:
    """Read ``records.jsonl`` and the number of planned trials of a run.

    A last line that was cut off is left out, and told. Raises ``UserError`` when ``folder`` is no
    run, a record is not valid, or a trial was recorded as ``ok`` twice.
    """
    return load_runs([folder])


def load_runs(folders: Sequence[Path]) -> Run:
    """Read several runs as one: their blocks follow each other.

    Raises ``UserError`` as ``load_run`` does, or if two of them hold the same record.
    """
    with reading([folder / RECORDS for folder in folders]) as begun:
        return load_begun(folders, begun)


def load_begun(folders: Sequence[Path], begun: Reading) -> Run:
    """As ``load_runs``, of runs whose records are being read."""
    runs = [_load(folder, begun) for folder in folders]
    if len(runs) == 1:
        return runs[0]
    parts = []
    blocks = 0
    for number, run in enumerate(runs, start=1):
        places = [f"{number}:{line}" for line in run.trials["record"]]
        trials = run.trials.assign(block=run.trials["block"] + blocks, record=places)
        parts.append(Tidy(trials=trials, epochs=run.epochs, chunks=run.chunks, results=run.results))
        blocks += int(run.trials["block"].max()) + 1 if len(run.trials) else 0
    _refuse_copies(folders, [part.trials for part in parts])
    together = joined(parts)
    planned = [run.planned for run in runs]
    return Run(
        folders=tuple(folders),
        trials=together.trials,
        epochs=together.epochs,
        chunks=together.chunks,
        results=together.results,
        planned=None if None in planned else sum(filter(None, planned)),
        interrupted=any(run.interrupted for run in runs),
    )


def _load(folder: Path, begun: Reading) -> Run:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the folder of a run")
    path = folder / RECORDS
    if not path.exists() and not (folder / PLAN).exists():
        raise UserError(f"{folder}: not a run, it has neither {RECORDS} nor {PLAN}")
    tidy, interrupted = _read(path, begun)
    _refuse_duplicates(path, tidy.trials)
    return Run(
        folders=(folder,),
        trials=tidy.trials.assign(record=(tidy.trials.index + 1).astype("str")),
        epochs=tidy.epochs,
        chunks=tidy.chunks,
        results=tidy.results,
        planned=_planned(folder / PLAN),
        interrupted=interrupted,
    )


def _read(path: Path, begun: Reading) -> tuple[Tidy, bool]:
    """All records of a file, and whether its last line was cut off, and is left out.

    A file that is not there has none. Raises ``UserError`` for a line that is no valid record.
    """
    parts: list[Tidy] = []
    cut = False
    lines = 0
    try:
        for part in begun.parts(path):
            lines += part.lines
            if part.problem:
                raise UserError(f"{path} line {lines + 1}: {part.problem}")
            parts.append(part.tidy)
            cut = part.cut
    except FileNotFoundError:
        pass  # Nothing recorded yet.
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    return joined(parts or [Frames().tidy()]), cut


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


def _planned(path: Path) -> int | None:
    """Count the trials of ``plan.json``; None where it is missing or not what it should be."""
    try:
        plan = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    trials = cast("object", plan.get("trials")) if isinstance(plan, dict) else None
    return len(trials) if isinstance(trials, list) else None
