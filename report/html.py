"""A run's report as one page that needs nothing else: no network, no other file.

Everything from outside is text to the template, which escapes it; what goes into scripts is JSON.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from report import beside
from report.about import about
from report.figure import Figure
from report.language import Catalogue
from report.overview import APART, SPREAD, TABLES, Report, csv_of
from report.sections import Section
from report.tables import claims as claim_tables
from report.tables.columns import ARM, ARM_KEYS, WORKLOAD, Column, Table, text
from report.text import plain, shortened
from report.verdicts import RULE

LARGEST = 4_900_000
"""Bytes of a page. Of sections that do not fit it has the verdicts only, or only their number."""
MOST_TRIALS = 2_000
"""Listed on the page, a row each; of more it is the first of each arm in each scenario."""
MOST_NAMED = 50
"""Records that a cell names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    to: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    text: str
    aside: str = ""
    numeric: bool = False
    order: float | None = None
    """What the column is sorted by, where not by its text."""
    badge: str = ""
    said: bool = False
    """The text is the report's own: no number, and no name from outside."""
    links: tuple[_Link, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    title: str
    unit: str
    arrow: str
    numeric: bool


def page(report: Report, catalogue: Catalogue) -> str:
    """The whole page, in English and in the language of ``catalogue``."""
    listed = _listed(report.run.trials)
    environment = templates(catalogue)
    # Of these there are most, and the page is made twice: without its sections, to see how long.
    grid = vars(environment.get_template("macros.html.j2").module)["grid"]
    render = partial(
        environment.get_template("index.html.j2").render,
        report=report,
        trials=grid(_trials(listed)) if len(listed) else None,
        unlisted=_unlisted(len(listed), len(report.run.trials)),
        spread=SPREAD,
        apart=APART,
        tables_folder=TABLES,
        chart_texts=chart_texts(catalogue, [figure for own in report.figures for figure in own]),
    )
    room = LARGEST - len(render(sections=[], left_out="").encode())
    sections = list(_fitting(environment, report, listed, room))
    return render(sections=sections, left_out=_left_out(len(sections), len(report.sections)))


def templates(catalogue: Catalogue) -> jinja2.Environment:
    """Templates of pages in English and in the language of ``catalogue``, all they need included.

    Beside what it is about, ``page.html.j2`` needs ``chart_texts``.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    # Once for each text: most cells of a page say what others say.
    environment.filters["both"] = cache(partial(_both, catalogue))
    environment.filters["perhaps"] = cache(partial(_perhaps, catalogue))
    environment.globals |= {
        "libraries": _libraries(),
        "style": _asset("page.css"),
        "script": _asset("page.js"),
    }
    return environment


def _fitting(
    environment: jinja2.Environment, report: Report, listed: pd.DataFrame, room: int
) -> Iterator[Markup]:
    """As many sections as fit into ``room`` bytes, and as many of these whole as still do."""
    template = environment.get_template("section.html.j2")
    records = _Records(arms=_arms(listed), anchors=frozenset(listed["record"]))
    contents = [
        _section(section, [drawing(figure, number) for figure in own], number, records)
        for number, (section, own) in enumerate(
            zip(report.sections, report.figures, strict=True), start=1
        )
    ]
    render = partial(template.render, rule=RULE)
    short = [render(section=content, whole=False) for content in contents]
    sizes = np.array([len(brief.encode()) for brief in short], dtype=np.int64)
    fitting = int(np.searchsorted(sizes.cumsum(), room, side="right"))
    room -= int(sizes[:fitting].sum())
    for content, brief in zip(contents[:fitting], short, strict=False):
        whole = render(section=content, whole=True) if room > 0 else brief
        room -= len(whole.encode()) - len(brief.encode())
        yield Markup(whole if room > 0 else brief)  # noqa: S704 - escaped by the template


def _left_out(shown: int, sections: int) -> str:
    """Say how many sections there are beyond those shown; empty if there are none."""
    if shown == sections:
        return ""
    return f"{sections - shown:,} more sections are in report.md: this page would be too long."


def _unlisted(listed: int, records: int) -> str:
    """Say which records are not listed; empty if all are."""
    if listed == records:
        return ""
    return (
        f"{listed:,} of {records:,} records are listed: the first of each arm in each scenario. "
        "The file holds all:"
    )


def _both(catalogue: Catalogue, text: str) -> Markup:
    """A text of the report's own, which the catalogue should know."""
    if not any(letter.isalpha() for letter in text):
        return escape(text)
    translated = catalogue.translate(text)
    if translated is None:
        catalogue.missing.add(text)
    return _spans(text, translated)


def _perhaps(catalogue: Catalogue, text: str) -> Markup:
    """A text that may be a number, or a name from outside."""
    return _spans(text, catalogue.translate(text))


def _spans(text: str, translated: str | None) -> Markup:
    if translated is None:
        return escape(text)
    spans = Markup('<span lang="en">{}</span><span lang="zh">{}</span>')
    return spans.format(text, translated)


def chart_texts(catalogue: Catalogue, drawn: Sequence[Figure]) -> dict[str, str]:
    """Translations of what the charts say; what has none is a name or a number."""
    said = {text for figure in drawn for text in _texts(figure.spec)}
    pairs = ((text, catalogue.translate(text)) for text in sorted(said))
    return {text: translated for text, translated in pairs if translated is not None}


def _texts(spec: object) -> Iterator[str]:
    """Every string in a specification, shown or not."""
    if isinstance(spec, str):
        yield spec
    elif isinstance(spec, Mapping):
        for value in spec.values():
            yield from _texts(value)
    elif isinstance(spec, Sequence):
        for value in spec:
            yield from _texts(value)


def _asset(name: str) -> str:
    return files("report").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _libraries() -> dict[str, str]:
    """Scripts as they may stand within ``<script>``."""
    bundle = files("itables").joinpath("html")
    return {
        "vega": _inline(beside.scripts().result()),
        "datatables": _inline(bundle.joinpath("dt_bundle.js").read_text(encoding="utf-8")),
        "datatables_css": bundle.joinpath("dt_bundle.css").read_text(encoding="utf-8"),
    }


def _inline(script: str) -> str:
    r"""In a string or a comment ``<\/`` is ``</``; elsewhere neither stands in a script."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Records:
    """Where links to records may lead."""

    arms: Mapping[tuple[str, ...], str]
    """Where those of an arm begin, by ``ARM_KEYS``."""
    anchors: frozenset[str]
    """Those that are listed."""


def _section(
    section: Section, drawn: Sequence[dict[str, Any]], number: int, records: _Records
) -> dict[str, Any]:
    of_claims = [figure for figure in drawn if figure["key"].startswith("conditions-")]
    apart = {claim_tables.KEY, claim_tables.CONDITIONS_KEY}
    return {
        "id": f"section-{number}",
        "heading": section.heading.split(", "),
        "about": list(about(section)),
        "verdicts": list(_verdicts(section, number, of_claims, records)),
        "figures": [figure for figure in drawn if figure not in of_claims],
        "tables": [
            _grid(
                table.beginning,
                f"{table.key}-{number}",
                records,
                rest=table.rest(csv_of(number, table)),
            )
            for table in section.tables
            if len(table.rows) and table.key not in apart
        ],
        "files": f"{TABLES}/{number}-*.csv",
    }


def _verdicts(
    section: Section, number: int, drawn: Sequence[dict[str, Any]], records: _Records
) -> Iterator[dict[str, Any]]:
    conditions = section[claim_tables.CONDITIONS_KEY]
    for row in section[claim_tables.KEY].rows.to_dict("records"):
        own = conditions.rows[conditions.rows["claim"] == row["claim"]]
        columns = tuple(column for column in conditions.columns if column.keys != ("claim",))
        table = replace(conditions, rows=own, columns=columns)
        key = f"conditions-{row['claim']}-{number}"
        yield {
            "id": f"{row['claim']}-{number}",
            "claim": row["claim"],
            "statement": row["statement"],
            "answer": row["verdict"],
            "aside": "provisional" if row["provisional"] else row["caveat"],
            "counts": row["counts"],
            "figures": [of for of in drawn if of["key"] == f"conditions-{row['claim']}"],
            "conditions": _grid(
                table.beginning, key, records, rest=table.rest(csv_of(number, table))
            ),
        }


def drawing(figure: Figure, number: int) -> dict[str, Any]:
    """A figure as the macro ``drawing`` shows it, in the section of that number."""
    return {
        "key": figure.key,
        "id": f"figure-{figure.key}-{number}",
        "title": figure.title,
        "about": figure.about,
        "height": figure.spec["height"] + 60,
        "spec": figure.spec,
    }


def grid(table: Table, key: str) -> dict[str, Any]:
    """A table as the macro ``grid`` shows it; no row leads to records."""
    return _grid(table, key, _Records(arms={}, anchors=frozenset()))


def _grid(table: Table, key: str, records: _Records, rest: str = "") -> dict[str, Any]:
    """A table's heads and cells, and what to say of rows that are elsewhere.

    Rows of an arm link to its records.
    """
    shown = table.shown
    traced = records.arms and set(ARM_KEYS) <= set(table.rows.columns)
    keys = [tuple(row) for row in table.rows[list(ARM_KEYS)].to_numpy()] if traced else []
    firsts = [table.rows[column.keys[0]].tolist() for column in shown]
    rows = [
        [
            _cell(column, value, cell, records.anchors)
            for column, value, cell in zip(shown, values, cells, strict=True)
        ]
        for values, cells in zip(zip(*firsts, strict=True), table.cells(shown), strict=True)
    ]
    for cells, arm in zip(rows, keys, strict=False):
        to = records.arms.get(arm)
        cells.append(_Cell(text="", links=(_Link(to=f"#{to}", text="records"),) if to else ()))
    heads = [
        _Head(
            title=column.title,
            unit=column.unit,
            arrow=column.arrow,
            numeric=table.numeric(column),
        )
        for column in shown
    ]
    return {
        "id": key,
        "title": table.title,
        "heads": [
            *heads,
            *([_Head(title="evidence", unit="", arrow="", numeric=False)] if traced else []),
        ],
        "rows": [{"id": "", "cells": cells} for cells in rows],
        "whole": False,
        "rest": rest,
        "meanings": [
            {"title": column.title, "text": column.meaning} for column in shown if column.meaning
        ],
    }


def _cell(column: Column, value: object, cell: tuple[str, str], anchors: frozenset[str]) -> _Cell:
    """As shown; ``value`` is the first of what it is made from, ``anchors`` are records listed."""
    shown, aside = map(plain, cell)
    if column.holds == "records" and isinstance(value, str):
        return _named(value.split(), anchors)
    if column.holds == "link":
        return _Cell(text="", links=(_Link(to=str(value), text=shown),))
    if column.holds == "verdict":
        return _Cell(text=shown, aside=aside, badge=str(value).replace(" ", "-"), said=True)
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        order = float(value) if np.isfinite(value) else -1.0
        return _Cell(text=shown, aside=aside, numeric=True, order=order)
    return _Cell(text=shortened(shown), aside=aside, said=column.holds == "words" and shown != "-")


def _named(records: Sequence[str], anchors: frozenset[str]) -> _Cell:
    """Records by their names, which lead to those that are listed."""
    more = len(records) - MOST_NAMED
    return _Cell(
        text="",
        aside=f"and {more:,} more" if more > 0 else "",
        links=tuple(
            _Link(to=f"#{_anchor(record)}" if record in anchors else "", text=record)
            for record in records[:MOST_NAMED]
        ),
    )


def _listed(trials: pd.DataFrame) -> pd.DataFrame:
    """The records that a page lists, arm by arm; those that are linked to stand beside others."""
    kinds = [*ARM_KEYS, "scenario"]
    ordered = trials.sort_values([*kinds, "block"], kind="stable")
    if len(ordered) <= MOST_TRIALS:
        return ordered
    of_kind = ordered.groupby(kinds)
    each = max(1, MOST_TRIALS // of_kind.ngroups)
    return of_kind.head(each).head(MOST_TRIALS)


def _arms(listed: pd.DataFrame) -> dict[tuple[str, ...], str]:
    """Where the records of an arm begin, by ``ARM_KEYS``: with the one recorded first."""
    firsts = listed.sort_index().drop_duplicates(list(ARM_KEYS))
    return {
        tuple(map(str, arm)): _anchor(record)
        for record, arm in zip(firsts["record"], firsts[list(ARM_KEYS)].to_numpy(), strict=True)
    }


def _anchor(record: str) -> str:
    """What a record's row is called on the page."""
    return f"record-{record.replace(':', '-')}"


_TRIALS = (
    Column(keys=("record",), title="record", show=text),
    WORKLOAD,
    ARM,
    Column(keys=("scenario",), title="scenario", show=text),
    Column(keys=("label",), title="label", show=text),
    Column(keys=("block",), title="block", show=text),
    Column(keys=("status",), title="status", show=text, holds="words"),
    Column(keys=("seconds",), title="process", unit="s", show=lambda value: (f"{value:.1f}", "")),
    Column(
        keys=("deviation",),
        title="deviation",
        show=lambda value: ("-" if np.isnan(value) else f"{value:.0e}", ""),
        meaning="the certificate's largest from the float64 reference, up to the first update",
    ),
    Column(keys=("message",), title="message", show=text),
)


def _trials(listed: pd.DataFrame) -> dict[str, Any]:
    rows = listed.assign(
        label=listed["label"].replace("", pd.NA).to_numpy(),
        message=listed["message"].replace("", pd.NA).to_numpy(),
    )
    table = Table(key="records", title="Records", columns=_TRIALS, rows=rows)
    shown = grid(table, "records")
    for row, record in zip(shown["rows"], rows["record"], strict=True):
        row["id"] = _anchor(record)
    return {**shown, "whole": True}
