"""How fast frameworks answer: one image at a time, and many."""

import pandas as pd

from report.frames import LATENCIES
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

_RESULTS = (
    *(
        Column(
            keys=spread(key),
            title=key.replace("_", " "),
            unit="ms",
            better="lower",
            show=ranged(1000),
            meaning=f"seconds within which {share:.0%} of the calls with one image were answered, "
            "the way to the device and back included",
        )
        for key, share in LATENCIES.items()
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


def table(counted: pd.DataFrame, results: pd.DataFrame, chunks: pd.DataFrame) -> Table:
    """A row for each arm; ``counted`` are its trials of inference, the others those of a run."""
    of = chunks["trial"]
    seconds = (chunks["wall"] / chunks["steps"]).groupby(of).median()
    measured = counted[list(ARM_KEYS)].join(results)
    measured["throughput"] = measured["batch"] / seconds.reindex(measured.index)
    rows = summaries(measured, ARM_KEYS, _RESULTS)
    sizes = measured.groupby(list(ARM_KEYS)).agg(batch=("batch", "first"), trials=("batch", "size"))
    rows = rows.merge(sizes.reset_index(), on=list(ARM_KEYS), validate="one_to_one")
    rows["batch"] = rows["batch"].astype("int64")
    return Table(key=KEY, title="Inference", columns=_COLUMNS, rows=rows)
