"""Does every arm of a workload learn alike? If not, their speeds are not comparable.

The idea is MLPerf's (reference convergence points, training_rules.adoc of mlcommons): nobody may
converge better than the others beyond chance, because then something else is trained. Arms of a
block have the same weights, images and order, so their accuracies are compared within blocks.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from report.decisions import MARGINS
from report.statistics import Interval, paired_interval

CONFIDENCE = 0.95
"""That no arm of a workload is called different by chance (Bonferroni over its arms)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """An arm that ends elsewhere than the others of its workload."""

    workload: str
    framework: str
    mode: str
    interval: Interval
    """Of its last accuracy less the median of all arms in the block; shares of one."""


def departures(training: pd.DataFrame) -> Iterator[Departure]:
    """Arms whose accuracy is another by more than the margin; ``training`` may be compared.

    Two blocks are the least that an interval takes, and two arms the least to differ.
    """
    known = training[(training["label"] == "") & training["final_test_accuracy"].notna()]
    for workload, group in known.groupby("workload", sort=True):
        margin = MARGINS["accuracy", group["device"].iloc[0]].limit
        wide = group.pivot_table(
            index="block", columns=["framework", "mode"], values="final_test_accuracy"
        )
        if wide.shape[1] < 2:
            continue
        beside = wide.sub(wide.median(axis="columns"), axis="index")
        for place, arm in enumerate(beside.columns):
            differences = beside.iloc[:, place].dropna().to_numpy(dtype="float64")
            if len(differences) < 2:
                continue
            interval = paired_interval(differences, 1 - (1 - CONFIDENCE) / wide.shape[1])
            if interval.low > margin or interval.high < -margin:
                framework, mode = map(str, arm)
                yield Departure(
                    workload=str(workload), framework=framework, mode=mode, interval=interval
                )
