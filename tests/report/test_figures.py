import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pytest
import vl_convert

from bench.records import Memory, Record, Rung, Sweep
from report import beside
from report.decisions import MARGINS
from report.figure import KINDS, Figure
from report.figures import course, figures
from report.load import load_run
from report.overview import drawable
from report.sections import build_sections
from tests.report.conftest import make_chunks

Builder = Callable[..., Record]
Writer = Callable[..., Path]
Drawn = Callable[[Sequence[Record]], dict[str, Figure]]

SIZES = (8, 32, 128)


@pytest.fixture
def drawn(write_run: Writer) -> Drawn:
    def draw(records: Sequence[Record]) -> dict[str, Figure]:
        (section,) = build_sections(load_run(write_run(records)))
        found = figures(drawable(section))
        assert len({figure.key for figure in found}) == len(found)
        for figure in found:
            alt.Chart.from_dict(figure.spec)  # raises where the schema of Vega-Lite is not kept
        return {figure.key: figure for figure in found}

    return draw


def layers(figure: Figure) -> list[list[dict[str, Any]]]:
    """Rows of each layer; where all share them they are the chart's."""
    of_all = figure.spec.get("data")
    data = [layer.get("data", of_all) for layer in figure.spec["layer"]]
    return [figure.spec["datasets"][of["name"]] for of in data]


def values(figure: Figure, key: str) -> list[dict[str, Any]]:
    """Rows of the first layer whose rows have ``key``."""
    return next(found for found in layers(figure) if found and key in found[0])


def test_every_figure_is_valid_and_small(full_records: list[Record], drawn: Drawn) -> None:
    found = drawn(full_records)
    assert {key.partition("-")[0] for key in found} == {
        "conditions",
        "ratios",
        "accuracy",
        "losses",
    }
    for figure in found.values():
        assert figure.key.startswith(KINDS)
        json.dumps(figure.spec, allow_nan=False)
        assert vl_convert.vegalite_to_vega(figure.spec)
    for svg in beside.drawn([figure.alone for figure in found.values()]).result():
        assert svg.startswith("<svg")


def test_intervals_stand_against_the_margin(full_records: list[Record], drawn: Drawn) -> None:
    figure = drawn(full_records)["ratios-listing1"]
    (band,) = values(figure, "from")
    margin = MARGINS["speed", "cpu"].size
    assert (band["from"], band["to"]) == (1 / (1 + margin), 1 + margin)
    rows = {row["name"]: row for row in values(figure, "ratio")}
    assert set(rows) == {"pytorch compile", "keras fit", "jax jit"}
    assert all(row["low"] < row["ratio"] < row["high"] for row in rows.values())


def test_an_interval_without_ends_is_a_point(make_record: Builder, drawn: Drawn) -> None:
    found = drawn([make_record(), make_record(framework="jax", mode="jit")])
    (row,) = values(found["ratios-listing1"], "ratio")
    assert (row["low"], row["high"]) == (None, None)
    assert row["ratio"] == pytest.approx(1)


def test_accuracy_is_against_the_time_spent(full_records: list[Record], drawn: Drawn) -> None:
    rows = values(drawn(full_records)["accuracy-listing1"], "seconds")
    own = [row for row in rows if row["arm"] == "pytorch eager"]
    # Epochs of a second, and of 1, 2 and 3 in the three blocks.
    assert [row["seconds"] for row in own] == pytest.approx([1, 3])
    assert [row["accuracy"] for row in own] == pytest.approx([51, 51])


def test_steps_lie_on_the_line_that_is_drawn(make_record: Builder, drawn: Drawn) -> None:
    sweep = Sweep(
        rungs=tuple(
            Rung(
                batch_size=size,
                first_step_seconds=1.0,
                chunks=make_chunks([8 * (0.002 + 0.001 * size)] * 3),
            )
            for size in SIZES
        ),
        stopped="",
    )
    records = [make_record(scenario="sweep", result=sweep, block=block) for block in range(3)]
    figure = drawn(records)["steps-listing1"]
    lines, points = layers(figure)
    assert [(row["images"], row["step"]) for row in points] == [
        (size, pytest.approx(2 + size)) for size in SIZES
    ]
    assert [(row["images"], row["step"]) for row in lines] == [
        (size, pytest.approx(2 + size)) for size in (SIZES[0], SIZES[-1])
    ]


def test_memory_is_in_mebibytes(make_record: Builder, drawn: Drawn) -> None:
    records = [
        make_record(
            scenario="memory",
            batch_size=size,
            position=place,
            result=Memory(
                batch_size=size,
                baseline_host_bytes=100 * 2**20,
                peak_host_bytes=(200 + size) * 2**20,
                peak_device_bytes=None,
                smallest_cap_bytes=None,
            ),
        )
        for place, size in enumerate(SIZES)
    ]
    rows = values(drawn(records)["memory-listing1"], "memory")
    assert [(row["images"], row["memory"]) for row in rows] == [
        (size, pytest.approx(200 + size)) for size in SIZES
    ]


def test_nothing_is_drawn_of_nothing(make_record: Builder, drawn: Drawn) -> None:
    assert drawn([make_record(status="error", message="no")]) == {}


def test_one_epoch_is_no_course_of_losses(make_record: Builder, drawn: Drawn) -> None:
    found = drawn([make_record(epoch_seconds=(1.0,))])
    assert set(found) == {"accuracy-listing1"}
    assert np.isfinite(values(found["accuracy-listing1"], "accuracy")[0]["accuracy"])


def test_a_course_is_valid() -> None:
    rows = pd.DataFrame(
        {
            "framework": ["jax", "jax"],
            "mode": ["jit", "jit"],
            "when": ["2026-03-01T12:00:00+00:00", "2026-03-02T12:00:00+00:00"],
            "milliseconds": [1.0, 2.0],
            "low": [0.5, None],
            "high": [1.5, None],
            "commit": ["a", "b"],
        }
    )
    figure = course("A course", "history-listing1", rows)
    alt.Chart.from_dict(figure.spec)
    assert vl_convert.vegalite_to_vega(figure.spec)
