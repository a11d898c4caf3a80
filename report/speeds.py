"""What a comparison of speeds says on a claim that the first is faster."""

from collections.abc import Mapping

import pandas as pd

from report.contrasts import Arm, Judged
from report.decisions import MINIMUM_BLOCKS, Verdict
from report.verdicts import Answer, Finding

TAUGHT: Mapping[str, str] = {
    "pytorch": "eager",
    "tensorflow": "graph",
    "keras": "fit",
    "jax": "jit",
}
"""The mode that a framework's own tutorials teach; of PyTorch and Keras the article prints them."""


def found(condition: str, judged: Judged, *, primary: bool) -> Finding:
    """The finding on ``condition``, which is that the contrast's arm is the faster one."""
    verdict = judged.verdict
    answer = answer_of(verdict)
    return Finding(
        condition=condition,
        answer=answer,
        reason=verdict.reason if judged.by == "wall" else f"by {judged.by}, {verdict.reason}",
        primary=primary,
        interval=judged.interval.as_ratio(),
        provisional=verdict.provisional,
        minutes=_minutes(judged) if answer == "inconclusive" else None,
        trials=judged.contrast.trials,
    )


def answer_of(verdict: Verdict) -> Answer:
    """What a verdict on "the first is faster" says: only more than the margin supports it."""
    if verdict.decision == "faster":
        return "supported"
    if verdict.decision != "inconclusive" or verdict.direction == "slower":
        return "refuted"
    return "inconclusive"


def _minutes(judged: Judged) -> float | None:
    """Of more blocks of these two arms; None if as many as should do were measured already."""
    needed = judged.verdict.blocks_needed
    if needed is None:
        return None
    more = max(needed, MINIMUM_BLOCKS) - judged.verdict.n
    return more * judged.contrast.seconds / 60 if more > 0 else None


def missing(arm: Arm, trials: pd.DataFrame) -> str:
    """Why none of ``trials``, which are of all arms, tells anything of ``arm``, as a clause."""
    framework, mode = arm
    own = trials[
        (trials["framework"] == framework) & (trials["mode"].isin([mode]) if mode else True)
    ]
    if not len(own):
        return f"{shown(arm)} was not measured"
    ends = ", ".join(sorted(set(own["status"]) - {"ok"})) or "not comparable with the others"
    return f"no trial of {shown(arm)} counts ({ends})"


def shown(arm: Arm) -> str:
    """For people; a framework alone where it has no mode."""
    return " ".join(filter(None, arm))
