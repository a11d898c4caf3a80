"""Trains the networks in float64 NumPy: what every other implementation's numbers are held against.

It follows no tutorial but the formulas of ``bench.workloads``. Written for reading: it is checked
against finite differences (``tests/reference``), not measured.
"""

from collections.abc import Mapping
from typing import final

import numpy as np
from numpy.typing import NDArray

from bench.contract import Floats, Trainer, Trial, check_weights
from bench.workloads import CLASSES, NETWORKS, Optimizer, weight_shapes
from impls.reference.layers import Array, softmax_cross_entropy
from impls.reference.networks import Weights, forward


@final
class ReferenceTrainer:
    """Computes in float64 whatever precision the trial asks for."""

    def __init__(self, trial: Trial) -> None:
        self.shapes = weight_shapes(trial.workload.network)
        self.layers = NETWORKS[trial.workload.network]
        self.optimizer = trial.workload.optimizer

    def load_data(self, images: NDArray[np.uint8], labels: NDArray[np.int32], /) -> None:
        self.images = images
        self.labels = labels

    def load_weights(self, weights: Mapping[str, Floats], /) -> None:
        check_weights(weights, self.shapes)
        self.held = {name: np.array(weights[name], np.float64) for name in self.shapes}
        self.velocities: dict[str, Array] = {}
        self.step = 0

    def weights(self) -> dict[str, Floats]:
        return {name: value.copy() for name, value in self.held.items()}

    def train(self, batches: NDArray[np.int32], /) -> float:
        return float(np.mean([self.train_step(batch) for batch in batches]))

    def train_step(self, batch: NDArray[np.int32]) -> float:
        """One update from a batch of indices ``[n]``; returns the batch's mean cross-entropy.

        Where every image is there as often, as in certificates, each is computed once.
        """
        images, places, counts = distinct(self.images[batch])
        copies = int(counts[0])
        if (counts != copies).any():  # their statistics are not those of each one once
            images, places, copies = self.images[batch], np.arange(len(batch)), 1
        logits, backward, statistics = forward(
            self.layers, self.held, scale(images), training=True, copies=copies
        )
        loss, d_logits = softmax_cross_entropy(logits[places], self.labels[batch])
        d_distinct = np.zeros_like(logits)
        np.add.at(d_distinct, places, d_logits)
        _, gradients = backward(d_distinct)
        trained, self.velocities = updated(
            self.held, gradients, self.velocities, self.optimizer, self.step
        )
        self.held |= trained | statistics
        self.step += 1
        return loss

    def logits(self, images: NDArray[np.uint8], /) -> Floats:
        images, places, _ = distinct(images)
        logits = np.empty((len(images), CLASSES))
        for start in range(0, len(images), EVALUATION_BATCH):
            part = slice(start, start + EVALUATION_BATCH)
            logits[part], _, _ = forward(
                self.layers, self.held, scale(images[part]), training=False
            )
        return logits[places]

    def peak_device_bytes(self) -> int | None:
        return None

    def compilations(self) -> int | None:
        return None


EVALUATION_BATCH = 100
"""Images whose logits are computed at once: bounds the memory, and changes nothing else."""


def updated(
    weights: Weights,
    gradients: Weights,
    velocities: Weights,
    optimizer: Optimizer,
    step: int,
) -> tuple[dict[str, Array], dict[str, Array]]:
    """The weights that have gradients, and their velocities, after one step of ``optimizer``.

    The formulas are those of its docstring. A velocity that is missing is 0; ``step`` counts from
    0; nothing is changed in place.
    """
    rate = learning_rate(optimizer, step)
    new_weights, new_velocities = {}, {}
    for name, gradient in gradients.items():
        w, g = weights[name], gradient
        if name.endswith(".kernel"):
            g = g + optimizer.weight_decay * w
        v = optimizer.momentum * velocities.get(name, np.zeros_like(w)) + g
        new_velocities[name] = v
        new_weights[name] = w - rate * (g + optimizer.momentum * v if optimizer.nesterov else v)
    return new_weights, new_velocities


def learning_rate(optimizer: Optimizer, step: int) -> float:
    """The rate of a step: that of the last entry of the schedule that has begun."""
    factors = [1.0, *(factor for start, factor in optimizer.schedule if start <= step)]
    return optimizer.learning_rate * factors[-1]


def distinct(
    images: NDArray[np.uint8],
) -> tuple[NDArray[np.uint8], NDArray[np.intp], NDArray[np.intp]]:
    """Of images ``[n, h, w, c]`` each one once, which of them each was, how often each is there."""
    _, first, places, counts = np.unique(
        images.reshape(len(images), -1),
        axis=0,
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )
    return images[first], places.reshape(-1), counts


def scale(images: NDArray[np.uint8]) -> Array:
    """Pixels to 0..1."""
    return images.astype(np.float64) * (1 / 255)


def libraries() -> dict[str, str]:
    """The version of the BLAS that NumPy computes matrix products with."""
    config = np.show_config(mode="dicts") or {}
    blas = config.get("Build Dependencies", {}).get("blas", {})
    return {blas["name"]: blas["version"]} if blas.get("found") else {}


def build(trial: Trial) -> Trainer:
    """A trainer for ``trial``.

    Raises ``RuntimeError`` for any device but the CPU, and ``ValueError`` for a workload with
    dropout: no two generators drop the same values, so nothing could be held against it.
    """
    if trial.device != "cpu":
        raise RuntimeError("the reference computes on the CPU only")
    if trial.workload.dropout:
        raise ValueError(
            f"the reference has no dropout; train {trial.workload.name} with dropout=False"
        )
    return ReferenceTrainer(trial)
