"""Does a network end as accurate when it is trained in another way? Arm by arm, block by block."""

import numpy as np
import pandas as pd

from report.contrasts import Arm
from report.decisions import EQUIVALENCE, MARGINS, MINIMUM_BLOCKS, SUPERIORITY
from report.statistics import paired_interval
from report.verdicts import Answer, Finding

LEAST_BLOCKS = 2
"""For an interval."""


def as_accurate(condition: str, arm: Arm, training: pd.DataFrame, other: pd.DataFrame) -> Finding:
    """Whether ``arm`` ends as accurate by ``training`` as by ``other``, its trials of two ways.

    Supported if it is no less accurate by the margin or more, at 95%; refuted if it is less
    accurate by more than the margin. A condition beside those that count.
    """
    sides = (training, other)
    own, held = (side.set_index("block")["final_test_accuracy"].dropna() for side in sides)
    both = own.index.intersection(held.index)
    if len(both) < LEAST_BLOCKS:
        measured = f"{' '.join(arm)} has {len(both)} of {LEAST_BLOCKS} blocks with both"
        return Finding(condition=condition, answer="not tested", reason=measured, primary=False)
    margin = MARGINS["accuracy", training["device"].iloc[0]].limit
    differences = (own[both] - held[both]).to_numpy(dtype=np.float64)
    interval = paired_interval(differences, SUPERIORITY)
    answer: Answer = "inconclusive"
    if interval.high < -margin:
        answer = "refuted"
    elif paired_interval(differences, EQUIVALENCE).low > -margin:
        answer = "supported"
    return Finding(
        condition=condition,
        answer=answer,
        reason=f"ends at {own[both].median():.1%} of the test images, else at "
        f"{held[both].median():.1%}: {100 * interval.low:+.1f} to {100 * interval.high:+.1f} "
        "points",
        primary=False,
        provisional=len(both) < MINIMUM_BLOCKS,
        trials=tuple(
            int(trial) for side in sides for trial in side.index[side["block"].isin(both)]
        ),
    )
