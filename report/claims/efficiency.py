"""Does TensorFlow, or Keras, compute faster than PyTorch?

As tutorials teach them, and in the fastest mode of each, which is taken from the same records.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from report.contrasts import Arm, Contrast, Judged, decide
from report.material import Material
from report.processes import Processes, medians
from report.speeds import TAUGHT, found, missing, shown
from report.verdicts import Claim, Finding

CLAIMED = ("tensorflow", "keras")
"""Said to be faster than ``AGAINST``."""
BESIDE = ("jax",)
"""Not in the article, and not primary."""
AGAINST = "pytorch"
SCENARIOS = ("training", "inference")
"""That have a speed."""
PRIMARY = (("training", "listing1"), ("training", "listing3"))
"""What the article does, and with which networks."""
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
                asked = material.trials[
                    (material.trials["scenario"] == scenario)
                    & (material.trials["workload"] == workload)
                ]
                lacking = [missing(side, asked) for side in (arm, against) if side not in arms]
                yield _Condition(
                    name=f"{scenario} {workload}, {setting}: "
                    f"{shown(arm)} faster than {shown(against)}",
                    primary=(scenario, workload) in PRIMARY and framework in CLAIMED,
                    contrast=material.pair(scenario, workload, arm, against),
                    sentinel=material.sentinels.get(workload) if scenario == "training" else None,
                    missing="; ".join(lacking) or "no block has both",
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


def _finding(condition: _Condition, judged: Judged | None) -> Finding:
    if judged is None:
        return Finding(
            condition=condition.name,
            answer="not tested",
            reason=condition.missing,
            primary=condition.primary,
        )
    return found(condition.name, judged, primary=condition.primary)


CLAIM = Claim(
    key="efficiency",
    place=2,
    statement="TensorFlow and Keras compute efficiently, PyTorch less so.",
    judge=judge,
)
