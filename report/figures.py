"""Charts of a section's tables, as Vega-Lite: interactive on the page, SVG beside ``report.md``.

Nothing is computed here but where a mark goes. Rows are grouped as the tables have them.
"""

from collections.abc import Iterator
from math import isfinite
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from altair.utils.schemapi import UndefinedType

from report.figure import WIDTH, Drawable, Figure

COLOURS = {
    "pytorch": "#d55e00",
    "tensorflow": "#e69f00",
    "keras": "#cc79a7",
    "jax": "#0072b2",
}
"""By framework, told apart by the colour-blind as well (Okabe and Ito 2008)."""
OTHER = "#009e73"
"""Of a framework that is none of these."""
ANSWERS = {
    "supported": "#009e73",
    "refuted": "#d55e00",
    "inconclusive": "#888888",
}

Rows = list[dict[str, Any]]


def figures(drawable: Drawable) -> tuple[Figure, ...]:
    """What a section's tables can be drawn as; none of empty ones."""
    return tuple(
        figure
        for make in (_conditions, _ratios, _accuracy, _losses, _steps, _memory, _pipelines)
        for figure in make(drawable)
    )


def _conditions(drawable: Drawable) -> Iterator[Figure]:
    rows = drawable.rows["conditions"]
    for claim, group in rows[rows["ratio"].notna()].groupby("claim", sort=False):
        values = _intervals(group, group["condition"], group["verdict"])
        yield Figure(
            key=f"conditions-{claim}",
            title=f"Conditions of {claim}",
            about="How many times as fast the first is, with its interval at 95%. The band is the "
            "margin: what lies in it is called equal, what lies to its right supports the claim.",
            spec=_forest(values, drawable, ANSWERS),
        )


def _ratios(drawable: Drawable) -> Iterator[Figure]:
    rows = drawable.rows["ratios"]
    for workload, group in rows.groupby("workload", sort=True):
        against = ", ".join(sorted(set(group["against"])))
        values = _intervals(group, group["framework"] + " " + group["mode"], group["framework"])
        yield Figure(
            key=f"ratios-{workload}",
            title=f"{workload}: times as fast as {against}",
            about="Steady training by wall time, with its interval at 95%. The band is the margin.",
            spec=_forest(values, drawable, _colours(group["framework"])),
        )


def _intervals(rows: pd.DataFrame, names: "pd.Series[str]", kinds: "pd.Series[str]") -> Rows:
    """Points with their limits; an interval without ends has none."""
    found = []
    for name, kind, ratio, low, high in zip(
        names, kinds, *(rows[key] for key in ("ratio", "ratio_low", "ratio_high")), strict=True
    ):
        bounded = low > 0 and isfinite(high)
        found.append(
            {
                "name": name,
                "kind": kind,
                "ratio": ratio,
                "low": low if bounded else None,
                "high": high if bounded else None,
            }
        )
    return found


def _forest(values: Rows, drawable: Drawable, colours: dict[str, str]) -> dict[str, Any]:
    """Intervals against the margin, one below the other, on a logarithmic axis."""
    band = [{"from": 1 / (1 + drawable.margin), "to": 1 + drawable.margin}]
    base = alt.Chart(alt.InlineData(values=values)).encode(
        y=alt.Y("name:N", sort=None, title=None, axis=alt.Axis(domain=False, ticks=False)),
        color=alt.Color("kind:N", scale=_scale(colours), title=None),
        tooltip=_tooltip("name:N", "ratio:Q", "low:Q", "high:Q", "kind:N"),
    )
    axis = alt.X(
        "ratio:Q", scale=alt.Scale(type="log", nice=False, padding=12), title="times as fast"
    )
    marks = (
        alt.Chart(alt.InlineData(values=band))
        .mark_rect(opacity=0.2, color="#888888")
        .encode(x=alt.X("from:Q"), x2=alt.X2("to:Q")),
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q"), x2=alt.X2("high:Q")),
        base.mark_point(filled=True, size=60).encode(x=axis),
    )
    return _spec(alt.layer(*marks), height=max(60, 26 * len(values)))


