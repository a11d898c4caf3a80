"""How fast is training once it goes on? Chunks of steps, and whether the clock can be believed."""

import time
from collections.abc import Callable
from functools import partial
from itertools import count
from math import ceil, inf
from statistics import median

import numpy as np
from numpy.typing import NDArray

from bench.clock import (
    LARGEST_DEVIATION,
    LARGEST_READ,
    LONGEST_CHUNK,
    chunk,
    chunk_steps,
    doubling,
    timed,
    without_collector,
)
from bench.contract import Trainer
from bench.inputs import Inputs
from bench.records import Chunk, Steady

LEAST_CHUNKS = 10
"""That a speed is taken from."""
MOST_PAIRS = 9
"""Doubled chunks that are timed; more than one only while all of them miss. One that does not is
enough, so fewer give a clock that is wrong fewer chances to pass."""
MOST_READS = 15
"""Times that weights are read back, likewise."""
REST = 0.1
"""Seconds; what was left undone of a chunk would be done by then, or most of it."""


def measure(trainer: Trainer, inputs: Inputs, seconds: float, least: int = LEAST_CHUNKS) -> Steady:
    """Time chunks for ``seconds`` in all at least, then one beside one that is twice as long.

    There are ``least`` chunks at least, however long they take. If what a call leaves undone is
    more than little beside a chunk, all is done once more with longer ones.

    ``trainer`` has taken some steps, and goes through the batches of the first epoch again and
    again. What compilation and warm-up there is left shows in the chunks; the report looks for it.
    """
    rows, steps = prepared(trainer, inputs)
    steady = _timed(trainer, rows, steps, seconds, least)
    if (longer := _longer(steady)) > steps:
        return _timed(trainer, rows, longer, seconds, least)
    return steady


def prepared(trainer: Trainer, inputs: Inputs) -> tuple[Callable[[int], NDArray[np.int32]], int]:
    """Load data and weights: what gives batches, as ``batches`` does, and how many are a chunk."""
    trainer.load_data(inputs.of_epoch(0), inputs.labels)
    trainer.load_weights(inputs.weights)
    rows = batches(inputs)
    return rows, chunk_steps(lambda steps: trainer.train(rows(steps)))


def batches(inputs: Inputs) -> Callable[[int], NDArray[np.int32]]:
    """Give the next so many batches, ``[steps, batch]``, of the first epoch, over and over."""
    epoch = inputs.epochs[0]
    numbers = count()

    def rows(steps: int) -> NDArray[np.int32]:
        return epoch[[next(numbers) % len(epoch) for _ in range(steps)]]

    return rows


def _timed(
    trainer: Trainer,
    rows: Callable[[int], NDArray[np.int32]],
    steps: int,
    seconds: float,
    least: int,
) -> Steady:
    for warm in (steps, 2 * steps):
        trainer.train(rows(warm))  # a framework may compile for each number of steps
    chunks: list[Chunk] = []
    doubled: list[Chunk] = []

    def timed_chunk(steps: int) -> Chunk:
        return chunk(partial(trainer.train, rows(steps)), steps, trainer.compilations)

    with without_collector():
        while len(chunks) < least - 1 or sum(c.wall for c in chunks) < seconds:
            chunks.append(timed_chunk(steps))
        for _ in range(MOST_PAIRS):
            chunks.append(timed_chunk(steps))
            doubled.append(timed_chunk(2 * steps))
            if abs(doubling(chunks[-len(doubled) :], doubled)) <= LARGEST_DEVIATION:
                break
    little = LARGEST_READ * median(c.wall for c in chunks)
    return Steady(
        chunks=tuple(chunks),
        doubled=tuple(doubled),
        read_seconds=_read(trainer, rows, steps, little),
    )


def _longer(steady: Steady) -> int:
    """So many steps that what a call leaves undone, however many they are, is little beside them.

    A framework may return when results are there and give memory back in a thread of its own, as
    JAX does on a CPU by default. What grows with the steps no chunk can be long enough for.
    """
    steps, length = steady.chunks[-1].steps, median(c.wall for c in steady.chunks)
    if steady.read_seconds <= LARGEST_READ * length:
        return steps
    # Twice as long as would do: the next time it may be more.
    longest = min(2 * steady.read_seconds / LARGEST_READ, LONGEST_CHUNK / 2)
    return max(steps, ceil(steps * longest / length))


def _read(
    trainer: Trainer, rows: Callable[[int], NDArray[np.int32]], steps: int, little: float
) -> float:
    """How much longer weights take to read right after so many steps than after a rest.

    Seconds, the least of several times: what is not done yet would be waited for every time, and is
    done by the end of the rest. There are several only while it is not as ``little``: a busy
    machine takes twice as long to read at one time as at another. Each is a difference of two that
    were read one after the other, because a machine may be busy for seconds. Before the rest there
    is one step, which is quick; if that says more than ``little``, as many as before: then nothing
    but the rest is different, whatever else steps leave behind them.
    """
    left = inf
    for others in (1, *[steps] * (MOST_READS - 1)):
        trainer.train(rows(steps))
        _, at_once = timed(trainer.weights)
        trainer.train(rows(others))
        time.sleep(REST)
        _, rested = timed(trainer.weights)
        left = min(left, at_once.wall - rested.wall)
        if left <= little:
            break
    return max(0.0, left)
