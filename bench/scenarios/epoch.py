"""How fast does it train, and does it learn? Timed epochs from the canonical weights."""

from math import isfinite

import numpy as np
from numpy.typing import NDArray

from bench.clock import timed
from bench.contract import Trainer
from bench.inputs import Inputs
from bench.records import Epoch

EVALUATION_BATCH = 500
"""Images per call of ``logits``: always as many, so that no framework compiles for a remainder."""


def measure(trainer: Trainer, inputs: Inputs) -> tuple[Epoch, ...]:
    """Time each epoch and evaluate after it. ``trainer`` has taken some steps: it is warm."""
    trainer.load_data(inputs.of_epoch(0), inputs.labels)
    trainer.load_weights(inputs.weights)
    return tuple(_epoch(trainer, inputs, number) for number in range(len(inputs.epochs)))


def _epoch(trainer: Trainer, inputs: Inputs, number: int) -> Epoch:
    if inputs.augmentation and number > 0:
        trainer.load_data(inputs.of_epoch(number), inputs.labels)
    batches = inputs.epochs[number]
    loss, elapsed = timed(lambda: trainer.train(batches))
    return Epoch(
        steps=len(batches),
        images=batches.size,
        seconds=elapsed.wall,
        cpu_seconds=elapsed.cpu,
        loss=loss if isfinite(loss) else None,
        test_accuracy=accuracy(trainer, inputs.test_images, inputs.test_labels),
    )


def accuracy(trainer: Trainer, images: NDArray[np.uint8], labels: NDArray[np.int32]) -> float:
    """Share of ``images`` whose largest logit is that of their label, computed here for all."""
    correct = 0
    for start in range(0, len(images), EVALUATION_BATCH):
        batch = images[start : start + EVALUATION_BATCH]
        padded = np.resize(batch, (EVALUATION_BATCH, *batch.shape[1:]))
        predicted = trainer.logits(padded)[: len(batch)].argmax(axis=1)
        correct += int((predicted == labels[start : start + EVALUATION_BATCH]).sum())
    return correct / len(images)
