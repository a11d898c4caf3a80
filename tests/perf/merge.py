"""Makes one of several files that pytest-benchmark wrote, each in a process of its own.

The format stays the tool's, so that ``pytest-benchmark compare`` and github-action-benchmark read
it. Standard library only.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

Report = Mapping[str, Any]
"""``machine_info``, ``commit_info``, ``benchmarks``, ``datetime`` and ``version``."""


def merged(reports: Sequence[Report]) -> dict[str, Any]:
    """All benchmarks, in the reports' order; of the rest, the first's, and the last time.

    Raises ``ValueError`` where there is no report, where two are of different machines, Pythons or
    versions of pytest-benchmark, or where a benchmark is in two.
    """
    if not reports:
        raise ValueError("there is no report")
    first, *others = reports
    if any(_where(of) != _where(first) for of in others):
        raise ValueError("reports are of different machines, Pythons or pytest-benchmarks")
    benchmarks = [benchmark for of in reports for benchmark in of["benchmarks"]]
    ((name, times), *_) = Counter(of["fullname"] for of in benchmarks).most_common(1) or [("", 0)]
    if times > 1:
        raise ValueError(f"{name} was timed {times} times")
    return {**first, "benchmarks": benchmarks, "datetime": max(of["datetime"] for of in reports)}


def _where(report: Report) -> Mapping[str, Any]:
    """What must be the same. Of the processor it tells the frequency, which never is."""
    told = {name: value for name, value in report["machine_info"].items() if name != "cpu"}
    return {**told, "version": report["version"]}
