"""How much energy a GPU takes for training, by its own counter."""

import pandas as pd

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


def table(trials: pd.DataFrame, counted: pd.DataFrame, results: pd.DataFrame) -> Table:
    """Every arm of ``trials`` of energy; ``results``, of a run, are taken of ``counted`` ones."""
    own = results.reindex(counted.index)
    net = own["joules"] - own["idle_watts"] * own["seconds"]
    measured = trials[list(ARM_KEYS)].assign(
        joules_per_image=own["joules"] / own["images"],
        net_joules_per_image=net / own["images"],
    )
    return Table(
        key=KEY,
        title="Energy of training",
        columns=(WORKLOAD, ARM, *_RESULTS),
        rows=summaries(measured, ARM_KEYS, _RESULTS),
    )
