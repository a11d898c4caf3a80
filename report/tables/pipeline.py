"""Each framework's own input pipeline, from a small data set to a large one."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from bench.records import Chunk, Pipeline, Result
from report.tables.columns import (
    ARM,
    ARM_KEYS,
    MIB,
    PERCENT,
    WORKLOAD,
    Column,
    Table,
    ranged,
    spread,
    summaries,
    text,
)

KEY = "pipeline"

_KEYS = (*ARM_KEYS, "source", "images")

_RESULTS = (
    Column(
        keys=spread("alone"),
        title="alone",
        unit="images/s",
        better="higher",
        show=ranged(),
        meaning="images delivered per second while nobody trains on them; a trial's median chunk",
    ),
    Column(
        keys=spread("through"),
        title="training",
        unit="images/s",
        better="higher",
        show=ranged(),
        meaning="images trained on per second as the pipeline delivers them",
    ),
    Column(
        keys=spread("waiting"),
        title="waiting",
        unit="%",
        better="lower",
        show=PERCENT,
        meaning="share of the training's time beyond what the same steps take on images that are "
        "on the device already",
    ),
    Column(
        keys=spread("first_batch"),
        title="first batch",
        unit="s",
        better="lower",
        show=ranged(),
        meaning="from opening the data set to its first batch",
    ),
    Column(
        keys=spread("held"),
        title="held",
        unit="MiB",
        better="lower",
        show=MIB,
        meaning="anonymous memory that reading took beyond what the process, and its children, had "
        "before; pages of the system's cache are not in it",
    ),
)

_COLUMNS = (
    WORKLOAD,
    Column(keys=("source",), title="source", show=text, holds="words"),
    Column(keys=("images",), title="images", show=lambda images: (f"{images:,}", "")),
    ARM,
    *_RESULTS,
    Column(keys=("trials",), title="repeats", show=text, page_only=True),
)


def table(counted: pd.DataFrame, results: Mapping[int, Result]) -> Table:
    """A row for each arm, source and size; ``counted`` are the trials of pipelines."""
    sizes = dict(zip(counted.index, counted["batch_size"], strict=True))
    measured = counted[list(_KEYS)].join(
        pd.DataFrame(
            {
                trial: _numbers(result, size)
                for trial, size in sizes.items()
                if isinstance(result := results[trial], Pipeline)
            },
            index=[column.keys[0] for column in _RESULTS],
        ).T
    )
    rows = summaries(measured, _KEYS, _RESULTS)
    repeats = measured.groupby(list(_KEYS)).agg(trials=("alone", "size")).reset_index()
    rows = rows.merge(repeats, on=list(_KEYS), validate="one_to_one")
    order = ["workload", "source", "images", "framework", "mode"]
    return Table(
        key=KEY,
        title="Input pipelines",
        columns=_COLUMNS,
        rows=rows.sort_values(order, ignore_index=True),
    )


def _numbers(result: Pipeline, batch_size: int) -> list[float]:
    through, resident = map(_step, (result.through, result.resident))
    held = (result.held_bytes, result.held_before_bytes)
    return [
        batch_size / _step(result.alone),
        batch_size / through,
        1 - resident / through,
        result.first_batch_seconds,
        np.nan if None in held else float(held[0] or 0) - float(held[1] or 0),
    ]


def _step(chunks: Sequence[Chunk]) -> float:
    """Seconds of a step, the median of its chunks."""
    return float(np.median([chunk.wall / chunk.steps for chunk in chunks]))
