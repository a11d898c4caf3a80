"""Vega, which draws charts, in a process of its own: it does not let go of the interpreter.

What it is asked for is in the making while the rest of a report is. The process starts when it is
first asked, and ends with the one that asked.
"""

import signal
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import Any

import vl_convert


@cache
def scripts() -> Future[str]:
    """The scripts that a page draws its charts with; they are made once."""
    return _process().submit(_scripts)


def drawn(specs: Sequence[dict[str, Any]]) -> Future[list[str]]:
    """Charts as SVG; ``specs`` are Vega-Lite."""
    return _process().submit(_drawn, specs)


def _scripts() -> str:
    # The stub of vl-convert 1.9 asks for what it defaults to.
    return str(vl_convert.javascript_bundle())  # type: ignore[call-arg]


def _drawn(specs: Sequence[dict[str, Any]]) -> list[str]:
    return [str(vl_convert.vegalite_to_svg(spec)) for spec in specs]


@cache
def _process() -> ProcessPoolExecutor:
    # Not forked: that is not safe in a process that has threads. Ctrl-C is for who waits for it.
    return ProcessPoolExecutor(
        1,
        mp_context=get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )
