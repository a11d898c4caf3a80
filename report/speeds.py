"""Conditions that one arm is faster than another: what comparisons of speeds say on them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.contract import Device
from report.contrasts import Arm, Contrast, Judged, decide
from report.decisions import MINIMUM_BLOCKS, Verdict
from report.verdicts import Answer, Finding

TAUGHT: Mapping[str, str] = {
    "pytorch": "eager",
    "tensorflow": "graph",
    "keras": "fit",
    "jax": "jit",
}
"""The mode that a framework's own tutorials teach; of PyTorch and Keras the article prints them."""
COMPILED: Mapping[str, str] = {"tensorflow": "xla", "jax": "jit", "pytorch": "compile"}
"""The compiled mode of frameworks that have one beside, or as, the one that is taught."""

CLAIMED = ("tensorflow", "keras")
"""Said by the article to do better than ``AGAINST``."""
BESIDE = ("jax",)
"""Not in the article, and not primary."""
AGAINST = "pytorch"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Condition:
    """That one arm is faster than another; the contrast is missing if something is."""

    name: str
    primary: bool
    contrast: Contrast | None
    sentinel: Contrast | None = None
    missing: str

    @property
    def key(self) -> object:
        """The same of two conditions whose arms are the same: a question is asked once."""
        of = self.contrast
        return of and (of.trials, of.arm, of.against)


def judge(conditions: Sequence[Condition], device: Device) -> Iterator[Finding]:
    """What is found of each: the primary ones, corrected among themselves, and then the others."""
    for primary in (True, False):
        family = [condition for condition in conditions if condition.primary == primary]
        asked = {of.key: (of.contrast, of.sentinel) for of in family if of.contrast is not None}
        judged = dict(zip(asked, decide(list(asked.values()), device), strict=True))
        for of in family:
            yield _finding(of, judged.get(of.key))


def _finding(of: Condition, judged: Judged | None) -> Finding:
    if judged is None:
        return Finding(
            condition=of.name, answer="not tested", reason=of.missing, primary=of.primary
        )
    verdict = judged.verdict
    answer = answer_of(verdict)
    return Finding(
        condition=of.name,
        answer=answer,
        reason=verdict.reason if judged.by == "wall" else f"by {judged.by}, {verdict.reason}",
        primary=of.primary,
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