def _accuracy(drawable: Drawable) -> Iterator[Figure]:
    rows = drawable.rows["epochs"]
    for workload, group in rows.groupby("workload", sort=True):
        spent = group.groupby(["framework", "mode"])["seconds"].cumsum()
        values = _arms(group, seconds=spent, accuracy=100 * group["test_accuracy"])
        yield Figure(
            key=f"accuracy-{workload}",
            title=f"{workload}: accuracy against time",
            about="After each epoch, the median over the repeats. Time is the epochs' alone.",
            spec=_lines(values, "seconds", "accuracy", "training time (s)", "test accuracy (%)"),
        )


def _losses(drawable: Drawable) -> Iterator[Figure]:
    rows = drawable.rows["epochs"]
    for workload, group in rows.groupby("workload", sort=True):
        if group["epoch"].nunique() < 2:
            continue
        values = _arms(group, epoch=group["epoch"], loss=group["loss"])
        yield Figure(
            key=f"losses-{workload}",
            title=f"{workload}: training loss",
            about="The median over the repeats: equivalent training lies on one line.",
            spec=_lines(values, "epoch", "loss", "epoch", "training loss"),
        )


def _steps(drawable: Drawable) -> Iterator[Figure]:
    points = _by_size(drawable.rows["batch-sizes"], "step_seconds", 1000)
    for workload, group in points.groupby("workload", sort=True):
        values = _arms(group, images=group["size"], step=group["value"])
        lines = drawable.rows["sweep"]
        fitted = [
            {
                **_arm(row["framework"], row["mode"]),
                "images": size,
                "step": 1000 * (row["overhead_seconds"] + size * row["image_seconds"]),
            }
            for _, row in lines[lines["workload"] == workload].iterrows()
            for size in (int(group["size"].min()), int(group["size"].max()))
            if not np.isnan(row["overhead_seconds"])
        ]
        yield Figure(
            key=f"steps-{workload}",
            title=f"{workload}: step time by batch size",
            about="Points are medians over the blocks, lines the fitted cost of a step and of each "
            "image.",
            spec=_scatter(values, fitted, "images", "step", "images in a step", "step (ms)"),
        )


def _memory(drawable: Drawable) -> Iterator[Figure]:
    points = _by_size(drawable.rows["memory"], "host", 2.0**-20)
    for workload, group in points.groupby("workload", sort=True):
        values = _arms(group, images=group["size"], memory=group["value"])
        yield Figure(
            key=f"memory-{workload}",
            title=f"{workload}: host memory by batch size",
            about="The most that a training process held, the median over the blocks.",
            spec=_lines(values, "images", "memory", "images in a step", "host peak (MiB)"),
        )


def _pipelines(drawable: Drawable) -> Iterator[Figure]:
    rows = drawable.rows["pipeline"]
    for (workload, source), group in rows.groupby(["workload", "source"], sort=True):
        values = _arms(group, images=group["images"], delivered=group["alone"])
        titles = ("images in the data set", "delivered (images/s)")
        yield Figure(
            key=f"pipeline-{workload}-{source}",
            title=f"{workload}: images delivered from {source}",
            about="By each framework's own input pipeline while nobody trains, the median over the "
            "blocks.",
            spec=_lines(values, "images", "delivered", *titles, LOGARITHMIC),
        )


def course(title: str, key: str, rows: pd.DataFrame) -> Figure:
    """Time per step over the dates of runs, a line for each arm.

    ``rows`` have ``framework``, ``mode``, ``when`` (ISO 8601), ``milliseconds`` with ``low`` and
    ``high``, None where an interval has no end, and ``commit``.
    """
    values = _arms(
        rows,
        when=rows["when"],
        step=rows["milliseconds"],
        low=rows["low"],
        high=rows["high"],
        commit=rows["commit"],
    )
    base = _base(values, "when", "step", "measured at (UTC)", "step (ms)").encode(
        x=alt.X("when:T", title="measured at (UTC)"),
        tooltip=_tooltip("arm:N", "when:T", "step:Q", "low:Q", "high:Q", "commit:N"),
    )
    bars = base.mark_rule().encode(y=alt.Y("low:Q", title="step (ms)"), y2=alt.Y2("high:Q"))
    return Figure(
        key=key,
        title=title,
        about="Over the processes of each run, with its interval at 95%.",
        spec=_spec(alt.layer(bars, base.mark_line(), base.mark_point(filled=True)), height=260),
    )


