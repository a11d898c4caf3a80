"""What does the harness cost? Its trainer against a bare hand-written loop, in turns."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from bench.clock import chunk, chunk_steps, without_collector
from bench.contract import Trainer, Trial
from bench.inputs import Inputs
from bench.records import Chunk, Overhead
from bench.scenarios.step import batches

LEAST_PAIRS = 10

Chunks = tuple[Chunk, ...]


def measure(_module: ModuleType, trainer: Trainer, inputs: Inputs, trial: Trial) -> Overhead:
    """Time chunks of both, for ``trial.seconds`` at least."""
    start, finish = parts(inputs, trial)

    def train(batches: NDArray[np.int32]) -> None:
        start(batches)
        finish()

    own, bare = in_turns(trainer, train, inputs, trial.seconds)
    return Overhead(trainer=own, bare=bare)


def parts(
    inputs: Inputs, trial: Trial
) -> tuple[Callable[[NDArray[np.int32]], object], Callable[[], object]]:
    """The bare loop in two: what starts a step for each row, and what returns when all are done."""
    module = import_module(f"impls.{trial.framework}.bare")
    start, finish = module.parts(trial, inputs.of_epoch(0), inputs.labels, inputs.weights)
    return start, finish


def loop(name: str, inputs: Inputs, trial: Trial) -> Callable[[NDArray[np.int32]], object]:
    """What takes a step for each row of indices in the file ``name`` of the implementation."""
    module = import_module(f"impls.{trial.framework}.{name}")
    found: Callable[[NDArray[np.int32]], object] = module.loop(
        trial, inputs.of_epoch(0), inputs.labels, inputs.weights
    )
    return found


def in_turns(
    trainer: Trainer,
    other: Callable[[NDArray[np.int32]], object],
    inputs: Inputs,
    seconds: float,
) -> tuple[Chunks, Chunks]:
    """Chunks of ``trainer`` and of ``other`` with the same batches, in pairs.

    Who comes first changes every time; of each, ``seconds`` at least.
    """
    trainer.load_data(inputs.of_epoch(0), inputs.labels)
    trainer.load_weights(inputs.weights)
    rows = batches(inputs)
    steps = chunk_steps(lambda steps: trainer.train(rows(steps)))
    other(rows(steps))
    loops = trainer.train, other
    chunks: tuple[list[Chunk], list[Chunk]] = ([], [])
    with without_collector():
        while len(chunks[1]) < LEAST_PAIRS or min(map(_wall, chunks)) < seconds:
            given = rows(steps)
            for which in (0, 1) if len(chunks[1]) % 2 else (1, 0):
                chunks[which].append(chunk(partial(loops[which], given), steps))
    return tuple(chunks[0]), tuple(chunks[1])


def _wall(chunks: list[Chunk]) -> float:
    return sum(chunk.wall for chunk in chunks)
