"""Whether every framework computed with the threads it was given, and no more."""

import pandas as pd

from report.tables.columns import ARM, ARM_KEYS, WORKLOAD, Column, Table, ranged, spread, summaries

KEY = "threads"

ALLOWANCE = 0.05
"""CPU seconds per second beyond the threads given: two clocks are compared."""

_USED = (
    Column(
        keys=spread("busy"),
        title="CPU use",
        show=ranged(form="{:.2f}".format),
        meaning="CPU seconds of the worker, all threads, per second of the timed chunks; above the "
        f"threads given by more than {ALLOWANCE:g} it is flagged",
    ),
    Column(
        keys=spread("threads_used"),
        title="threads alive",
        show=ranged(form="{:.0f}".format),
        meaning="threads there were at the end, most of them asleep",
    ),
)

_COLUMNS = (
    WORKLOAD,
    ARM,
    Column(keys=("given",), title="threads given", show=lambda given: (str(given), "")),
    *_USED,
    Column(keys=("flag",), title="verified", show=lambda flag: (flag, "")),
)


def exceeding(trials: pd.DataFrame) -> "pd.Series[bool]":
    """Which trials used more processors than they were given threads."""
    return trials["busy"] > trials["threads"] + ALLOWANCE


def table(compared: pd.DataFrame) -> Table:
    """A row for each arm of ``compared`` trials of training."""
    rows = summaries(compared, ARM_KEYS, _USED)
    groups = compared.assign(exceeding=exceeding(compared)).groupby(list(ARM_KEYS))
    known = groups.agg(given=("threads", "first"), exceeding=("exceeding", "sum")).reset_index()
    rows = rows.merge(known, on=list(ARM_KEYS), validate="one_to_one")
    rows["flag"] = [f"{count} of them above" if count else "yes" for count in rows.pop("exceeding")]
    return Table(key=KEY, title="Threads", columns=_COLUMNS, rows=rows, page_only=True)