def _by_size(rows: pd.DataFrame, name: str, factor: float) -> pd.DataFrame:
    """A row for each arm and batch size, from columns ``{name}_{size}``."""
    sizes = {
        key: int(key.removeprefix(f"{name}_"))
        for key in rows.columns
        if key.removeprefix(f"{name}_").isdecimal()
    }
    keys = ["workload", "framework", "mode"]
    long = rows.melt(keys, list(sizes), "size", "value").dropna(subset=["value"])
    return long.assign(size=long["size"].map(sizes), value=factor * long["value"])


def _arms(rows: pd.DataFrame, **columns: "pd.Series[Any]") -> Rows:
    return [
        {**_arm(framework, mode), **dict(zip(columns, values, strict=True))}
        for framework, mode, *values in zip(
            rows["framework"],
            rows["mode"],
            *(column.tolist() for column in columns.values()),
            strict=True,
        )
    ]


def _arm(framework: str, mode: str) -> dict[str, Any]:
    return {"framework": framework, "mode": mode, "arm": f"{framework} {mode}"}


Scales = tuple[alt.Scale | UndefinedType, alt.Scale]
"""Of both axes, across and up."""
LINEAR: Scales = (alt.Undefined, alt.Scale(zero=False))
LOGARITHMIC: Scales = (alt.Scale(type="log", nice=False, padding=12),) * 2


def _lines(
    values: Rows, x: str, y: str, across: str, up: str, scales: Scales = LINEAR
) -> dict[str, Any]:
    base = _base(values, x, y, across, up, scales)
    return _spec(alt.layer(base.mark_line(), base.mark_point(filled=True)), height=260)


def _scatter(values: Rows, fitted: Rows, x: str, y: str, across: str, up: str) -> dict[str, Any]:
    lines = _base(fitted, x, y, across, up).mark_line()
    points = _base(values, x, y, across, up).mark_point(filled=True)
    return _spec(alt.layer(lines, points), height=260)


def _base(values: Rows, x: str, y: str, across: str, up: str, scales: Scales = LINEAR) -> alt.Chart:
    frameworks = pd.Series([row["framework"] for row in values], dtype="str")
    return alt.Chart(alt.InlineData(values=values)).encode(
        x=alt.X(f"{x}:Q", title=across, scale=scales[0]),
        y=alt.Y(f"{y}:Q", title=up, scale=scales[1]),
        color=alt.Color("framework:N", scale=_scale(_colours(frameworks)), title=None),
        # One legend for both, in a grey that is seen on light and on dark.
        strokeDash=alt.StrokeDash("mode:N", legend=None),
        shape=alt.Shape("mode:N", title=None, legend=alt.Legend(symbolFillColor="#888888")),
        detail=alt.Detail("arm:N"),
        tooltip=_tooltip("arm:N", f"{x}:Q", f"{y}:Q"),
    )


def _tooltip(*fields: str) -> list[alt.Tooltip]:
    # Plain text would do, but to make a channel of it Altair 6 goes through all of its classes.
    return [alt.Tooltip(field) for field in fields]


def _colours(frameworks: "pd.Series[str]") -> dict[str, str]:
    return {name: COLOURS.get(name, OTHER) for name in sorted(set(frameworks))}


def _scale(colours: dict[str, str]) -> alt.Scale:
    return alt.Scale(domain=list(colours), range=list(colours.values()))


def _spec(chart: alt.LayerChart | alt.FacetChart, height: float) -> dict[str, Any]:
    # Altair's check takes as long as all the rest; the tests have it checked.
    found: dict[str, Any] = chart.properties(width=WIDTH, height=height).to_dict(validate=False)
    return found
