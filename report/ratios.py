"""Speeds as ratios, in rows: every arm of a workload against one of them, and against itself."""

from collections.abc import Iterator, Mapping
from math import expm1

import numpy as np
import pandas as pd

from bench.contract import BASELINE, Device
from report.contrasts import SENTINEL_CONFIDENCE, Contrast, Judged, Measure, decide, pair, sentinels
from report.decisions import SUPERIORITY
from report.processes import Processes
from report.statistics import Interval

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


def speed_ratios(trials: pd.DataFrame, processes: Processes) -> pd.DataFrame:
    """Compare the speeds of ``trials`` of training, which are comparable and of one device.

    A row for each workload and arm but the one they are held against; columns are ``COLUMNS``.
    Ratios are how many times as fast an arm is, with its interval at 95%. Verdicts are corrected
    (Holm) for the number of arms of the workload, for each of both quantities on its own.
    """
    themselves = {contrast.workload: contrast for contrast in sentinels(trials, processes)}
    rows: list[dict[str, object]] = []
    for workload, group in trials[trials["label"] == ""].groupby("workload", sort=True):
        sentinel = themselves.get(str(workload))
        family = [(contrast, sentinel) for contrast in _contrasts(group, processes)]
        rows += map(_row, decide(family, _device(trials)))
    return pd.DataFrame(rows, columns=pd.Index(COLUMNS))


def sentinel_ratios(trials: pd.DataFrame, processes: Processes) -> pd.DataFrame:
    """Compare arms with themselves: trials labelled ``TWIN`` with those of no label.

    A row for each workload that has such trials; columns are ``SENTINEL_COLUMNS``. Intervals are at
    99%; the sentinel holds where that of wall time contains 1.
    """
    rows = []
    for contrast in sentinels(trials, processes):
        interval = contrast.wall.interval(SENTINEL_CONFIDENCE)
        named = (contrast.workload, *contrast.arm, interval.n)
        rows.append(
            {
                **dict(zip(SENTINEL_COLUMNS, named, strict=False)),
                **_shown("ratio", interval),
                **_shown("normalised", _interval(contrast.normalised, SENTINEL_CONFIDENCE)),
                "holds": "no" if interval.excludes(0.0) else "yes",
            }
        )
    return pd.DataFrame(rows, columns=pd.Index(SENTINEL_COLUMNS))


def _device(trials: pd.DataFrame) -> Device:
    return trials["device"].iloc[0]  # type: ignore[no-any-return]


def _contrasts(trials: pd.DataFrame, processes: Processes) -> Iterator[Contrast]:
    """Every arm against the usual one, or the first by name."""
    arms = {
        (str(framework), str(mode)): group
        for (framework, mode), group in trials.groupby(["framework", "mode"], sort=True)
    }
    baseline = BASELINE if BASELINE in arms else next(iter(arms))
    for arm, group in arms.items():
        if arm != baseline:
            found = pair(group, arms[baseline], processes)
            yield from [found] if found else []


def _row(judged: Judged) -> dict[str, object]:
    contrast, found = judged.contrast, judged.verdict
    named = (contrast.workload, *contrast.arm, " ".join(contrast.against), found.n)
    return {
        **dict(zip(COLUMNS, named, strict=False)),
        **_shown("ratio", contrast.wall.interval()),
        **_shown("normalised", _interval(contrast.normalised)),
        "calibration": contrast.calibration or None,
        "verdict": found.decision,
        "by": judged.by,
        "reason": found.reason,
        "detectable": np.nan if found.detectable is None else expm1(found.detectable),
        "blocks_needed": np.nan if found.blocks_needed is None else found.blocks_needed,
    }


def _interval(measure: Measure | None, confidence: float = SUPERIORITY) -> Interval | None:
    return None if measure is None else measure.interval(confidence)


def _shown(key: str, interval: Interval | None) -> Mapping[str, object]:
    """An interval as ratios, in three columns."""
    names = (key, f"{key}_low", f"{key}_high")
    if interval is None:
        return dict.fromkeys(names, np.nan)
    shown = interval.as_ratio()
    return dict(zip(names, (shown.estimate, shown.low, shown.high), strict=True))
