"""Does TensorFlow, or Keras, compute faster than PyTorch?

As tutorials teach them, and in the fastest mode of each, which is taken from the same records.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from report.contrasts import Arm
from report.material import Material
from report.processes import Processes, medians
from report.speeds import AGAINST, BESIDE, CLAIMED, TAUGHT, Condition, missing, shown
from report.speeds import judge as judged
from report.verdicts import Claim, Finding

SCENARIOS = ("training", "inference")
"""That have a speed."""
PRIMARY = (("training", "listing1"), ("training", "listing3"))
"""What the article does, and with which networks."""
SETTINGS = ("as taught", "at its best")

Arms = Mapping[Arm, pd.DataFrame]


def judge(material: Material) -> Iterator[Finding]:
    """A condition for each framework, setting and network, of training and of inference."""
    yield from judged(list(_conditions(material)), material.device)


def _conditions(material: Material) -> Iterator[Condition]:
    measured = [cell for cell in sorted(material.arms, reverse=True) if cell[0] in SCENARIOS]
    for scenario, workload in dict.fromkeys((*PRIMARY, *measured)):
        arms = material.arms.get((scenario, workload), {})
        for setting in SETTINGS:
            for framework in (*CLAIMED, *BESIDE):
                arm, against = (
                    _arm(setting, name, arms, material.processes) for name in (framework, AGAINST)
                )
                lacking = [
                    missing(side, _asked(material, scenario, workload))
                    for side in (arm, against)
                    if side not in arms
                ]
                yield Condition(
                    name=f"{scenario} {workload}, {setting}: "
                    f"{shown(arm)} faster than {shown(against)}",
                    primary=(scenario, workload) in PRIMARY and framework in CLAIMED,
                    contrast=material.pair(scenario, workload, arm, against),
                    sentinel=material.sentinels.get(workload) if scenario == "training" else None,
                    missing="; ".join(lacking) or "no block has both",
                )


def _asked(material: Material, scenario: str, workload: str) -> pd.DataFrame:
    """All trials of it, whatever became of them."""
    trials = material.trials
    return trials[(trials["scenario"] == scenario) & (trials["workload"] == workload)]


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


CLAIM = Claim(
    key="efficiency",
    place=2,
    statement="TensorFlow and Keras compute efficiently, PyTorch less so.",
    judge=judge,
)
