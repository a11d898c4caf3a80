"""How much energy a GPU takes for training, by its own counter."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bench.records import Energy, Result
from report.tables.columns import ARM, ARM_KEYS, WORKLOAD, Column, Table, ranged, spread, summaries

KEY = "energy"

_RESULTS = (
    Column(
        keys=spread("joules_per_image"),
        title="per 1,000 images",
        unit="J",
        better="lower",
        show=ranged(1000),
        meaning="energy of the whole GPU while it trains, by its own counter, not calibrated",
    ),
    Column(
        keys=spread("net_joules_per_image"),
        title="beyond idle",
        unit="J",
        better="lower",
        show=ranged(1000),
        meaning="the same, less what the GPU takes at rest in that time",
    ),
)


def table(trials: pd.DataFrame, counted: pd.DataFrame, results: Mapping[int, Result]) -> Table:
    """Every arm of ``trials`` of energy; numbers are of ``counted`` ones only."""
    numbers = {
        trial: _numbers(result)
        for trial in counted.index
        if isinstance(result := results[trial], Energy)
    }
    measured = trials[list(ARM_KEYS)].assign(
        **{
            column.keys[0]: [numbers.get(trial, (np.nan, np.nan))[place] for trial in trials.index]
            for place, column in enumerate(_RESULTS)
        }
    )
    return Table(
        key=KEY,
        title="Energy of training",
        columns=(WORKLOAD, ARM, *_RESULTS),
        rows=summaries(measured, ARM_KEYS, _RESULTS),
    )


def _numbers(result: Energy) -> tuple[float, float]:
    """Joules per image, all of them and without those of rest."""
    net = result.joules - result.idle_watts * result.seconds
    return result.joules / result.images, net / result.images
