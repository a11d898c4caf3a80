"""How long it takes from the start of a process to its first trained step."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bench.records import Result, Startup
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


def table(counted: pd.DataFrame, results: Mapping[int, Result]) -> Table:
    """A row for each arm; ``counted`` are its trials of startup."""
    found = [results[trial] for trial in counted.index]
    measured = counted[list(ARM_KEYS)].assign(
        **{
            column.keys[0]: [
                getattr(result, column.keys[0]) if isinstance(result, Startup) else np.nan
                for result in found
            ]
            for column in _RESULTS
        }
    )
    return Table(
        key=KEY,
        title="From start to first step",
        columns=(WORKLOAD, ARM, *_RESULTS),
        rows=summaries(measured, ARM_KEYS, _RESULTS),
    )
