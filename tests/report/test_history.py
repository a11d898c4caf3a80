"""Each benchmark over time, from any runs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from bench.records import Code, Record
from report.history import main, measured, page
from report.language import Catalogue
from report.load import load_run
from tests.report.conftest import blocks_of
from tests.report.test_html import Outline

Writer = Callable[..., Path]


def run_of(write_run: Writer, day: int, step: float, **fields: object) -> Path:
    records = [
        replace(
            record,
            started=f"2026-03-{day:02d}T12:00:00+00:00",
            code=Code(commit=f"{day:040x}", dirty=False, digest=f"{day:064x}"),
        )
        for record in blocks_of({"pytorch eager": step, "jax jit": 0.2}, number=8, **fields)  # type: ignore[arg-type]
    ]
    return write_run(records, name=f"day {day}")


def test_a_run_is_a_point_for_each_arm_with_its_interval(write_run: Writer) -> None:
    found = measured(load_run(run_of(write_run, 1, 0.1, drift=1.0, twin=0.5)))
    rows = {row["framework"]: row for row in found.to_dict("records")}
    assert set(rows) == {"jax", "pytorch"}
    pytorch = rows["pytorch"]
    # A step is an eighth of a chunk; the twin, which is slower here, is another trial.
    assert pytorch["seconds"] == pytest.approx(0.1 / 8, rel=0.02)
    assert pytorch["seconds_low"] < pytorch["seconds"] < pytorch["seconds_high"]
    assert pytorch["processes"] == 8
    assert pytorch["when"].startswith("2026-03-01")


def test_runs_become_one_page_that_needs_nothing_else(
    tmp_path: Path, write_run: Writer, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [str(run_of(write_run, day, 0.1 * day)) for day in (1, 2, 3)]
    output = tmp_path / "history.html"
    assert main([*runs, "--output", str(output)]) == 0
    assert str(output) in capsys.readouterr().out
    found = Outline(output.read_text(encoding="utf-8"))
    assert found.tags.count("figure") == 1
    assert found.tags.count("tr") == 1 + 3 * 2
    assert found.sources == []
    assert output.stat().st_size < 5_000_000


def test_machines_never_share_a_figure(write_run: Writer) -> None:
    runs = [run_of(write_run, 1, 0.1), run_of(write_run, 2, 0.1, cpu="Another CPU")]
    points = pd.concat([measured(load_run(run)) for run in runs], ignore_index=True)
    text = page(points, Catalogue.load("zh"))
    assert text.count("<figure") == 2
    assert "Another CPU" in text


def test_every_text_has_a_translation(write_run: Writer) -> None:
    catalogue = Catalogue.load("zh")
    page(measured(load_run(run_of(write_run, 1, 0.1))), catalogue)
    assert catalogue.missing == set()


def test_what_has_no_interval_is_still_a_point(
    make_record: Callable[..., Record], write_run: Writer
) -> None:
    text = page(measured(load_run(write_run([make_record()]))), Catalogue.load("zh"))
    assert '"low": null' in text


def test_bad_input_is_one_line(
    tmp_path: Path,
    make_record: Callable[..., Record],
    write_run: Writer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    failed = make_record(status="error", message="no")
    for arguments, problem in (
        (["nowhere"], "nowhere: no such folder"),
        ([str(write_run([failed]))], "none of the runs has steady training"),
    ):
        assert main([*arguments, "--output", str(tmp_path / "page.html")]) == 2
        said = capsys.readouterr().err
        assert problem in said
        assert len(said.splitlines()) == 1
    assert not (tmp_path / "page.html").exists()
