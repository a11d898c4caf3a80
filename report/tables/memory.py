"""How much memory training takes, by passes of its own over batch sizes."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from bench.records import Memory, Result
from report.lines import line
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
_PEAKS = {
    "host": "host",
    "device": "device",
    "sampled_device": "device sampled",
    "cap": "smallest cap",
}


def table(counted: pd.DataFrame, results: Mapping[int, Result]) -> Table:
    """A row for each arm; ``counted`` are its trials of memory, one for each batch size."""
    found = pd.DataFrame(
        [row for trial in counted.index for row in _pass(counted, trial, results[trial])],
        columns=pd.Index([*ARM_KEYS, "block", "size", "baseline", *_PEAKS]),
    ).astype(dict.fromkeys(("baseline", *_PEAKS), "float64"))
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


def _pass(counted: pd.DataFrame, trial: int, result: Result) -> Iterator[dict[str, object]]:
    if isinstance(result, Memory):
        yield {
            **{key: counted.at[trial, key] for key in (*ARM_KEYS, "block")},
            "size": result.batch_size,
            "baseline": result.baseline_host_bytes,
            "host": result.peak_host_bytes,
            "device": result.peak_device_bytes,
            "sampled_device": counted.at[trial, "sampled_device_bytes"],
            "cap": result.smallest_cap_bytes,
        }


def _parts(found: pd.DataFrame) -> pd.DataFrame:
    """The two parts of each arm's peaks in each block; NaN of a single batch size."""
    known = found[found["host"].notna()]
    rows = []
    for key, group in known.groupby([*ARM_KEYS, "block"]):
        sizes, values = (group[name].to_numpy(dtype=np.float64) for name in ("size", "host"))
        fixed, slope = line(sizes, values)
        rows.append({**dict(zip(ARM_KEYS, key, strict=False)), "fixed": fixed, "per_image": slope})
    return pd.DataFrame(rows, columns=pd.Index([*ARM_KEYS, "fixed", "per_image"]))
