"""Does TensorFlow, or Keras, compute faster than PyTorch?

As tutorials teach them, and in the fastest mode of each, which is taken from the same records.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from report.contrasts import Arm, Contrast, Judged, decide
from report.decisions import MINIMUM_BLOCKS, Verdict
from report.material import Material
from report.processes import Processes, medians
from report.verdicts import Answer, Claim, Finding

CLAIMED = ("tensorflow", "keras")
"""Said to be faster than ``AGAINST``."""
BESIDE = ("jax",)
"""Not in the article, and not primary."""
AGAINST = "pytorch"
SCENARIOS = ("training", "inference")
"""That have a speed."""
PRIMARY = (("training", "listing1"), ("training", "listing3"))
"""What the article does, and with which networks."""
TAUGHT: Mapping[str, str] = {
    "pytorch": "eager",
    "tensorflow": "graph",
    "keras": "fit",
    "jax": "jit",
}
"""The mode that a framework's own tutorials teach; of PyTorch and Keras the article prints them."""
SETTINGS = ("as taught", "at its best")

Arms = Mapping[Arm, pd.DataFrame]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Condition:
    """One framework against ``AGAINST``; the contrast is missing if something is."""

    name: str
    primary: bool
    contrast: Contrast | None
    sentinel: Contrast | None
    missing: str

    @property
    def key(self) -> object:
        """The same of two conditions whose arms are the same: a question is asked once."""
        of = self.contrast
        return of and (of.trials, of.arm, of.against)


def judge(material: Material) -> Iterator[Finding]:
    """A condition for each framework, setting and network, of training and of inference."""
    conditions = list(_conditions(material))
    for primary in (True, False):
        family = [condition for condition in conditions if condition.primary == primary]
        asked = {of.key: (of.contrast, of.sentinel) for of in family if of.contrast is not None}
        judged = dict(zip(asked, decide(list(asked.values()), material.device), strict=True))
        for condition in family:
            yield _finding(condition, judged.get(condition.key))


def _conditions(material: Material) -> Iterator[_Condition]:
    measured = [cell for cell in sorted(material.arms, reverse=True) if cell[0] in SCENARIOS]
    for scenario, workload in dict.fromkeys((*PRIMARY, *measured)):
        arms = material.arms.get((scenario, workload), {})
        for setting in SETTINGS:
            for framework in (*CLAIMED, *BESIDE):
                arm, against = (
                    _arm(setting, name, arms, material.processes) for name in (framework, AGAINST)
                )
                sides = [side for side in (arm, against) if side not in arms]
                missing = [_missing(side, scenario, workload, material.trials) for side in sides]
                yield _Condition(
                    name=f"{scenario} {workload}, {setting}: "
                    f"{_shown(arm)} faster than {_shown(against)}",
                    primary=(scenario, workload) in PRIMARY and framework in CLAIMED,
                    contrast=material.pair(scenario, workload, arm, against),
                    sentinel=material.sentinels.get(workload) if scenario == "training" else None,
                    missing="; ".join(missing) or "no block has both",
                )


def _arm(setting: str, framework: str, arms: Arms, processes: Processes) -> Arm:
    """The mode that stands for a framework; no mode if it has none that was measured."""
    if setting == "as taught":
        return framework, TAUGHT[framework]
    own = {}
    for arm, group in arms.items():
        if arm[0] == framework:
            times = medians([processes[int(trial)].wall for trial in group.index])
            if not np.isnan(times).all():
                own[arm] = float(np.nanmedian(times))
    return min(own, key=own.__getitem__) if own else (framework, "")


def _missing(arm: Arm, scenario: str, workload: str, trials: pd.DataFrame) -> str:
    """Why there is nothing to compare, as a clause."""
    framework, mode = arm
    asked = trials[
        (trials["scenario"] == scenario)
        & (trials["workload"] == workload)
        & (trials["framework"] == framework)
        & (trials["mode"].isin([mode]) if mode else True)
    ]
    if not len(asked):
        return f"{_shown(arm)} was not measured"
    ends = ", ".join(sorted(set(asked["status"]) - {"ok"})) or "not comparable with the others"
    return f"no trial of {_shown(arm)} counts ({ends})"


def _shown(arm: Arm) -> str:
    return " ".join(filter(None, arm))


def _finding(condition: _Condition, judged: Judged | None) -> Finding:
    if judged is None:
        return Finding(
            condition=condition.name,
            answer="not tested",
            reason=condition.missing,
            primary=condition.primary,
        )
    found = judged.verdict
    answer = answer_of(found)
    return Finding(
        condition=condition.name,
        answer=answer,
        reason=found.reason if judged.by == "wall" else f"by {judged.by}, {found.reason}",
        primary=condition.primary,
        interval=judged.interval.as_ratio(),
        provisional=found.provisional,
        minutes=_minutes(judged) if answer == "inconclusive" else None,
        trials=judged.contrast.trials,
    )


def answer_of(found: Verdict) -> Answer:
    """What a verdict on "the first is faster" says: only more than the margin supports it."""
    if found.decision == "faster":
        return "supported"
    if found.decision != "inconclusive" or found.direction == "slower":
        return "refuted"
    return "inconclusive"


def _minutes(judged: Judged) -> float | None:
    """Of more blocks of these two arms; None if as many as should do were measured already."""
    needed = judged.verdict.blocks_needed
    if needed is None:
        return None
    more = max(needed, MINIMUM_BLOCKS) - judged.verdict.n
    return more * judged.contrast.seconds / 60 if more > 0 else None


CLAIM = Claim(
    key="efficiency",
    place=2,
    statement="TensorFlow and Keras compute efficiently, PyTorch less so.",
    judge=judge,
)
