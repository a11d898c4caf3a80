"""Processes that work beside a report's own. Standard library only: some start before the rest."""

import os
import signal
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

MOST = 4
"""Processes for one thing: each holds what it has imported and a part, in a fifth of a gigabyte."""


def processors() -> int:
    """How many this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def helpers(count: int) -> ProcessPoolExecutor:
    """At most so many, which start when there is work for them."""
    # Not forked: that is not safe in a process that has threads, as NumPy's is. Ctrl-C is for who
    # waits for them.
    return ProcessPoolExecutor(
        count,
        mp_context=get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )
