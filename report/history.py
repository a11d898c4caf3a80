"""Each benchmark over time: ``python -m report.history RUN... --output FILE``.

Any runs do: of ``nox -s bench``, and either side of a comparison by ``nox -s regress``
(``COMPARISON/head/pairs``). Like ``index.html``, the page is one file that needs no network.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import files
from bench.errors import UserError
from report.figures import course
from report.html import chart_texts, drawing, grid, templates
from report.language import Catalogue
from report.load import Run, load_run
from report.processes import described, find_steps
from report.statistics import paired_interval
from report.tables.columns import ARM, WORKLOAD, Column, Table, limits, spread, text, with_interval
from report.text import plain

PLACE = (
    *("dataset", "train_images", "device", "precision", "threads", "allocator"),
    *("system", "cpu", "cores", "gpu", "gpu_driver", "scenario"),
)
"""Columns of ``Run.trials`` in which all that one figure shows agrees."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page; return 2 if there was an error, else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m report.history",
        description="Show the time per step of every benchmark over the runs that are given.",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="the page")
    options = parser.parse_args(arguments)
    try:
        write(options.runs, options.output)
    except UserError as error:
        print(f"error: {plain(str(error))}", file=sys.stderr)
        return 2
    print(f"history: {plain(str(options.output))}")
    return 0


def write(runs: Sequence[Path], output: Path) -> None:
    """Write the page of ``runs``, at once. Raises ``UserError``."""
    points = pd.concat([measured(load_run(run)) for run in runs], ignore_index=True)
    if not len(points):
        raise UserError("none of the runs has steady training that ended well")
    try:
        files.replace(output, page(points, Catalogue.load("zh")))
    except OSError as error:
        raise UserError(f"--output {output}: {error.strerror}") from None


def measured(run: Run) -> pd.DataFrame:
    """A row for each arm and workload of a run: when, of what, and seconds per step.

    ``seconds``, ``seconds_low`` and ``seconds_high`` are the Hodges-Lehmann estimate over its
    ``processes`` and the interval at 95% (``report.statistics.paired_interval``), of logarithms.
    """
    trials = described(run, find_steps(run))
    counting = trials[
        trials["step_seconds"].notna() & (trials["discarded"] == "") & (trials["label"] == "")
    ]
    keys = [*PLACE, "workload", "framework", "mode", "commit", "code_digest", "versions"]
    rows = []
    for key, own in counting.groupby(keys, dropna=False, sort=True):
        found = paired_interval(np.log(own["step_seconds"].to_numpy(dtype=np.float64)))
        rows.append(
            {
                **dict(zip(keys, key, strict=True)),
                "when": own["started"].min(),
                "processes": len(own),
                **limits("seconds", found.as_ratio()),
            }
        )
    return pd.DataFrame(rows, columns=pd.Index([*keys, "when", "processes", *spread("seconds")]))


def page(points: pd.DataFrame, catalogue: Catalogue) -> str:
    """The whole page, in English and in the language of ``catalogue``."""
    places = list(_places(points))
    figures = [figure for place in places for figure in place.pop("drawn")]
    template = templates(catalogue).get_template("history.html.j2")
    return template.render(places=places, chart_texts=chart_texts(catalogue, figures))


def _places(points: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for number, (key, own) in enumerate(points.groupby(list(PLACE), dropna=False), start=1):
        rows = own.sort_values(["workload", "framework", "mode", "when"])
        drawn = [
            course(f"{workload}: time per step", f"history-{workload}", _drawable(of))
            for workload, of in rows.groupby("workload")
        ]
        of = dict(zip(PLACE, key, strict=True))
        names = ("device", "precision", "allocator", "cpu", "system", "gpu", "scenario")
        heading = [
            f"{of['dataset']} ({of['train_images']} images)",
            f"{of['threads']} thread(s)",
            *(of[name] for name in names if isinstance(of[name], str)),  # there may be no GPU
        ]
        yield {
            "heading": heading,
            "drawn": drawn,
            "figures": [drawing(figure, number) for figure in drawn],
            "table": grid(
                Table(key="history", title="History", columns=COLUMNS, rows=rows),
                f"history-{number}",
            ),
        }


def _drawable(rows: pd.DataFrame) -> pd.DataFrame:
    """In milliseconds; an interval without an end is not drawn."""
    shown = 1000 * rows[list(spread("seconds"))]
    bounded = np.isfinite(shown["seconds_high"]) & (shown["seconds_low"] > 0)
    ends = shown.astype(object).where(bounded, None)
    return rows.assign(
        milliseconds=shown["seconds"],
        low=ends["seconds_low"],
        high=ends["seconds_high"],
        commit=rows["commit"].fillna("-"),
    )


COLUMNS = (
    WORKLOAD,
    ARM,
    Column(keys=("when",), title="measured at", show=text),
    Column(
        keys=spread("seconds"), title="step", unit="ms", better="lower", show=with_interval(1000)
    ),
    Column(keys=("processes",), title="processes", show=text),
    Column(keys=("commit",), title="commit", show=lambda value: text(str(value)[:12])),
    Column(keys=("versions",), title="distributions", show=text),
)


if __name__ == "__main__":
    sys.exit(main())
