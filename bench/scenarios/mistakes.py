"""What would mistakes of published comparisons have measured? The same steps, right and with each.

Mistakes are made chunk by chunk, not step by step: each call of a trainer costs something of its
own, in Keras all that ``fit`` does around an epoch, and that would pass for the mistake.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import ModuleType

import numpy as np

from bench.contract import Trainer, Trial
from bench.inputs import Inputs
from bench.records import Chunk, Mistakes
from bench.scenarios.overhead import parts
from bench.scenarios.step import prepared
from bench.scenarios.turns import Rows, Way, in_turns


def measure(module: ModuleType, trainer: Trainer, inputs: Inputs, trial: Trial) -> Mistakes:
    """Time chunks of each way for ``trial.seconds``, in turns; what changes the process, last."""
    rows, steps = prepared(trainer, inputs)
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
