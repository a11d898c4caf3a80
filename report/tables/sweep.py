"""Steps over batch sizes: what a step costs, and what each image in it."""

from typing import cast

import numpy as np
import pandas as pd

from report.lines import lines
from report.statistics import paired_interval
from report.tables.columns import (
    ARM,
    ARM_KEYS,
    WORKLOAD,
    Column,
    Table,
    frame,
    limits,
    ranged,
    spread,
    summaries,
    text,
    with_interval,
)

KEY = "sweep"
STEPS_KEY = "batch-sizes"

_LINES = (
    WORKLOAD,
    ARM,
    Column(keys=("blocks",), title="blocks", show=text, page_only=True),
    Column(
        keys=spread("overhead_seconds"),
        title="per step",
        unit="ms",
        better="lower",
        show=with_interval(1000),
        meaning="what a step would take without images: of the line through the step times of a "
        "trial over batch sizes (least squares of relative errors), with its interval at 95%",
    ),
    Column(
        keys=spread("image_seconds"),
        title="per image",
        unit="µs",
        better="lower",
        show=with_interval(1e6),
        meaning="what each image adds, by the same line",
    ),
    Column(keys=("stopped",), title="ended", show=text, page_only=True),
)


def tables(
    counted: pd.DataFrame, results: pd.DataFrame, chunks: pd.DataFrame
) -> tuple[Table, Table]:
    """Lines, and the step times they go through.

    ``counted`` are trials of sweeps, ``results`` and ``chunks`` those of a run.
    """
    own = chunks[chunks["trial"].isin(counted.index)]
    rungs = own.assign(seconds=own["wall"] / own["steps"]).groupby(["trial", "series"])
    found = (
        rungs.agg(size=("batch_size", "first"), seconds=("seconds", "median"))
        .reset_index("series", drop=True)
        .join(counted[list(ARM_KEYS)])
    )
    return _lines(found, counted[list(ARM_KEYS)].join(results)), _steps(found)


def _lines(found: pd.DataFrame, ends: pd.DataFrame) -> Table:
    """A trial has one line; over the blocks, its two parts have intervals."""
    parts = lines(
        pd.factorize(found.index)[0],
        found["size"].to_numpy(dtype=np.float64),
        found["seconds"].to_numpy(dtype=np.float64),
        relative=True,
    )
    fits = pd.DataFrame(parts, index=found.index.unique(), columns=["overhead", "image"]).dropna()
    arms = found[list(ARM_KEYS)].loc[~found.index.duplicated()]
    rows = []
    for arm, trials in arms.groupby(list(ARM_KEYS), sort=True).groups.items():
        own = fits.loc[fits.index.intersection(trials)].to_numpy()
        said = set(ends.loc[trials, "stopped"]) - {""}
        rows.append(
            {
                **dict(zip(ARM_KEYS, cast("tuple[str, ...]", arm), strict=True)),
                "blocks": len(own),
                **limits("overhead_seconds", paired_interval(own[:, 0]) if len(own) else None),
                **limits("image_seconds", paired_interval(own[:, 1]) if len(own) else None),
                "stopped": "; ".join(sorted(said)) or None,
            }
        )
    return Table(
        key=KEY,
        title="Cost of a step and of an image",
        columns=_LINES,
        rows=frame(rows, _LINES),
    )


def _steps(found: pd.DataFrame) -> Table:
    """A column for each batch size."""
    sizes = sorted(found["size"].unique())
    columns = tuple(
        Column(
            keys=spread(f"step_seconds_{size}"),
            title=f"at {size}",
            unit="ms",
            better="lower",
            show=ranged(1000),
        )
        for size in sizes
    )
    return Table(
        key=STEPS_KEY,
        title="Step time by batch size",
        columns=(WORKLOAD, ARM, *columns),
        rows=summaries(by_size(found, "seconds", "step_seconds"), ARM_KEYS, columns),
        page_only=True,
    )


def by_size(found: pd.DataFrame, column: str, name: str) -> pd.DataFrame:
    """``column`` in as many columns as there are sizes, ``{name}_{size}``, other rows missing."""
    wide = {
        f"{name}_{size}": found[column].where(found["size"] == size)
        for size in sorted(found["size"].unique())
    }
    return found[list(ARM_KEYS)].assign(**wide)
