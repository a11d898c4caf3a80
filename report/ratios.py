"""Speeds as ratios: every arm of a workload against one of them, paired by block.

A process counts once, however many chunks it ran; arms are compared within blocks, where they met
the same minutes of the machine (``report.statistics``, ``report.decisions``).

Wall time decides. Where it cannot, CPU time over the calibration beside it may, on a CPU: it hardly
feels the machine's other tenants. But it is another quantity, so it decides only where

- the trials compute on one thread (of several, CPU time is the sum, and spinning counts);
- both arms are shown to leave the calibration alone (``covariates.judge_calibration``), each held
  against the one that its own process took before it imported a framework;
- no guard forbids a verdict, and its estimate lies within the interval of wall time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import copysign, expm1

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.contract import BASELINE, TWIN, Device
from report.bootstrap import Replicates, resample_log_ratios
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
from report.processes import Process, Processes
from report.statistics import Interval, log_ratios, paired_interval, paired_p

SENTINEL_CONFIDENCE = 0.99

SEED = 20261123
"""Of the bootstrap, so that a report rebuilt is the same report."""

COLUMNS = (
    *("workload", "framework", "mode", "against", "blocks"),
    *("ratio", "ratio_low", "ratio_high", "normalised", "normalised_low", "normalised_high"),
    *("calibration", "verdict", "by", "reason", "detectable", "blocks_needed"),
)

SENTINEL_COLUMNS = (
    *("workload", "framework", "mode", "blocks"),
    *("ratio", "ratio_low", "ratio_high", "normalised", "normalised_low", "normalised_high"),
    "holds",
)

Arm = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measure:
    """One quantity of two arms: processes' chunks, and how the blocks differ."""

    arm: tuple[NDArray[np.float64], ...]
    other: tuple[NDArray[np.float64], ...]
    differences: NDArray[np.float64]
    """``log(median other / median arm)`` of each block, ``[B]``."""

    @classmethod
    def of(
        cls, arm: Sequence[NDArray[np.float64]], other: Sequence[NDArray[np.float64]]
    ) -> "Measure":
        """Pair the blocks; raises ``ValueError`` for what is not a positive number."""
        medians = (np.array([np.median(chunks) for chunks in side]) for side in (arm, other))
        return cls(arm=tuple(arm), other=tuple(other), differences=log_ratios(*medians))

    def interval(self, confidence: float = SUPERIORITY) -> Interval:
        """The interval that decides."""
        return paired_interval(self.differences, confidence)

    def replicates(self) -> Replicates:
        """What checks it."""
        return resample_log_ratios(self.arm, self.other, np.random.default_rng(SEED))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contrast:
    """An arm and the one it is held against, in the blocks that have both."""

    name: tuple[str, ...]
    against: str
    wall: Measure
    normalised: Measure | None
    """CPU time over calibration; None where there is no CPU time to speak of, as on a GPU."""
    calibration: str
    """Whether times may be divided by it: ``undisturbed`` if so, else why not."""
    unsteady: float
    """Share of both arms' processes that reached no steady state."""


def speed_ratios(trials: pd.DataFrame, processes: Processes) -> pd.DataFrame:
    """Compare the speeds of ``trials`` of training, which are comparable and of one device.

    A row for each workload and arm but the one they are held against; columns are ``COLUMNS``.
    Ratios are how many times as fast an arm is, with its interval at 95%. Verdicts are corrected
    (Holm) for the number of arms of the workload, for each of both quantities on its own.
    """
    sentinels = {contrast.name[0]: contrast for contrast in _sentinels(trials, processes)}
    rows: list[dict[str, object]] = []
    for workload, group in trials[trials["label"] == ""].groupby("workload", sort=True):
        contrasts = list(_contrasts(str(workload), group, processes))
        rows += _judged(contrasts, sentinels.get(str(workload)), _device(trials))
    return pd.DataFrame(rows, columns=pd.Index(COLUMNS))


