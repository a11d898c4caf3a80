"""What a trial trains on, decided before any framework sees it. Runs in the workers."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.contract import Trial
from bench.data import Dataset, augment, balanced_subset, batch_order
from bench.weights import initial_weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Images ``[N, 32, 32, 3]`` and labels ``[N]``, weights, and each epoch's batches."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int32]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int32]
    weights: dict[str, NDArray[np.float32]]
    epochs: tuple[NDArray[np.int32], ...]
    seed: int
    augmentation: bool
    data: Dataset
    """The whole of what these are a part of."""

    def of_epoch(self, epoch: int) -> NDArray[np.uint8]:
        """The training images of one epoch: its augmented ones, or always the same."""
        return augment(self.images, self.seed, epoch) if self.augmentation else self.images

    def digest(self) -> str:
        """SHA-256 of all the training is determined by (augmentation by its seed)."""
        state = hashlib.sha256(repr((self.seed, self.augmentation)).encode())
        for array in (self.images, self.labels, *self.weights.values(), *self.epochs):
            state.update(np.ascontiguousarray(array).data)
        return state.hexdigest()


def inputs(trial: Trial, data: Dataset) -> Inputs:
    """The part of ``data``, the weights and the order that ``trial`` names."""
    train = balanced_subset(data.train_labels, trial.train_images)
    test = balanced_subset(data.test_labels, trial.test_images)
    return Inputs(
        images=data.train_images[train],
        labels=data.train_labels[train],
        test_images=data.test_images[test],
        test_labels=data.test_labels[test],
        weights=initial_weights(trial.workload.network, trial.seed),
        epochs=tuple(
            batch_order(trial.seed, epoch, len(train), trial.workload.batch_size)
            for epoch in range(trial.epochs)
        ),
        seed=trial.seed,
        augmentation=trial.workload.augmentation,
        data=data,
    )
