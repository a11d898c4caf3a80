"""Speeds as ratios, in rows: every arm of a workload against one of them, and against itself."""

from collections.abc import Mapping, Sequence
from math import expm1

import numpy as np
import pandas as pd

from bench.contract import BASELINE, Device
from report.contrasts import SENTINEL_CONFIDENCE, Contrast, Judged, Measure, decide
from report.decisions import SUPERIORITY
from report.material import Material
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


Family = Sequence[tuple[Contrast, Contrast | None]]
"""Pairs of a workload, each with the workload's sentinel if it has one."""


def families(material: Material) -> Sequence[Family]:
    """Every arm of training but the one held against, paired with that: a family per workload."""
    found = []
    for (scenario, workload), arms in material.arms.items():
        if scenario != "training":
            continue
        against = BASELINE if BASELINE in arms else next(iter(arms))
        pairs = [material.pair(scenario, workload, arm, against) for arm in arms if arm != against]
        sentinel = material.sentinels.get(workload)
        found.append([(contrast, sentinel) for contrast in pairs if contrast is not None])
    return found


def speed_ratios(families: Sequence[Family], device: Device) -> pd.DataFrame:
    """Compare the speeds of training: a row for each pair.

    Columns are ``COLUMNS``. Ratios are how many times as fast an arm is, with its interval at 95%.
    Verdicts are corrected (Holm) for the number of arms of the workload, for each of both
    quantities on its own.
    """
    rows = [_row(judged) for family in families for judged in decide(family, device)]
    return pd.DataFrame(rows, columns=pd.Index(COLUMNS))


def sentinel_ratios(material: Material) -> pd.DataFrame:
    """Compare arms with themselves: trials labelled ``TWIN`` with those of no label.

    A row for each workload that has such trials; columns are ``SENTINEL_COLUMNS``. Intervals are at
    99%; the sentinel holds where that of wall time contains 1.
    """
    rows = []
    for contrast in material.sentinels.values():
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
