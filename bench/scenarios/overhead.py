"""What does the harness cost? Its trainer against a bare hand-written loop, in turns."""

from functools import partial
from importlib import import_module
from types import ModuleType

from bench.clock import chunk, chunk_steps, without_collector
from bench.contract import Trainer, Trial
from bench.inputs import Inputs
from bench.records import Chunk, Overhead
from bench.scenarios.step import batches

LEAST_PAIRS = 10


def measure(_module: ModuleType, trainer: Trainer, inputs: Inputs, trial: Trial) -> Overhead:
    """Time chunks of both, for ``trial.seconds`` at least; who comes first changes every time."""
    trainer.load_data(inputs.of_epoch(0), inputs.labels)
    trainer.load_weights(inputs.weights)
    bare = import_module(f"impls.{trial.framework}.bare").loop(
        trial, inputs.of_epoch(0), inputs.labels, inputs.weights
    )
    rows = batches(inputs)
    steps = chunk_steps(lambda steps: trainer.train(rows(steps)))
    bare(rows(steps))
    loops = trainer.train, bare
    chunks: tuple[list[Chunk], list[Chunk]] = ([], [])
    with without_collector():
        while len(chunks[1]) < LEAST_PAIRS or sum(c.wall for c in chunks[0]) < trial.seconds:
            given = rows(steps)
            for which in (0, 1) if len(chunks[1]) % 2 else (1, 0):
                chunks[which].append(chunk(partial(loops[which], given), steps))
    return Overhead(trainer=tuple(chunks[0]), bare=tuple(chunks[1]))
