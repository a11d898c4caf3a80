"""Processes that work beside a report's own. Standard library only: some start before the rest."""

import signal
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context


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
