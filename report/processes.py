"""What the chunks of a process say: where it is steady, how fast, and whether it is discarded.

A process counts once, however many chunks it ran: its speed is the median of its steady stretch.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.records import Chunk, Inference, Mistakes, Pipeline
from report import steady
from report.covariates import Covariates, discarded
from report.frames import chunks_of
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
    before = run.trials["calibration_before"].to_numpy()
    return {trial: _process(own, before[trial]) for trial, own in _by_trial(run.chunks)}


def _by_trial(chunks: pd.DataFrame) -> Iterator[tuple[int, dict[str, NDArray[np.float64]]]]:
    """Columns of each trial's chunks, which follow each other."""
    of = chunks["trial"].to_numpy()
    columns = {name: chunks[name].to_numpy(dtype=np.float64) for name in chunks.columns}
    starts = np.flatnonzero(np.diff(of, prepend=-1))
    for start, end in pairwise([*starts, len(of)]):
        yield int(of[start]), {name: values[start:end] for name, values in columns.items()}


def _process(own: Mapping[str, NDArray[np.float64]], before: float) -> Process:
    wall = own["wall"] / own["steps"]
    compiled = own["compilations"]
    counted = None if np.isnan(compiled).any() else compiled.astype(np.int_)
    found = steady.find(wall, counted)
    return Process(
        kind=found.kind,
        wall=wall[found.start :],
        cpu=(own["cpu"] / own["steps"])[found.start :],
        calibration=own["calibration"][found.start :],
        before=float(before),
    )


def find_inference(run: Run) -> dict[int, Process]:
    """Take every trial of inference as it is: nothing is compiled or learns while it is timed."""
    before = run.trials["calibration_before"].to_numpy()
    return {
        trial: _as_it_is(result.chunks, float(before[trial]))
        for trial, result in run.results.items()
        if isinstance(result, Inference)
    }


def find_pipelines(run: Run) -> dict[int, Process]:
    """Take of every trial of a pipeline what it read alone, likewise; a step is a batch."""
    before = run.trials["calibration_before"].to_numpy()
    return {
        trial: _as_it_is(result.alone, float(before[trial]))
        for trial, result in run.results.items()
        if isinstance(result, Pipeline)
    }


Way = Literal["right", "fed", "scored", "unfenced", "tf32"]
"""Fields of ``bench.records.Mistakes``."""


def find_mistakes(run: Run, way: Way) -> dict[int, Process]:
    """Take every trial of mistakes as it is, its chunks of one way.

    Trials that have none of it are left out.
    """
    before = run.trials["calibration_before"].to_numpy()
    return {
        trial: _as_it_is(chunks, float(before[trial]))
        for trial, result in run.results.items()
        if isinstance(result, Mistakes) and (chunks := getattr(result, way))
    }


def _as_it_is(chunks: Sequence[Chunk], before: float) -> Process:
    steps = np.array([chunk.steps for chunk in chunks], dtype=np.float64)
    return Process(
        kind="flat",
        wall=np.array([chunk.wall for chunk in chunks]) / steps,
        cpu=np.array([chunk.cpu for chunk in chunks]) / steps,
        calibration=np.array([chunk.calibration for chunk in chunks]),
        before=before,
    )


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
            "step_seconds": [
                float(np.median(process.wall)) if len(process.wall) else np.nan
                for process in processes.values()
            ],
        },
        index=pd.Index(known, dtype="int64"),
    ).astype({"steady": "str", "steady_chunks": "float64", "step_seconds": "float64"})
    for name in found.columns:
        trials[name] = found[name].reindex(trials.index)
    trials["images_per_second"] = trials["batch_size"] / trials["step_seconds"]
    sums = _sums(run)
    trials["busy"] = (sums["cpu"] / sums["wall"]).reindex(trials.index)
    reasons = {
        trial: discarded(covariates_of(*row, threads=int(trials["threads"][trial])))
        for trial, *row in sums.itertuples()
    }
    trials["discarded"] = [reasons.get(trial, "") for trial in trials.index]
    return trials


def _sums(run: Run) -> pd.DataFrame:
    """What the chunks of each trial add up to, whatever its scenario."""
    of_training = run.chunks.groupby("trial")[list(_SUMS)].sum()
    others = {
        trial: [sum(getattr(chunk, name) for chunk in chunks) for name in _SUMS]
        for trial, result in run.results.items()
        if (chunks := tuple(chunks_of(result)))
    }
    if not others:
        return of_training.astype("float64")
    more = pd.DataFrame.from_dict(others, orient="index", columns=list(_SUMS))
    return pd.concat([of_training, more]).astype("float64")


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
