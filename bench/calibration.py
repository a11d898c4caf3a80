"""The calibration kernel: the same small work in every process, to tell how fast it runs just now.

Standard library and NumPy only; runs in the workers. A chunk's CPU time divided by that of the
kernel around it hardly feels what the machine's other tenants do to its clock and caches.

It is frozen: results of different versions cannot be compared. Raise ``records.SCHEMA`` with any
change. It takes some 5 ms, half in the interpreter and half in passing 8 MB, more than a processor
keeps for itself, through memory: what a training step waits for. Of the kernels we tried it left
the least spread (``docs/calibration.md``). No part of it uses more than one thread.
"""

import time

import numpy as np

_NUMBERS = 70_000
_STREAM = np.ones(2**21, np.float32)
_PASSES = 6


def calibrate() -> float:
    """CPU seconds that this thread needs for the kernel, now."""
    begin = time.thread_time()
    total = 0
    for number in range(_NUMBERS):
        total += number & 3
    for _ in range(_PASSES):
        np.negative(_STREAM, out=_STREAM)
    return time.thread_time() - begin
