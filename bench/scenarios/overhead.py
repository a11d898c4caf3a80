"""What does the harness cost? Its trainer against a bare hand-written loop, in turns."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from types import ModuleType

from bench.contract import Trainer, Trial
from bench.inputs import Inputs
from bench.records import Chunk, Overhead
from bench.scenarios.step import prepared
from bench.scenarios.turns import Rows, Way, in_turns

Chunks = tuple[Chunk, ...]


def measure(_module: ModuleType, trainer: Trainer, inputs: Inputs, trial: Trial) -> Overhead:
    """Time chunks of both, of the trainer for ``trial.seconds`` at least."""
    start, finish = parts(inputs, trial)

    def train(batches: Rows) -> None:
        start(batches)
        finish()

    own, bare = beside(trainer, train, inputs, trial)
    return Overhead(trainer=own, bare=bare)


def parts(inputs: Inputs, trial: Trial) -> tuple[Callable[[Rows], object], Callable[[], object]]:
    """The bare loop in two: what starts a step for each row, and what returns when all are done."""
    module = import_module(f"impls.{trial.framework}.bare")
    start, finish = module.parts(trial, inputs.of_epoch(0), inputs.labels, inputs.weights)
    return start, finish


def loop(name: str, inputs: Inputs, trial: Trial) -> Callable[[Rows], object]:
    """What takes a step for each row of indices in the file ``name`` of the implementation."""
    module = import_module(f"impls.{trial.framework}.{name}")
    found: Callable[[Rows], object] = module.loop(
        trial, inputs.of_epoch(0), inputs.labels, inputs.weights
    )
    return found


def beside(
    trainer: Trainer, other: Callable[[Rows], object], inputs: Inputs, trial: Trial
) -> tuple[Chunks, Chunks]:
    """Chunks of ``trainer`` and of ``other`` with the same batches, in turns."""
    rows, steps = prepared(trainer, inputs)
    ways = (Way(timed=trainer.train), Way(timed=other))
    own, found = in_turns(ways, partial(rows, steps), trial)
    return own, found
