"""The verdict of a comparison: ``python -m report.regress FOLDER``.

Written beside what was measured: ``regress.md``, fit to be a comment on a change, ``regress.json``
for programs, and ``junit.xml`` for whatever shows tests. The exit status says how it ended.
"""

import argparse
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from math import exp
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
from rich.console import Console
from rich.text import Text

from bench import files
from bench.errors import UserError
from report.console import console_table
from report.markdown import escaped, rows_of
from report.regressions import Finding, Judgement, Metric, judge, threshold
from report.statistics import Interval
from report.tables.columns import (
    ARM,
    WORKLOAD,
    Cell,
    Column,
    Table,
    as_json,
    frame,
    limits,
    ratio,
    spread,
    text,
)
from report.text import plain

PAGE = "regress.md"
SUMMARY = "regress.json"
JUNIT = "junit.xml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 nothing became worse, 1 something did, 2 there was an error."""
    parser = argparse.ArgumentParser(
        prog="python -m report.regress",
        description="Judge what `nox -s regress` measured, write it down, and show it.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of the comparison")
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 also where nothing can be decided"
    )
    parser.add_argument(
        "--confirm",
        action="store_true",
        help="only print, as JSON, the cells that are to be measured once more",
    )
    options = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        judgement = judge(options.folder)
        if options.confirm:
            print(json.dumps([asdict(cell) for cell in judgement.to_confirm]))
            return 0
        write(judgement, options.folder)
    except UserError as error:
        print(f"error: {plain(str(error))}", file=sys.stderr)
        return 2
    show(judgement, Console())
    print(f"report: {plain(str(options.folder / PAGE))}")
    return int(judgement.status in ("failed", *(["undecided"] if options.strict else [])))


def write(judgement: Judgement, folder: Path) -> None:
    """Write all files, each of them at once. Raises ``UserError``."""
    written = {
        PAGE: "\n".join(page(judgement)) + "\n",
        SUMMARY: json.dumps(summary(judgement), indent=1, allow_nan=False) + "\n",
        JUNIT: junit(judgement),
    }
    try:
        for name, content in written.items():
            files.replace(folder / name, content)
    except OSError as error:
        raise UserError(f"{folder}: cannot write there ({error.strerror})") from None


def show(judgement: Judgement, console: Console) -> None:
    """Print what the page says, on a terminal."""
    for line in sentences(judgement):
        console.print(Text(line))
    console.print(console_table(table(judgement)))


def page(judgement: Judgement) -> Iterator[str]:
    """Lines of Markdown."""
    yield f"# Regressions: {judgement.status}"
    yield ""
    for line in sentences(judgement):
        yield escaped(line)
        yield ""
    yield from rows_of(table(judgement))


def sentences(judgement: Judgement) -> Iterator[str]:
    """What was compared, how well it could be told, and what is to be known of the table."""
    comparison = judgement.comparison
    yield f"{plain(comparison.base)} (base) against {plain(comparison.head)} (head): " + said(
        judgement
    )
    if comparison.kind == "stored":
        yield (
            "The base's records are of an earlier time: whatever the machine did differently then "
            "looks like a difference. This is a weaker comparison than measuring both now."
        )
    if comparison.harness_differs:
        yield (
            "The base's records were made by another bench/: what changed in there looks like a "
            "difference, too."
            if comparison.kind == "stored"
            else "The base has another bench/; both are measured by the head's."
        )
    for number, asked in enumerate(comparison.rounds, start=1):
        if asked.pairs < asked.planned:
            yield (
                f"Round {number} has {asked.pairs} of {asked.planned} pairs: after "
                f"{comparison.budget / 60:g} minutes none was begun any more (--budget)."
            )
    yield f"The threshold of time is {comparison.threshold:.1%}."
    for sentinel in judgement.sentinels:
        told = f"{sentinel.pairs} pairs are left, too few"
        if sentinel.effect is not None:
            of = sentinel.effect.as_ratio()
            estimate, within = ratio(of.estimate, of.low, of.high)
            told = (
                f"{estimate} ({within}), so told apart to {sentinel.resolution:.1%}; its threshold "
                f"there is {threshold(comparison, sentinel):.1%}"
            )
        yield f"Round {sentinel.round}, {sentinel.cell} against itself: {told}."
    if judgement.void:
        yield f"Nothing can be said about time: {judgement.void}."
    for number, slope in enumerate(judgement.slopes, start=1):
        if slope is not None:
            yield (
                f"Round {number}: CPU time is adjusted for the calibration beside it to the power "
                f"{slope:.2f}, as all pairs of the round have it."
            )
    yield (
        "Ratios are head / base with an interval at 95%, of adjusted CPU time where wall time is "
        "given beside it; below 1 is better. What has a ratio beyond the threshold is measured "
        "again, and fails where in that second round the interval, corrected for all its cells "
        "(Holm), lies beyond the threshold."
    )


def said(judgement: Judgement) -> str:
    """The outcome, in a clause."""
    failing = [finding for finding in judgement.findings if finding.fails]
    if failing:
        return "failed, because of " + ", ".join(
            f"{finding.cell} ({finding.metric})" for finding in failing
        )
    if judgement.status == "undecided":
        return "undecided"
    warnings = sum(finding.warns for finding in judgement.findings)
    return "passed" + (f", {warnings} to be looked at" if warnings else "")


