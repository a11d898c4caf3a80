"""What the chunks of a process say: where it is steady, how fast, and whether it is discarded.

A process counts once, however many chunks it ran: its speed is the median of its steady stretch.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.records import Regression, Result
from report import steady
from report.covariates import Covariates, discarded
from report.frames import IN_TURNS
from report.lengths import of_a_length
from report.load import Run

_SUMS = ("wall", "cpu", "switches", "stolen")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Process:
    """Steady training, or what a scenario timed, in one process: a number for each chunk, ``[K]``.

    Of those that count: K may be 0, where something was compiled until the end; then it has no
    speed.
    """

    kind: steady.Kind
    wall: NDArray[np.float64]
    """Seconds per step."""
    cpu: NDArray[np.float64]
    """CPU seconds per step, of all threads."""
    calibration: NDArray[np.float64]
    """CPU seconds of the calibration kernel right before."""
    before: float
    """The same before the process imported its framework."""

    @property
    def disturbance(self) -> NDArray[np.float64]:
        """How many times as long the kernel takes beside the framework as it did without it."""
        return self.calibration / self.before

    @property
    def normalised(self) -> NDArray[np.float64]:
        """CPU time per step in calibrations: chunk by chunk, what slows one slows the other."""
        return self.cpu / self.calibration


Processes = Mapping[int, Process]
"""By row of ``Run.trials``."""


def find_processes(run: Run) -> dict[int, Process]:
    """Find the steady stretch of every trial of training."""
    trials = dict(_by_trial(run, "training"))
    found = steady.find_all(
        [own["wall"] for own in trials.values()],
        [_counted(own["compilations"]) for own in trials.values()],
    )
    before = run.trials["calibration_before"].to_numpy()
    return {
        trial: Process(
            kind=of.kind,
            wall=own["wall"][of.start :],
            cpu=own["cpu"][of.start :],
            calibration=own["calibration"][of.start :],
            before=float(before[trial]),
        )
        for (trial, own), of in zip(trials.items(), found, strict=True)
    }


def _counted(compilations: NDArray[np.float64]) -> NDArray[np.int_] | None:
    """Compilations of each chunk; None where nobody counts."""
    return None if np.isnan(compilations).any() else compilations.astype(np.int_)


Columns = dict[str, NDArray[np.float64]]


def _by_trial(run: Run, scenario: str) -> Iterator[tuple[int, Columns]]:
    """Columns of each trial's chunks; seconds are those of a step."""
    for (trial,), columns in _stretches(run, scenario, "trial"):
        yield trial, columns


def _stretches(run: Run, scenario: str, *keys: str) -> Iterator[tuple[tuple[int, ...], Columns]]:
    """The same of each stretch of chunks, which follow each other, that ``keys`` are alike in."""
    asked = (run.trials["scenario"] == scenario).to_numpy()
    chunks = run.chunks[asked[run.chunks["trial"]]]
    of = chunks[list(keys)].to_numpy()
    columns = {
        "wall": (chunks["wall"] / chunks["steps"]).to_numpy(dtype=np.float64),
        "cpu": (chunks["cpu"] / chunks["steps"]).to_numpy(dtype=np.float64),
        "calibration": chunks["calibration"].to_numpy(dtype=np.float64),
        "compilations": chunks["compilations"].to_numpy(dtype=np.float64),
    }
    starts = np.flatnonzero(np.diff(of, axis=0, prepend=-1).any(axis=1))
    for start, end in pairwise([*starts, len(of)]):
        alike = tuple(map(int, of[start]))
        yield alike, {name: values[start:end] for name, values in columns.items()}


def find_inference(run: Run) -> dict[int, Process]:
    """Take every trial of inference as it is: nothing is compiled or learns while it is timed."""
    before = run.trials["calibration_before"].to_numpy()
    return {trial: _flat(own, before[trial]) for trial, own in _by_trial(run, "inference")}


def find_steps(run: Run) -> dict[int, Process]:
    """Steady steps of every trial that took some: of training, and for comparing two states."""
    return find_processes(run) | find_in_turns(run, "regression", Regression)["timed"]


def find_in_turns(run: Run, scenario: str, result: type[Result]) -> dict[str, dict[int, Process]]:
    """Take every trial of a scenario as it is, by what it timed in turns (``IN_TURNS``).

    Trials that have no chunks of that are left out.
    """
    before = run.trials["calibration_before"].to_numpy()
    names = IN_TURNS[result]
    found: dict[str, dict[int, Process]] = {name: {} for name in names}
    for (trial, place), own in _stretches(run, scenario, "trial", "series"):
        found[names[place]][trial] = _flat(own, before[trial])
    return found


def _flat(own: Mapping[str, NDArray[np.float64]], before: float) -> Process:
    return Process(
        kind="flat",
        wall=own["wall"],
        cpu=own["cpu"],
        calibration=own["calibration"],
        before=float(before),
    )


def medians(series: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Median of each of many short series, ``[N]``; NaN of one without values."""
    found = np.full(len(series), np.nan)
    for places, values in of_a_length(series):
        # Sorting, with vector instructions, takes a fifth of the time of NumPy's median.
        values.sort(axis=1)
        count = values.shape[1]
        found[places] = (values[:, (count - 1) // 2] + values[:, count // 2]) / 2
    return found


def described(run: Run, processes: Processes) -> pd.DataFrame:
    """``run.trials`` and, of each trial, what follows from its chunks.

    - ``steady``: what its series does, a ``steady.Kind``; ``steady_chunks``: how many count;
    - ``step_seconds``, ``images_per_second``: medians of the steady stretch;
    - ``busy``: CPU seconds per second of wall time, of all its chunks;
    - ``discarded``: why it is, as a clause, or empty. By what the machine did, of all chunks.

    Missing of trials that have no such chunks.
    """
    trials = run.trials.copy()
    known = list(processes)
    found = pd.DataFrame(
        {
            "steady": [process.kind for process in processes.values()],
            "steady_chunks": [len(process.wall) for process in processes.values()],
            "step_seconds": medians([process.wall for process in processes.values()]),
        },
        index=pd.Index(known, dtype="int64"),
    ).astype({"steady": "str", "steady_chunks": "float64", "step_seconds": "float64"})
    for name in found.columns:
        trials[name] = found[name].reindex(trials.index)
    trials["images_per_second"] = trials["batch_size"] / trials["step_seconds"]
    sums = _sums(run)
    trials["busy"] = (sums["cpu"] / sums["wall"]).reindex(trials.index)
    threads = trials["threads"].tolist()
    reasons = {
        trial: discarded(covariates_of(*row, threads=threads[trial]))
        for trial, *row in sums.itertuples()
    }
    trials["discarded"] = [reasons.get(trial, "") for trial in trials.index]
    return trials


def _sums(run: Run) -> pd.DataFrame:
    """What the chunks of each trial add up to, whatever its scenario."""
    return run.chunks.groupby("trial")[list(_SUMS)].sum().astype("float64")


def covariates_of(
    wall: float, cpu: float, switches: float, stolen: float, *, threads: int
) -> Covariates:
    """Shares of the time of as many processors as a trial has threads, from sums of its chunks."""
    seconds = wall * threads
    return Covariates(
        # Ticks of a hundredth of a second, of processors that other processes share.
        steal=min(1.0, stolen / seconds),
        switches=switches / seconds,
        busy=cpu / seconds,
    )
