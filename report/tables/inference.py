"""How fast frameworks answer: one image at a time, and many."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bench.records import Inference, Result
from report.tables.columns import (
    ARM,
    ARM_KEYS,
    WORKLOAD,
    Column,
    Table,
    ranged,
    spread,
    summaries,
    text,
)

KEY = "inference"

_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}

_RESULTS = (
    *(
        Column(
            keys=spread(f"latency_{name}"),
            title=f"latency {name}",
            unit="ms",
            better="lower",
            show=ranged(1000),
            meaning=f"seconds within which {share:.0%} of the calls with one image were answered, "
            "the way to the device and back included",
        )
        for name, share in _QUANTILES.items()
    ),
    Column(
        keys=spread("throughput"),
        title="images/s",
        better="higher",
        show=ranged(),
        meaning="images answered per second in large batches; a trial's median chunk",
    ),
)

_COLUMNS = (
    WORKLOAD,
    ARM,
    *_RESULTS,
    Column(keys=("batch",), title="batch", show=text, page_only=True),
    Column(keys=("trials",), title="repeats", show=text, page_only=True),
)


def table(counted: pd.DataFrame, results: Mapping[int, Result]) -> Table:
    """A row for each arm; ``counted`` are its trials of inference."""
    measured = counted[list(ARM_KEYS)].join(
        pd.DataFrame(
            {
                trial: _numbers(result)
                for trial in counted.index
                if isinstance(result := results[trial], Inference)
            },
            index=[*(column.keys[0] for column in _RESULTS), "batch"],
        ).T
    )
    rows = summaries(measured, ARM_KEYS, _RESULTS)
    sizes = measured.groupby(list(ARM_KEYS)).agg(batch=("batch", "first"), trials=("batch", "size"))
    rows = rows.merge(sizes.reset_index(), on=list(ARM_KEYS), validate="one_to_one")
    rows["batch"] = rows["batch"].astype("int64")
    return Table(key=KEY, title="Inference", columns=_COLUMNS, rows=rows)


def _numbers(result: Inference) -> list[float]:
    chunks = [chunk.wall / chunk.steps for chunk in result.chunks]
    return [
        *np.quantile(result.latencies, list(_QUANTILES.values())).tolist(),
        result.batch_size / float(np.median(chunks)),
        result.batch_size,
    ]
