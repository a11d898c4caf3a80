"""How fast does it train, and does it learn? Timed epochs from the canonical weights."""

from math import isfinite

import numpy as np

from bench.clock import timed
from bench.contract import Trainer
from bench.inputs import Inputs
from bench.records import Epoch


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
        test_accuracy=accuracy(trainer, inputs),
    )


def accuracy(trainer: Trainer, inputs: Inputs) -> float:
    """Share of the test images whose largest logit is that of their label, computed here for all.

    In batches as they are trained on, the last one filled up: so a framework that compiles for a
    number of images does not for another one.
    """
    images, labels = inputs.test_images, inputs.test_labels
    size = inputs.epochs[0].shape[1]
    correct = 0
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        predicted = trainer.logits(np.resize(batch, (size, *batch.shape[1:])))[: len(batch)]
        correct += int((predicted.argmax(axis=1) == labels[start : start + size]).sum())
    return correct / len(images)
