"""The clock: how long one call of a trainer took. Standard library only; runs in the workers."""

import gc
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

Result = TypeVar("Result")


class Elapsed(NamedTuple):
    """Wall time and CPU time (all threads of this process) of the same interval, in seconds."""

    wall: float
    cpu: float


def timed(call: Callable[[], Result]) -> tuple[Result, Elapsed]:
    """Run ``call`` with the garbage collector switched off; return its result and its time.

    There is no fence here: that the work is done on return is the promise of every method of
    ``bench.contract.Trainer``.
    """
    gc.collect()
    gc.disable()
    try:
        wall, cpu = time.perf_counter(), time.process_time()
        result = call()
        elapsed = Elapsed(time.perf_counter() - wall, time.process_time() - cpu)
    finally:
        gc.enable()
    return result, elapsed
