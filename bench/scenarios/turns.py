"""Several ways to take the same steps, timed beside each other."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bench.clock import chunk, without_collector
from bench.contract import Trial
from bench.records import Chunk

LEAST_CHUNKS = 10

Rows = NDArray[np.int32]
"""Indices of the images of each step, ``[steps, batch]``."""


def _nothing() -> None:
    """Leave everything as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to take steps with a clock running."""

    timed: Callable[[Rows], object]
    afterwards: Callable[[], object] = _nothing
    """With the clock stopped: sets right what the next way finds."""


def in_turns(
    ways: tuple[Way, ...], rows: Callable[[], Rows], trial: Trial
) -> list[tuple[Chunk, ...]]:
    """Chunks of each way, all with the same batches, in another order every time.

    As many as the first way takes for ``trial.seconds``, ``LEAST_CHUNKS`` at least. Every order is
    followed by its reverse, so that each way comes before another as often as after it.
    """
    generator = np.random.default_rng(trial.seed)
    for way in ways:  # a framework may compile
        way.timed(rows())
        way.afterwards()
    order = generator.permutation(len(ways))
    chunks: list[list[Chunk]] = [[] for _ in ways]
    with without_collector():
        while len(chunks[0]) < LEAST_CHUNKS or sum(c.wall for c in chunks[0]) < trial.seconds:
            given = rows()
            for place in order:
                chunks[place].append(chunk(partial(ways[place].timed, given), len(given)))
                ways[place].afterwards()
            turned = len(chunks[0]) % 2 == 1
            order = order[::-1] if turned else generator.permutation(len(ways))
    return [tuple(found) for found in chunks]