def sentinel_ratios(trials: pd.DataFrame, processes: Processes) -> pd.DataFrame:
    """Compare arms with themselves: trials labelled ``TWIN`` with those of no label.

    A row for each workload that has such trials; columns are ``SENTINEL_COLUMNS``. Intervals are at
    99%; the sentinel holds where that of wall time contains 1.
    """
    rows = []
    for contrast in _sentinels(trials, processes):
        interval = contrast.wall.interval(SENTINEL_CONFIDENCE)
        rows.append(
            {
                **dict(zip(SENTINEL_COLUMNS, (*contrast.name, interval.n), strict=False)),
                **_shown("ratio", interval),
                **_shown("normalised", _interval(contrast.normalised, SENTINEL_CONFIDENCE)),
                "holds": "no" if interval.excludes(0.0) else "yes",
            }
        )
    return pd.DataFrame(rows, columns=pd.Index(SENTINEL_COLUMNS))


def _device(trials: pd.DataFrame) -> Device:
    return trials["device"].iloc[0]  # type: ignore[no-any-return]


def _contrasts(workload: str, trials: pd.DataFrame, processes: Processes) -> Iterator[Contrast]:
    arms = {
        (str(framework), str(mode)): group
        for (framework, mode), group in trials.groupby(["framework", "mode"], sort=True)
    }
    baseline = BASELINE if BASELINE in arms else next(iter(arms))
    for arm, group in arms.items():
        if arm != baseline:
            found = _contrast((workload, *arm), group, arms[baseline], processes)
            yield from [found] if found else []


def _sentinels(trials: pd.DataFrame, processes: Processes) -> Iterator[Contrast]:
    """Of each workload that has one."""
    keys = ["workload", "framework", "mode"]
    arms = dict(iter(trials[trials["label"] == ""].groupby(keys, sort=True)))
    for key, twins in trials[trials["label"] == TWIN].groupby(keys, sort=True):
        if key in arms:
            name = tuple(str(part) for part in key)
            found = _contrast(name, twins, arms[key], processes)
            yield from [found] if found else []


def _contrast(
    name: tuple[str, ...], arm: pd.DataFrame, other: pd.DataFrame, processes: Processes
) -> Contrast | None:
    """Pair the processes of both by block; None if no block has both."""
    sides = [
        {int(b): processes[t] for t, b in zip(side.index, side["block"], strict=True)}
        for side in (arm, other)
    ]
    everyone = [process for side in sides for process in side.values()]
    mine, theirs = (
        {block: process for block, process in side.items() if len(process.wall)} for side in sides
    )
    blocks = sorted(mine.keys() & theirs.keys())
    if not blocks:
        return None
    pairs = [(mine[block], theirs[block]) for block in blocks]
    on_cpu = arm["device"].iloc[0] == "cpu" and _have_cpu_time(pairs)
    unsteady = sum(process.kind == "no steady state" for process in everyone) / len(everyone)
    return Contrast(
        name=name,
        against=" ".join(other[["framework", "mode"]].iloc[0]),
        wall=Measure.of([p.wall for p, _ in pairs], [p.wall for _, p in pairs]),
        normalised=Measure.of([p.normalised for p, _ in pairs], [p.normalised for _, p in pairs])
        if on_cpu
        else None,
        calibration=_calibration(pairs, int(arm["threads"].iloc[0])) if on_cpu else "",
        unsteady=unsteady,
    )


def _have_cpu_time(pairs: Sequence[tuple[Process, Process]]) -> bool:
    return all((process.cpu > 0).all() for pair in pairs for process in pair)


def _calibration(pairs: Sequence[tuple[Process, Process]], threads: int) -> str:
    if threads > 1:
        return "several threads"
    measure = Measure.of([p.disturbance for p, _ in pairs], [p.disturbance for _, p in pairs])
    return judge_calibration(measure.differences)


