"""What would mistakes of published comparisons have measured? The same steps, right and with each.

Mistakes are made chunk by chunk, not step by step: each call of a trainer costs something of its
own, in Keras all that ``fit`` does around an epoch, and that would pass for the mistake.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from bench.clock import chunk, chunk_steps, without_collector
from bench.contract import Trainer, Trial
from bench.inputs import Inputs
from bench.records import Chunk, Mistakes
from bench.scenarios.overhead import parts
from bench.scenarios.step import batches

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


def measure(module: ModuleType, trainer: Trainer, inputs: Inputs, trial: Trial) -> Mistakes:
    """Time chunks of each way for ``trial.seconds``, in turns; what changes the process, last."""
    trainer.load_data(inputs.of_epoch(0), inputs.labels)
    trainer.load_weights(inputs.weights)
    rows = batches(inputs)
    steps = chunk_steps(lambda steps: trainer.train(rows(steps)))
    start, finish = parts(inputs, trial)
    ways = (
        Way(timed=trainer.train),
        fed_from_host(trainer, inputs),
        with_accuracy(trainer, inputs),
        Way(timed=start, afterwards=finish),
    )
    right, fed, scored, unfenced = in_turns(ways, partial(rows, steps), trial)
    return Mistakes(
        right=right,
        fed=fed,
        scored=scored,
        unfenced=unfenced,
        tf32=with_tf32(module, inputs, partial(rows, steps), trial),
    )


def in_turns(
    ways: tuple[Way, ...], rows: Callable[[], Rows], trial: Trial
) -> list[tuple[Chunk, ...]]:
    """Chunks of each way, all with the same batches, in another order every time.

    As many as the first way takes for ``trial.seconds``, ``LEAST_CHUNKS`` at least.
    """
    generator = np.random.default_rng(trial.seed)
    for way in ways:  # a framework may compile
        way.timed(rows())
        way.afterwards()
    chunks: list[list[Chunk]] = [[] for _ in ways]
    with without_collector():
        while len(chunks[0]) < LEAST_CHUNKS or sum(c.wall for c in chunks[0]) < trial.seconds:
            given = rows()
            for place in generator.permutation(len(ways)):
                chunks[place].append(chunk(partial(ways[place].timed, given), len(given)))
                ways[place].afterwards()
    return [tuple(found) for found in chunks]


def fed_from_host(trainer: Trainer, inputs: Inputs) -> Way:
    """Hand over the images of the steps from host memory, before each chunk's steps, on the clock.

    Keras' trainer keeps its data there anyway and is fed by ``fit``: for it that is a copy more.
    """
    images, labels = inputs.of_epoch(0), inputs.labels

    def train(rows: Rows) -> None:
        order = rows.ravel()
        trainer.load_data(images[order], labels[order])
        trainer.train(np.arange(order.size, dtype=np.int32).reshape(rows.shape))

    return Way(timed=train, afterwards=partial(trainer.load_data, images, labels))


def with_accuracy(trainer: Trainer, inputs: Inputs) -> Way:
    """Take the steps, then the accuracy of each one's batch by another pass through the network."""
    images, labels = inputs.of_epoch(0), inputs.labels

    def train(rows: Rows) -> list[float]:
        trainer.train(rows)
        answers = ((row, trainer.logits(images[row])) for row in rows)
        return [float(np.mean(logits.argmax(axis=1) == labels[row])) for row, logits in answers]

    return Way(timed=train)


def with_tf32(
    module: ModuleType, inputs: Inputs, rows: Callable[[], Rows], trial: Trial
) -> tuple[Chunk, ...]:
    """Chunks of a trainer that may use TF32, which is a setting of the process, not of a trainer.

    None on a CPU, which has none, and where float32 was not asked for.
    """
    if (trial.device, trial.precision) != ("cuda", "fp32"):
        return ()
    trainer: Trainer = module.build(replace(trial, precision="tf32"))
    trainer.load_data(inputs.of_epoch(0), inputs.labels)
    trainer.load_weights(inputs.weights)
    (chunks,) = in_turns((Way(timed=trainer.train),), rows, trial)
    return chunks
