import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bench.records import Record
from report import html, overview
from report.load import load_run
from report.mistakes import MISTAKES
from report.overview import FIGURES, arrange
from report.sections import TABLE_KEYS
from report.write import PAGE, SUMMARY, write_report

Builder = Callable[..., Record]
Writer = Callable[..., Path]


class Outline(HTMLParser):
    """What a browser would find: elements by name, identifiers, links, and the text shown."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.rows: dict[str, list[bool]] = {}
        """By table, whether a row leads anywhere."""
        self.shown = ""
        self._inside = ""
        self._rows: list[bool] = []
        self._heads = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self._inside = tag
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag == "a":
            self.links.append(str(given["href"]))
            if self._rows:
                self._rows[-1] = True
        if tag == "table":
            self._rows = self.rows.setdefault(str(given["id"]), [])
            self._heads = True
        if tag == "tr" and not self._heads:
            self._rows.append(False)
        self._heads &= tag != "tbody"
        self.sources += [str(given[name]) for name in ("src", "data", "srcset") if name in given]
        if tag == "link":
            self.sources.append(str(given["href"]))

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._rows = []

    def handle_data(self, data: str) -> None:
        if self._inside not in {"script", "style"}:
            self.shown += data


def outline(folder: Path) -> Outline:
    write_report(arrange(load_run(folder)), folder)
    return Outline((folder / PAGE).read_text(encoding="utf-8"))


def test_the_page_needs_no_other_file_and_no_network(
    full_records: list[Record], write_run: Writer
) -> None:
    folder = write_run(full_records)
    found = outline(folder)
    assert found.sources == []
    assert (folder / PAGE).stat().st_size < 5_000_000
    outside = {link for link in found.links if not link.startswith("#")}
    published = {mistake.link for mistake in MISTAKES}
    assert outside - published == {"records.jsonl"}


def test_every_link_leads_somewhere_and_every_name_is_unique(
    full_records: list[Record], write_run: Writer
) -> None:
    found = outline(write_run(full_records))
    assert len(set(found.ids)) == len(found.ids)
    inner = [link.removeprefix("#") for link in found.links if link.startswith("#")]
    assert len(inner) > 24
    assert set(inner) <= set(found.ids)
    # Each record is there to be linked to.
    assert {f"record-{line}" for line in range(1, 25)} <= set(found.ids)


def test_every_row_of_what_was_measured_leads_to_its_records(
    full_records: list[Record], write_run: Writer
) -> None:
    broken = replace(
        full_records[0],
        position=len(full_records),
        status="error",
        message="no",
        certificate=None,
        measurement=None,
    )
    found = outline(write_run([*full_records, broken]))
    # What is said of the implementations' source, and of package indexes, is not from records.
    measured = {f"{key}-1" for key in TABLE_KEYS} - {"source-1", "platforms-1"}
    tables = {key: rows for key, rows in found.rows.items() if key in measured}
    assert {"comparison-1", "ceiling-1", "environment-1", "unfinished-1"} < set(tables)
    assert {key for key, rows in tables.items() if not all(rows)} == set()


def test_what_comes_from_outside_is_text(make_record: Builder, write_run: Writer) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    records = [
        make_record(cpu=evil, version=evil),
        make_record(framework="jax", mode="jit", status="error", message=evil, cpu=evil),
        make_record(framework=evil, mode="jit", cpu=evil),
    ]
    folder = write_run(records)
    usual = outline(write_run([make_record(), make_record(framework="jax", mode="jit")], name="b"))
    found = outline(folder)
    assert "img" not in found.tags
    assert found.shown.count(evil) >= 4
    scripts = {name: page.tags.count("script") for name, page in (("e", found), ("u", usual))}
    figures = {name: page.tags.count("figure") for name, page in (("e", found), ("u", usual))}
    assert scripts["e"] - figures["e"] == scripts["u"] - figures["u"]
    assert all(path.read_text().find("<img") < 0 for path in (folder / FIGURES).glob("*.svg"))


@pytest.mark.parametrize("records", [0, 1])
def test_a_run_with_little_or_nothing_says_so(
    make_record: Builder, write_run: Writer, records: int
) -> None:
    found = outline(write_run([make_record()] * records, planned=4))
    assert ("Nothing is recorded" in found.shown) == (records == 0)
    assert f"{records} of 4 trials recorded" in found.shown
    assert "nox -s bench -- --resume" in found.shown


def test_an_interrupted_run_says_so(full_records: list[Record], write_run: Writer) -> None:
    folder = write_run(full_records, planned=30)
    with (folder / "records.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"schema": 3, "run"')
    found = outline(folder)
    assert "The last line of records.jsonl was cut off" in found.shown
    assert "24 of 30 trials recorded" in found.shown


def test_a_run_of_one_framework_says_what_was_not_measured(
    make_record: Builder, write_run: Writer
) -> None:
    records = [make_record(block=block, inputs=str(block)) for block in range(3)]
    found = outline(write_run(records))
    assert "tensorflow graph was not measured" in found.shown
    assert "keras fit was not measured" in found.shown


def inner(found: Outline) -> set[str]:
    return {link.removeprefix("#") for link in found.links if link.startswith("#")}


def test_of_too_many_records_the_first_of_each_arm_are_listed(
    full_records: list[Record], write_run: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, "MOST_TRIALS", 23)
    found = outline(write_run(full_records))
    assert "16 of 24 records are listed: the first of each arm in each scenario." in found.shown
    listed = {name for name in found.ids if name.startswith("record-")}
    assert len(listed) == 16
    # Every arm still leads to its evidence, and nothing leads to what is not there.
    assert inner(found) <= set(found.ids)
    assert inner(found) & listed


def test_a_cell_names_no_more_records_than_can_be_read(
    full_records: list[Record], write_run: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, "MOST_NAMED", 2)
    found = outline(write_run(full_records))
    assert "and 4 more" in found.shown
    assert inner(found) <= set(found.ids)


def test_the_page_of_many_failures_stays_short(make_record: Builder, write_run: Writer) -> None:
    records = [
        make_record(block=block, status="error", message=f"{block}: {'x' * 5_000}")
        for block in range(3_000)
    ]
    folder = write_run(records)
    found = outline(folder)
    assert (folder / PAGE).stat().st_size < 5_000_000
    assert "The first 200 of 3,000 rows; tables/1-unfinished.csv has all." in found.shown
    assert "2,000 of 3,000 records are listed" in found.shown
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "The first 200 of 3,000 rows; tables/1-unfinished.csv has all." in text
    assert text.count("| error |") == 200
    rows = (folder / "tables" / "1-unfinished.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 3_001


def test_the_page_of_many_sections_stays_short_and_says_what_is_left_out(
    make_record: Builder, write_run: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [
        make_record(framework=framework, mode=mode, digest=f"{section:064}", inputs="")
        for section in range(4)
        for framework, mode in (("pytorch", "eager"), ("jax", "jit"))
    ]
    folder = write_run(records)
    whole = outline(folder)
    size = (folder / PAGE).stat().st_size
    tables = whole.tags.count("table")
    monkeypatch.setattr(html, "LARGEST", size - 1)
    found = outline(folder)
    assert (folder / PAGE).stat().st_size < size
    assert "they are in report.md, and their numbers in tables/4-*.csv." in found.shown
    assert "tables/3-*.csv" not in found.shown
    assert 0.5 * tables < found.tags.count("table") < tables
    assert found.tags.count("section") == 4
    assert inner(found) <= set(found.ids)
    monkeypatch.setattr(html, "LARGEST", 0)
    found = outline(folder)
    assert "4 more sections are in report.md: this page would be too long." in found.shown
    assert found.tags.count("section") == 0
    # Room for two of the four, were the others not to have their verdicts.
    least = (folder / PAGE).stat().st_size
    monkeypatch.setattr(html, "LARGEST", (least + size) // 2)
    found = outline(folder)
    assert found.tags.count("section") == 4
    assert 0 < found.tags.count("table") < 0.5 * tables


def test_of_many_warnings_the_page_says_how_many_there_are(
    make_record: Builder, write_run: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "MOST_WARNINGS", 2)
    records = [
        make_record(framework=framework, block=block, inputs=f"{framework} {block}")
        for block in range(5)
        for framework in ("pytorch", "jax")
    ]
    found = outline(write_run(records))
    assert found.shown.count("not the same training") == 2
    assert "3 more warnings are in report.md." in found.shown


def test_the_summary_is_for_programs(full_records: list[Record], write_run: Writer) -> None:
    folder = write_run(full_records)
    write_report(arrange(load_run(folder)), folder)
    summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    (section,) = summary["sections"]
    assert section["identity"]["dataset"] == "cifar10"
    verdicts = {row["claim"]: row["verdict"] for row in section["verdicts"]}
    assert verdicts["popularity"] == "not tested"
    conditions = [row for row in section["conditions"] if row["claim"] == "efficiency"]
    assert all({"ratio", "ratio_low", "ratio_high"} <= row.keys() for row in conditions)


def test_figures_of_earlier_reports_go_and_others_stay(
    full_records: list[Record], write_run: Writer
) -> None:
    folder = write_run(full_records)
    (folder / FIGURES).mkdir()
    old, own = folder / FIGURES / "7-ratios-gone.svg", folder / FIGURES / "mine.svg"
    for path in (old, own):
        path.write_text("<svg/>", encoding="utf-8")
    write_report(arrange(load_run(folder)), folder)
    assert not old.exists()
    assert own.exists()
    named = re.findall(r"\((figures/[^)]+)\)", (folder / "report.md").read_text(encoding="utf-8"))
    assert named
    assert all((folder / name).exists() for name in named)
