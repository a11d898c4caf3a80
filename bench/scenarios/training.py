"""How fast does it train, and does it learn? Timed epochs from the canonical weights."""

import hashlib
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from bench.clock import timed
from bench.contract import Trainer, Trial
from bench.data import Dataset, balanced_subset, batch_order
from bench.records import Epoch
from bench.weights import initial_weights

WARM_UP_STEPS = 2
"""Steps after the first, untimed: allocators and autotuners have then seen every shape."""

EVALUATION_BATCH = 500
"""Images per call of ``logits``: always as many, so that no framework compiles for a remainder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What ``measure`` found; the fields are those of ``bench.records.Measurement``."""

    inputs: str
    first_step_seconds: float
    epochs: tuple[Epoch, ...]


def measure(trainer: Trainer, trial: Trial, data: Dataset) -> Training:
    """Time the first step, warm up, start anew, then time each epoch and evaluate after it."""
    train = balanced_subset(data.train_labels, trial.train_images)
    test = balanced_subset(data.test_labels, trial.test_images)
    images, labels = data.train_images[train], data.train_labels[train]
    weights = initial_weights(trial.workload.network, trial.seed)
    epochs = [
        batch_order(trial.seed, epoch, len(train), trial.workload.batch_size)
        for epoch in range(trial.epochs)
    ]

    trainer.load_data(images, labels)
    trainer.load_weights(weights)
    _, first = timed(lambda: trainer.train(epochs[0][:1]))
    trainer.train(epochs[0][1 : 1 + WARM_UP_STEPS])
    trainer.load_weights(weights)

    return Training(
        inputs=_digest(images, labels, *weights.values(), *epochs),
        first_step_seconds=first.wall,
        epochs=tuple(
            _epoch(trainer, batches, data.test_images[test], data.test_labels[test])
            for batches in epochs
        ),
    )


def _epoch(
    trainer: Trainer,
    batches: NDArray[np.int32],
    test_images: NDArray[np.uint8],
    test_labels: NDArray[np.int32],
) -> Epoch:
    loss, elapsed = timed(lambda: trainer.train(batches))
    return Epoch(
        steps=len(batches),
        images=batches.size,
        seconds=elapsed.wall,
        cpu_seconds=elapsed.cpu,
        loss=loss if isfinite(loss) else None,
        test_accuracy=accuracy(trainer, test_images, test_labels),
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


def _digest(*arrays: NDArray[np.generic]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