def table(judgement: Judgement) -> Table:
    """A row for each finding."""
    return Table(
        key="regressions",
        title="Regressions",
        columns=COLUMNS,
        rows=frame([_row(finding) for finding in judgement.findings], COLUMNS),
    )


def _row(finding: Finding) -> dict[str, object]:
    """In base units; intervals are of ratios, of accuracy what the head has more."""

    def shown(effect: Interval | None) -> Interval | None:
        return effect and (-effect if finding.metric == "accuracy" else effect.as_ratio())

    return {
        **asdict(finding.cell),
        "metric": finding.metric,
        "base": np.nan if finding.base is None else finding.base,
        "head": np.nan if finding.head is None else finding.head,
        **limits("effect", shown(finding.effect)),
        **limits("wall", shown(finding.wall)),
        **limits("second", shown(finding.second)),
        "pairs": finding.pairs,
        "outcome": finding.outcome,
        "reason": plain(finding.reason),
    }


def _value(metric: Metric, value: float) -> Cell:
    if np.isnan(value):
        return ("-", "")
    match metric:
        case "time per step":
            return (f"{1000 * value:.1f} ms", "")
        case "host memory" | "device memory":
            return (f"{value / 2**20:.0f} MiB", "")
        case "accuracy":
            return (f"{100 * value:.1f}%", "")
    return (f"{value:g}", "")


def _effect(estimate: float, low: float, high: float, metric: Metric) -> Cell:
    if metric != "accuracy" or np.isnan(estimate):
        return ratio(estimate, low, high)
    return (f"{100 * estimate:+.2f} points", f"{100 * low:+.2f} to {100 * high:+.2f}")


COLUMNS = (
    WORKLOAD,
    ARM,
    Column(keys=("metric",), title="metric", show=text, holds="words"),
    Column(keys=("metric", "base"), title="base", show=_value),
    Column(keys=("metric", "head"), title="head", show=_value),
    Column(keys=(*spread("effect"), "metric"), title="head / base", show=_effect),
    Column(keys=spread("wall"), title="by wall time", show=ratio),
    Column(keys=("pairs",), title="pairs", show=text),
    Column(keys=(*spread("second"), "metric"), title="second round", show=_effect, page_only=True),
    Column(keys=("outcome",), title="outcome", show=text, holds="verdict"),
    Column(keys=("reason",), title="why", show=text, page_only=True, holds="words"),
)


def summary(judgement: Judgement) -> dict[str, Any]:
    """All of it, for programs; what is not known, or has no end, is null."""
    comparison = judgement.comparison
    return {
        "status": judgement.status,
        "base": comparison.base,
        "head": comparison.head,
        "kind": comparison.kind,
        "rounds": [{"planned": of.planned, "pairs": of.pairs} for of in comparison.rounds],
        "slopes": list(judgement.slopes),
        "threshold": comparison.threshold,
        "sentinels": [
            {
                **asdict(sentinel.cell),
                "round": sentinel.round,
                "pairs": sentinel.pairs,
                **_plain(limits("effect", sentinel.effect and sentinel.effect.as_ratio())),
                "resolution": sentinel.resolution,
                "threshold": threshold(comparison, sentinel),
                "apart": sentinel.apart,
            }
            for sentinel in judgement.sentinels
        ],
        "void": judgement.void,
        "findings": [_plain(_row(finding)) for finding in judgement.findings],
    }


def _plain(row: Mapping[str, object]) -> dict[str, object]:
    return {name: as_json(value) for name, value in row.items()}


def junit(judgement: Judgement) -> str:
    """A test for each finding, as JUnit's readers know it; what is undecided was skipped.

    Valid by the schema that pytest tests its own files with, ``junit-10.xsd`` of Jenkins' xUnit
    plugin: it has ``skipped`` in ``testsuite``, and not in ``testsuites``.
    """
    findings = judgement.findings
    counts = {
        "name": "regress",
        "tests": str(len(findings)),
        "failures": str(sum(finding.fails for finding in findings)),
        "errors": "0",
    }
    undecided = str(sum(finding.outcome == "undecided" for finding in findings))
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", {**counts, "skipped": undecided})
    for finding in findings:
        case = ET.SubElement(
            suite,
            "testcase",
            {
                "classname": f"regress.{plain(finding.cell.workload)}",
                "name": f"{plain(finding.cell.framework)} {plain(finding.cell.mode)}: "
                f"{finding.metric}",
            },
        )
        message = _message(finding)
        if finding.fails:
            ET.SubElement(case, "failure", {"message": message, "type": "regression"})
        elif finding.outcome == "undecided":
            ET.SubElement(case, "skipped", {"message": message})
        else:
            ET.SubElement(case, "system-out").text = message
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _message(finding: Finding) -> str:
    effect, reason = finding.effect, plain(finding.reason)
    if effect is None or finding.metric == "accuracy":
        return f"{finding.outcome}: {reason}"
    return f"{finding.outcome}: {exp(effect.estimate):.3f} times the base's; {reason}"


if __name__ == "__main__":
    sys.exit(main())
