"""How much memory training takes, by passes of its own over batch sizes."""

import numpy as np
import pandas as pd

from report.lines import lines
from report.tables.columns import (
    ARM,
    ARM_KEYS,
    MIB,
    WORKLOAD,
    Column,
    Table,
    ranged,
    spread,
    summaries,
)
from report.tables.sweep import by_size

KEY = "memory"

_BASELINE = Column(
    keys=spread("baseline"),
    title="imported",
    unit="MiB",
    better="lower",
    show=MIB,
    meaning="resident after importing the framework, before anything was built",
)
_PARTS = (
    Column(
        keys=spread("fixed"),
        title="fixed",
        unit="MiB",
        better="lower",
        show=MIB,
        meaning="host memory at its highest without images: of the line through a block's peaks "
        "over batch sizes; what is imported is part of it",
    ),
    Column(
        keys=spread("per_image"),
        title="per image",
        unit="KiB",
        better="lower",
        show=ranged(2.0**-10),
        meaning="what each image of a batch adds to it, by the same line",
    ),
)
_NAMES = {
    "batch_size": "size",
    "baseline_host_bytes": "baseline",
    "peak_host_bytes": "host",
    "peak_device_bytes": "device",
    "sampled_device_bytes": "sampled_device",
    "smallest_cap_bytes": "cap",
}
"""Of ``bench.records.Memory`` and of records: what a column is called here."""
_PEAKS = {
    "host": "host",
    "device": "device",
    "sampled_device": "device sampled",
    "cap": "smallest cap",
}


def table(counted: pd.DataFrame, results: pd.DataFrame) -> Table:
    """A row for each arm; ``counted`` are its trials of memory, one for each batch size.

    ``results`` are those of a run.
    """
    found = counted[[*ARM_KEYS, "block", "sampled_device_bytes"]].join(results)
    found = found.rename(columns=_NAMES).astype({"size": "int64"})
    sizes = sorted(found["size"].unique())
    peaks = {
        name: tuple(
            Column(
                keys=spread(f"{name}_{size}"),
                title=f"{title} at {size}",
                unit="MiB",
                better="lower",
                show=MIB,
                page_only=name != "host",
            )
            for size in sizes
        )
        for name, title in _PEAKS.items()
    }
    rows = summaries(found, ARM_KEYS, (_BASELINE,))
    for name, columns in peaks.items():
        wide = summaries(by_size(found, name, name), ARM_KEYS, columns)
        rows = rows.merge(wide, on=list(ARM_KEYS), validate="one_to_one")
    parts = summaries(_parts(found), ARM_KEYS, _PARTS)
    rows = rows.merge(parts, on=list(ARM_KEYS), how="left", validate="one_to_one")
    return Table(
        key=KEY,
        title="Memory of training",
        columns=(
            WORKLOAD,
            ARM,
            _BASELINE,
            *_PARTS,
            *(c for found in peaks.values() for c in found),
        ),
        rows=rows,
    )


def _parts(found: pd.DataFrame) -> pd.DataFrame:
    """The two parts of each arm's peaks in each block; NaN of a single batch size."""
    blocks = [*ARM_KEYS, "block"]
    known = found[found["host"].notna()].sort_values(blocks, kind="stable")
    groups = known.groupby(blocks).ngroup().to_numpy()
    arms = known[list(ARM_KEYS)].loc[~known.duplicated(blocks)]
    if not len(arms):
        return arms.assign(fixed=np.nan, per_image=np.nan)
    sizes, values = (known[name].to_numpy(dtype=np.float64) for name in ("size", "host"))
    fixed, slope = lines(groups, sizes, values).T
    return arms.assign(fixed=fixed, per_image=slope)
