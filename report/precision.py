"""How precise is a run so far? ``python -m report.precision RUN`` prints one number.

It is the widest half width of the intervals of speed, as a share: 0.05 is an interval from 5% less
to 5% more. The harness adds blocks until it is small enough. Verdicts are not looked at: who stops
as soon as he likes one finds too many. Of each ratio counts the interval of wall time, or that of
CPU time over calibration where that may decide and is narrower.
"""

import argparse
import sys
from collections.abc import Sequence
from math import inf, sqrt
from pathlib import Path

import pandas as pd

from bench.errors import UserError
from report.load import load_run
from report.sections import Section, build_sections
from report.text import plain


def precision(sections: Sequence[Section]) -> float:
    """The widest half width of all sections' ratios, as a share.

    Infinite if an interval has no end, nothing is recorded, or there is none though several arms of
    a workload ran to their end; 0 where none has several, because more blocks would say no more.
    """
    return max((_widest(section) for section in sections), default=inf)


def _widest(section: Section) -> float:
    rows = section["ratios"].rows
    if not len(rows):
        arms = section["comparison"].rows
        several = (arms[arms["finished"] > 0].groupby("workload").size() > 1).any()
        return inf if several else 0.0
    wall = [_half_width(*limits) for limits in rows[["ratio_low", "ratio_high"]].to_numpy()]
    cpu = [
        _half_width(*limits) for limits in rows[["normalised_low", "normalised_high"]].to_numpy()
    ]
    may = rows["calibration"] == "undisturbed"
    return max(min(w, c) if usable else w for w, c, usable in zip(wall, cpu, may, strict=True))


def _half_width(low: float, high: float) -> float:
    if low == 0 or pd.isna(high) or high == inf:
        return inf
    return sqrt(high / low) - 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the precision of a run; return 2 if there was an error, else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m report.precision",
        description="Print the widest half width of a run's intervals of speed, as a share.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    options = parser.parse_args(arguments)
    try:
        sections = build_sections(load_run(options.run))
    except UserError as error:
        print(f"error: {plain(str(error))}", file=sys.stderr)
        return 2
    print(precision(sections))
    return 0


if __name__ == "__main__":
    sys.exit(main())
