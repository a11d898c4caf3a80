"""Steps over batch sizes: what a step costs, and what each image in it."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from bench.records import Result, Sweep
from report.lines import line
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


def tables(counted: pd.DataFrame, results: Mapping[int, Result]) -> tuple[Table, Table]:
    """Lines, and the step times they go through; ``counted`` are trials of sweeps."""
    found = pd.DataFrame(
        [row for trial in counted.index for row in _rungs(counted, trial, results[trial])],
        columns=pd.Index([*ARM_KEYS, "trial", "size", "seconds"]),
    )
    return _lines(found, results), _steps(found)


def _rungs(counted: pd.DataFrame, trial: int, result: Result) -> Iterator[dict[str, object]]:
    if not isinstance(result, Sweep):
        return
    for rung in result.rungs:
        yield {
            **{key: counted.at[trial, key] for key in ARM_KEYS},
            "trial": trial,
            "size": rung.batch_size,
            "seconds": float(np.median([chunk.wall / chunk.steps for chunk in rung.chunks])),
        }


def _lines(found: pd.DataFrame, results: Mapping[int, Result]) -> Table:
    """A trial has one line; over the blocks, its two parts have intervals."""
    rows = []
    for arm, group in found.groupby(list(ARM_KEYS), sort=True):
        fits = [
            line(
                own["size"].to_numpy(dtype=np.float64),
                own["seconds"].to_numpy(dtype=np.float64),
                relative=True,
            )
            for _, own in group.groupby("trial")
        ]
        parts = np.array([fit for fit in fits if not np.isnan(fit).any()]).reshape(-1, 2)
        ends = {
            result.stopped
            for trial in group["trial"].unique()
            if isinstance(result := results[trial], Sweep) and result.stopped
        }
        rows.append(
            {
                **dict(zip(ARM_KEYS, arm, strict=True)),
                "blocks": len(parts),
                **limits("overhead_seconds", paired_interval(parts[:, 0]) if len(parts) else None),
                **limits("image_seconds", paired_interval(parts[:, 1]) if len(parts) else None),
                "stopped": "; ".join(sorted(ends)) or None,
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
