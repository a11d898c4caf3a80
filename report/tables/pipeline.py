"""Each framework's own input pipeline, from a small data set to a large one."""

import pandas as pd

from bench.records import Pipeline
from report.frames import IN_TURNS
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


def table(counted: pd.DataFrame, results: pd.DataFrame, chunks: pd.DataFrame) -> Table:
    """A row for each arm, source and size; ``counted`` are the trials of pipelines."""
    measured = counted[[*_KEYS, "batch_size"]].join(results).join(_steps(chunks, counted.index))
    measured = measured.assign(
        alone=measured["batch_size"] / measured["alone"],
        waiting=1 - measured["resident"] / measured["through"],
        through=measured["batch_size"] / measured["through"],
        first_batch=measured["first_batch_seconds"],
        held=measured["held_bytes"] - measured["held_before_bytes"],
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


def _steps(chunks: pd.DataFrame, trials: pd.Index) -> pd.DataFrame:
    """Seconds of a step of each trial, the median of its chunks: a column for each series."""
    own = chunks[chunks["trial"].isin(trials)]
    steps = (own["wall"] / own["steps"]).groupby([own["trial"], own["series"]]).median().unstack()
    return steps.reindex(columns=range(len(IN_TURNS[Pipeline]))).set_axis(
        list(IN_TURNS[Pipeline]), axis="columns"
    )