def _judged(
    contrasts: Sequence[Contrast], sentinel: Contrast | None, device: Device
) -> Iterator[dict[str, object]]:
    """Rows of one workload's contrasts: a family of claims for each of both quantities."""
    margin = MARGINS["speed", device]
    itself = sentinel.wall if sentinel else None
    family = [(contrast.wall, _guards(contrast, itself)) for contrast in contrasts]
    of_wall = _verdicts(family, margin)
    itself = sentinel.normalised if sentinel else None
    asked = {
        contrast.name: (contrast.normalised, _guards(contrast, itself))
        for contrast in contrasts
        if contrast.normalised is not None and contrast.calibration == "undisturbed"
    }
    of_cpu = dict(zip(asked, _verdicts(list(asked.values()), margin), strict=True))
    for contrast, (_, guards), wall in zip(contrasts, family, of_wall, strict=True):
        found, by = _final(contrast, wall, None if guards.void else of_cpu.get(contrast.name))
        yield {
            **dict(zip(COLUMNS, (*contrast.name, contrast.against, found.n), strict=False)),
            **_shown("ratio", contrast.wall.interval()),
            **_shown("normalised", _interval(contrast.normalised)),
            "calibration": contrast.calibration or None,
            "verdict": found.decision,
            "by": by,
            "reason": found.reason,
            "detectable": np.nan if found.detectable is None else expm1(found.detectable),
            "blocks_needed": np.nan if found.blocks_needed is None else found.blocks_needed,
        }


def _guards(contrast: Contrast, sentinel: Measure | None) -> Guards:
    if sentinel is None:
        return Guards(unsteady=contrast.unsteady)
    return Guards(
        sentinel=sentinel.interval(SENTINEL_CONFIDENCE),
        sentinel_half_width=sentinel.interval().half_width,
        unsteady=contrast.unsteady,
    )


def _final(contrast: Contrast, wall: Verdict, cpu: Verdict | None) -> tuple[Verdict, str]:
    """Which verdict stands, and by what; ``cpu`` is None where it may not decide."""
    if wall.decision != "inconclusive" or cpu is None or cpu.decision == "inconclusive":
        return wall, "wall"
    if contrast.normalised is None:
        return wall, "wall"
    if contrast.wall.interval().excludes(contrast.normalised.interval().estimate):
        reason = (
            f"{wall.reason}; CPU time over calibration says {cpu.decision}, beyond that of wall"
        )
        return replace(wall, reason=reason), "wall"
    return cpu, "CPU time over calibration"


def _verdicts(family: Sequence[tuple[Measure, Guards]], margin: Margin) -> list[Verdict]:
    """Decide a family of claims, each held to the confidence that Holm asks of it."""
    differences = [measure.differences for measure, _ in family]
    beyond = holm_confidences(
        np.array([_p_beyond(d, margin) for d in differences]), 1 - SUPERIORITY
    )
    within = holm_confidences(
        np.array([_p_within(d, margin) for d in differences]), 1 - EQUIVALENCE
    )
    found = []
    for (measure, guards), superiority, equivalence in zip(family, beyond, within, strict=True):
        replicates = measure.replicates()
        found.append(
            verdict(
                Evidence(
                    superiority=measure.interval(float(superiority)),
                    equivalence=measure.interval(float(equivalence)),
                ),
                Evidence(
                    superiority=replicates.interval(float(superiority)),
                    equivalence=replicates.interval(float(equivalence)),
                ),
                margin=margin,
                spread=_deviation(measure.differences),
                guards=guards,
            )
        )
    return found


def _p_beyond(differences: NDArray[np.float64], margin: Margin) -> float:
    """Of no more than the margin, two-sided: small where the effect lies beyond it."""
    estimate = paired_interval(differences).estimate
    if abs(estimate) <= margin.limit:
        return 1.0
    return paired_p(differences, copysign(margin.limit, estimate))


def _p_within(differences: NDArray[np.float64], margin: Margin) -> float:
    """Of the margin or more, the larger of both sides: small where the effect lies within it."""
    if abs(paired_interval(differences).estimate) >= margin.limit:
        return 1.0
    return max(paired_p(differences, side) for side in (margin.limit, -margin.limit))


def _deviation(differences: NDArray[np.float64]) -> float | None:
    return float(np.std(differences, ddof=1)) if len(differences) > 1 else None


def _interval(measure: Measure | None, confidence: float = SUPERIORITY) -> Interval | None:
    return None if measure is None else measure.interval(confidence)


def _shown(key: str, interval: Interval | None) -> Mapping[str, object]:
    """An interval as ratios, in three columns."""
    names = (key, f"{key}_low", f"{key}_high")
    if interval is None:
        return dict.fromkeys(names, np.nan)
    shown = interval.as_ratio()
    return dict(zip(names, (shown.estimate, shown.low, shown.high), strict=True))
