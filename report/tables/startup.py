"""How long it takes from the start of a process to its first trained step."""

import pandas as pd

from report.tables.columns import ARM, ARM_KEYS, WORKLOAD, Column, Table, ranged, spread, summaries

KEY = "startup"

_RESULTS = (
    Column(
        keys=spread("cold_seconds"),
        title="cold",
        unit="s",
        better="lower",
        show=ranged(),
        meaning="from the start of a process to the end of its first training step: importing, "
        "building and compiling, with nothing kept from before",
    ),
    Column(
        keys=spread("cached_seconds"),
        title="compiled before",
        unit="s",
        better="lower",
        show=ranged(),
        meaning="the same of a second process, with what the compilers of the first kept on disk",
    ),
)


def table(counted: pd.DataFrame, results: pd.DataFrame) -> Table:
    """A row for each arm; ``counted`` are its trials of startup, ``results`` those of a run."""
    return Table(
        key=KEY,
        title="From start to first step",
        columns=(WORKLOAD, ARM, *_RESULTS),
        rows=summaries(counted[list(ARM_KEYS)].join(results), ARM_KEYS, _RESULTS),
    )
