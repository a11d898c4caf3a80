"""Speeds as ratios: every arm of a workload against one of them, paired by block.

A process counts once, however many epochs it ran; arms are compared within blocks, where they met
the same minutes of the machine (``report.statistics``, ``report.decisions``).
"""

from collections.abc import Iterator
from math import expm1

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.contract import Device
from report.bootstrap import resample_log_ratios
from report.decisions import MARGINS, Evidence, Verdict, verdict
from report.statistics import Interval, log_ratios, paired_interval

BASELINE = ("pytorch", "eager")
"""The arm that others are held against, chosen before any data: the one the article calls slow.
Where a workload was run without it, the first arm by name."""

SEED = 20261123
"""Of the bootstrap, so that a report rebuilt is the same report."""

COLUMNS = (
    *("workload", "framework", "mode", "against", "blocks"),
    *("ratio", "ratio_low", "ratio_high", "verdict", "reason", "detectable", "blocks_needed"),
)


def speed_ratios(trials: pd.DataFrame, epochs: pd.DataFrame) -> pd.DataFrame:
    """Compare the speeds of ``trials``, which are comparable; ``epochs`` have their times.

    A row for each workload and arm but the one they are held against; columns are ``COLUMNS``.
    Ratios are how many times as fast an arm is, with its interval at 95%.
    """
    rows = [
        row
        for workload, group in trials.groupby("workload", sort=True)
        for row in _of_workload(str(workload), group, epochs)
    ]
    return pd.DataFrame(rows, columns=pd.Index(COLUMNS))


def _of_workload(
    workload: str, trials: pd.DataFrame, epochs: pd.DataFrame
) -> Iterator[dict[str, object]]:
    arms = {
        (str(framework), str(mode)): {
            int(block): _step_seconds(epochs, place)
            for place, block in zip(group.index, group["block"], strict=True)
        }
        for (framework, mode), group in trials.groupby(["framework", "mode"], sort=True)
    }
    baseline = BASELINE if BASELINE in arms else next(iter(arms))
    for arm, times in arms.items():
        blocks = sorted(times.keys() & arms[baseline].keys())
        if arm == baseline or not blocks:
            continue
        found, interval = _compare(
            [times[block] for block in blocks],
            [arms[baseline][block] for block in blocks],
            str(trials["device"].iloc[0]),  # type: ignore[arg-type]
        )
        shown = interval.as_ratio()
        yield {
            **dict(zip(COLUMNS, (workload, *arm, " ".join(baseline), len(blocks)), strict=False)),
            "ratio": shown.estimate,
            "ratio_low": shown.low,
            "ratio_high": shown.high,
            "verdict": found.decision,
            "reason": found.reason,
            "detectable": np.nan if found.detectable is None else expm1(found.detectable),
            "blocks_needed": np.nan if found.blocks_needed is None else found.blocks_needed,
        }


def _compare(
    arm: list[NDArray[np.float64]], other: list[NDArray[np.float64]], device: Device
) -> tuple[Verdict, Interval]:
    """Decide whether ``arm`` is faster; both are, for each block, a process' times per step."""
    differences = log_ratios(
        np.array([np.median(times) for times in arm]),
        np.array([np.median(times) for times in other]),
    )
    replicates = resample_log_ratios(arm, other, np.random.default_rng(SEED))
    primary = Evidence(
        superiority=paired_interval(differences, 0.95),
        equivalence=paired_interval(differences, 0.9),
    )
    check = Evidence(superiority=replicates.interval(0.95), equivalence=replicates.interval(0.9))
    spread = float(np.std(differences, ddof=1)) if len(differences) > 1 else None
    found = verdict(primary, check, margin=MARGINS["speed", device], spread=spread)
    return found, primary.superiority


def _step_seconds(epochs: pd.DataFrame, trial: int) -> NDArray[np.float64]:
    """Seconds per step of each epoch of a trial, ``[E]``."""
    own = epochs[epochs["trial"] == trial]
    return (own["seconds"] / own["steps"]).to_numpy(dtype=np.float64)
