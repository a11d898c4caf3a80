"""Two arms of a workload, paired by block, and what a family of such pairs lets one say.

A process counts once, however many chunks it ran; arms are compared within blocks, where they met
the same minutes of the machine (``report.statistics``, ``report.decisions``).

Wall time decides. Where it cannot, CPU time over the calibration beside it may, on a CPU: it hardly
feels the machine's other tenants. But it is another quantity, so it decides only where

- the trials compute on one thread (of several, CPU time is the sum, and spinning counts);
- both arms are shown to leave the calibration alone (``covariates.judge_calibration``), each held
  against the one that its own process took before it imported a framework;
- no guard forbids a verdict, and its estimate lies within the interval of wall time.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.contract import Device
from report import beside
from report.bootstrap import Replicates
from report.covariates import judge_calibration
from report.decisions import (
    EQUIVALENCE,
    MARGINS,
    SUPERIORITY,
    Evidence,
    Guards,
    Margin,
    Verdict,
    holm_confidences,
    verdict,
)
from report.processes import Process, Processes, medians
from report.statistics import Interval, log_ratios, p_beyond, paired_interval, paired_p

SENTINEL_CONFIDENCE = 0.99

SEED = 20261123
"""Of the bootstrap, so that a report rebuilt is the same report."""

Arm = tuple[str, str]
"""Framework and mode."""
Quantity = Literal["wall", "CPU time over calibration"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Measure:
    """One quantity of two arms: processes' chunks, and how the blocks differ."""

    arm: tuple[NDArray[np.float64], ...]
    other: tuple[NDArray[np.float64], ...]
    differences: NDArray[np.float64]
    """``log(median other / median arm)`` of each block, ``[B]``."""
    _intervals: dict[float, Interval] = field(default_factory=dict, init=False, repr=False)
    _drawing: list[Future[Replicates]] = field(default_factory=list, init=False, repr=False)

    @classmethod
    def of(
        cls, arm: Sequence[NDArray[np.float64]], other: Sequence[NDArray[np.float64]]
    ) -> "Measure":
        """Pair the blocks; raises ``ValueError`` for what is not a positive number."""
        return cls(
            arm=tuple(arm),
            other=tuple(other),
            differences=log_ratios(medians(arm), medians(other)),
        )

    def interval(self, confidence: float = SUPERIORITY) -> Interval:
        """The interval that decides; made once, though many may ask."""
        if confidence not in self._intervals:
            self._intervals[confidence] = paired_interval(self.differences, confidence)
        return self._intervals[confidence]

    def draw(self) -> None:
        """Begin to draw what checks it, if nobody did, while something else is done."""
        if not self._drawing:
            self._drawing.append(beside.resampled(self.arm, self.other, SEED))

    def replicates(self) -> Replicates:
        """What checks it; drawn once, though several families of claims may ask."""
        self.draw()
        return self._drawing[0].result()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contrast:
    """An arm and the one it is held against, in the blocks that have both."""

    workload: str
    arm: Arm
    against: Arm
    trials: tuple[int, ...]
    """Rows of ``Run.trials`` of both arms, block after block."""
    seconds: float
    """What a block costs: both processes from start to end, median over the blocks."""
    wall: Measure
    normalised: Measure | None
    """CPU time over calibration; None where there is no CPU time to speak of, as on a GPU."""
    calibration: str
    """Whether times may be divided by it: ``undisturbed`` if so, else why not."""
    unsteady: float
    """Share of both arms' processes that reached no steady state."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """A contrast and its verdict as one of a family."""

    contrast: Contrast
    verdict: Verdict
    by: Quantity
    """What the verdict is of."""

    @property
    def interval(self) -> Interval:
        """At 95%, of the logarithm of how many times as fast the arm is, by what decided."""
        decided = self.contrast.normalised if self.by != "wall" else None
        return (decided or self.contrast.wall).interval()


def pair(arm: pd.DataFrame, other: pd.DataFrame, processes: Processes) -> Contrast | None:
    """Pair the trials of two arms of a workload by block; None if no block has both."""
    everyone = [processes[trial] for side in (arm, other) for trial in side.index]
    mine, theirs = (
        {
            int(block): int(trial)
            for trial, block in zip(side.index, side["block"], strict=True)
            if len(processes[trial].wall)
        }
        for side in (arm, other)
    )
    trials = [(mine[block], theirs[block]) for block in sorted(mine.keys() & theirs.keys())]
    if not trials:
        return None
    pairs = [(processes[first], processes[second]) for first, second in trials]
    lasted = {**arm["seconds"].to_dict(), **other["seconds"].to_dict()}
    on_cpu = arm["device"].iloc[0] == "cpu" and _have_cpu_time(pairs)
    unsteady = sum(process.kind == "no steady state" for process in everyone) / len(everyone)
    return Contrast(
        workload=str(arm["workload"].iloc[0]),
        arm=arm_of(arm),
        against=arm_of(other),
        trials=tuple(trial for block in trials for trial in block),
        seconds=float(np.median([lasted[first] + lasted[second] for first, second in trials])),
        wall=Measure.of([p.wall for p, _ in pairs], [p.wall for _, p in pairs]),
        normalised=Measure.of([p.normalised for p, _ in pairs], [p.normalised for _, p in pairs])
        if on_cpu
        else None,
        calibration=_calibration(pairs, int(arm["threads"].iloc[0])) if on_cpu else "",
        unsteady=unsteady,
    )


def decide(family: Sequence[tuple[Contrast, Contrast | None]], device: Device) -> list[Judged]:
    """Decide a family of claims, each with the sentinel of its workload, if it has one.

    Confidences are corrected (Holm) for the size of the family, for each of both quantities on its
    own.
    """
    margin = MARGINS["speed", device]
    walls = {
        place: (contrast.wall, _guards(contrast, sentinel.wall if sentinel else None))
        for place, (contrast, sentinel) in enumerate(family)
    }
    normalised = {
        place: (
            contrast.normalised,
            _guards(contrast, sentinel.normalised if sentinel else None),
        )
        for place, (contrast, sentinel) in enumerate(family)
        if contrast.normalised is not None and contrast.calibration == "undisturbed"
    }
    by_wall = _verdicts(walls, margin, asked=walls.keys())
    left_open = {
        place
        for place, found in by_wall.items()
        if found.decision == "inconclusive" and not walls[place][1].void
    }
    of_cpu = _verdicts(normalised, margin, asked=left_open & normalised.keys())
    return [
        _final(contrast, by_wall[place], of_cpu.get(place))
        for place, (contrast, _) in enumerate(family)
    ]


def _have_cpu_time(pairs: Sequence[tuple[Process, Process]]) -> bool:
    return bool((np.concatenate([process.cpu for pair in pairs for process in pair]) > 0).all())


def _calibration(pairs: Sequence[tuple[Process, Process]], threads: int) -> str:
    if threads > 1:
        return "several threads"
    measure = Measure.of([p.disturbance for p, _ in pairs], [p.disturbance for _, p in pairs])
    return judge_calibration(measure.differences)


def _guards(contrast: Contrast, sentinel: Measure | None) -> Guards:
    if sentinel is None:
        return Guards(unsteady=contrast.unsteady)
    return Guards(
        sentinel=sentinel.interval(SENTINEL_CONFIDENCE),
        sentinel_half_width=sentinel.interval().half_width,
        unsteady=contrast.unsteady,
    )


def _final(contrast: Contrast, wall: Verdict, cpu: Verdict | None) -> Judged:
    """Which verdict stands, and by what; ``cpu`` is None where it may not decide."""
    by_wall = Judged(contrast=contrast, verdict=wall, by="wall")
    if cpu is None or cpu.decision == "inconclusive":
        return by_wall
    if contrast.normalised is None:
        return by_wall
    if contrast.wall.interval().excludes(contrast.normalised.interval().estimate):
        reason = (
            f"{wall.reason}; CPU time over calibration says {cpu.decision}, beyond that of wall"
        )
        return replace(by_wall, verdict=replace(wall, reason=reason))
    return Judged(contrast=contrast, verdict=cpu, by="CPU time over calibration")


def arm_of(trials: pd.DataFrame) -> Arm:
    """Which arm trials are of, all of the same."""
    return str(trials["framework"].iloc[0]), str(trials["mode"].iloc[0])


def _verdicts(
    family: Mapping[int, tuple[Measure, Guards]], margin: Margin, asked: AbstractSet[int]
) -> dict[int, Verdict]:
    """Decide those ``asked`` of a family of claims, each held to what Holm asks of all of it."""
    beyond = holm_confidences(
        np.array(
            [
                p_beyond(measure.differences, measure.interval().estimate, margin.limit)
                for measure, _ in family.values()
            ]
        ),
        1 - SUPERIORITY,
    )
    within = holm_confidences(
        np.array([_p_within(measure, margin) for measure, _ in family.values()]), 1 - EQUIVALENCE
    )
    for place in asked:
        family[place][0].draw()
    found = {}
    for (place, (measure, guards)), superiority, equivalence in zip(
        family.items(), beyond, within, strict=True
    ):
        if place not in asked:
            continue
        check = measure.replicates()
        found[place] = verdict(
            Evidence(
                superiority=measure.interval(float(superiority)),
                equivalence=measure.interval(float(equivalence)),
            ),
            Evidence(
                superiority=check.interval(float(superiority)),
                equivalence=check.interval(float(equivalence)),
            ),
            margin=margin,
            spread=_deviation(measure.differences),
            guards=guards,
        )
    return found


def _p_within(measure: Measure, margin: Margin) -> float:
    """Of the margin or more, the larger of both sides: small where the effect lies within it."""
    if abs(measure.interval().estimate) >= margin.limit:
        return 1.0
    return max(paired_p(measure.differences, side) for side in (margin.limit, -margin.limit))


def _deviation(differences: NDArray[np.float64]) -> float | None:
    return float(np.std(differences, ddof=1)) if len(differences) > 1 else None
