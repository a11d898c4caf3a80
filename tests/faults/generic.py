"""Faults that any trainer can have: a change of what goes in and out of it, or of its trial."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from bench.contract import Floats, Trainer, Trial
from bench.weights import initial_weights
from bench.workloads import Optimizer, Workload

Weights = Mapping[str, Floats]
Build = Callable[[Trial], Trainer]
Fault = Callable[[Build, Trial], Trainer]
"""Builds the faulty trainer."""

BATCH = 8

SHALLOW = Workload(
    name="shallow",
    network="listing3",
    optimizer=Optimizer(learning_rate=0.01, momentum=0.9, weight_decay=1e-3, schedule=((3, 0.1),)),
    batch_size=BATCH,
    epochs=1,
)
NESTEROV = replace(SHALLOW, name="nesterov", optimizer=replace(SHALLOW.optimizer, nesterov=True))
PLAIN = replace(SHALLOW, name="plain", optimizer=Optimizer(learning_rate=0.01, weight_decay=1e-3))
CONSTANT = replace(SHALLOW, name="constant", optimizer=replace(SHALLOW.optimizer, schedule=()))
DROPOUT = replace(SHALLOW, name="dropout", network="rosetta")
DEEP = replace(SHALLOW, name="deep", network="resnet18-narrow")
WORKLOADS = (SHALLOW, NESTEROV, PLAIN, CONSTANT, DROPOUT, DEEP)


def workload(fault: str) -> Workload:
    """Where a fault shows; ``SHALLOW`` where nothing else is needed."""
    return ELSEWHERE.get(fault, SHALLOW)


ELSEWHERE = {
    "heavy ball instead of Nesterov": NESTEROV,
    "gradients never zeroed": PLAIN,
    "dropout left on": DROPOUT,
    "running statistics not loaded": DEEP,
    "scales and biases not loaded": DEEP,
    "padding below and to the right under a stride": DEEP,
    "batch norm: epsilon 1e-3": DEEP,
    "batch norm: epsilon 1.001e-5": DEEP,
    "batch norm: momentum 0.99": DEEP,
    "batch norm: biased running variance": DEEP,
    "batch norm: running statistics never updated": DEEP,
    "batch norm: batch statistics in evaluation": DEEP,
    "batch norm: running statistics in training": DEEP,
    "weight decay also on biases and scales": DEEP,
    # No faults there: without a momentum, and without a change of rate.
    "weight decay decoupled, no momentum": PLAIN,
    "momentum form, constant rate": CONSTANT,
}


def unchanged(value: Any) -> Any:
    return value


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Altered:
    """A trainer, with changes on the way in and out."""

    trainer: Trainer
    pixels: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] = unchanged
    labels: Callable[[NDArray[np.int32]], NDArray[np.int32]] = unchanged
    batches: Callable[[NDArray[np.int32]], NDArray[np.int32]] = unchanged
    loaded: Callable[[Weights], Weights] = unchanged
    returned: Callable[[Weights], Weights] = unchanged
    loss: Callable[[float], float] = unchanged

    def load_data(self, images: NDArray[np.uint8], labels: NDArray[np.int32], /) -> None:
        self.trainer.load_data(self.pixels(images), self.labels(labels))

    def load_weights(self, weights: Weights, /) -> None:
        self.trainer.load_weights(self.loaded(weights))

    def weights(self) -> dict[str, Floats]:
        return dict(self.returned(self.trainer.weights()))

    def train(self, batches: NDArray[np.int32], /) -> float:
        return self.loss(self.trainer.train(self.batches(batches)))

    def logits(self, images: NDArray[np.uint8], /) -> Floats:
        return self.trainer.logits(self.pixels(images))

    def peak_device_bytes(self) -> int | None:
        return self.trainer.peak_device_bytes()

    def compilations(self) -> int | None:
        return self.trainer.compilations()


def altered(**changes: Callable[[Any], Any]) -> Fault:
    return lambda build, trial: Altered(trainer=build(trial), **changes)


def optimized(**settings: Any) -> Fault:
    """With other settings of the optimizer; a function makes the new one from the true one."""

    def built(build: Build, trial: Trial) -> Trainer:
        true = trial.workload.optimizer
        wrong = {
            name: new(getattr(true, name)) if callable(new) else new
            for name, new in settings.items()
        }
        workload = replace(trial.workload, optimizer=replace(true, **wrong))
        return build(replace(trial, workload=workload))

    return built


def with_dropout(build: Build, trial: Trial) -> Trainer:
    return build(replace(trial, workload=replace(trial.workload, dropout=True)))


def own_weights(build: Build, trial: Trial) -> Trainer:
    fresh = initial_weights(trial.workload.network, 12345)
    return Altered(trainer=build(trial), loaded=lambda _: fresh)


def only(kinds: tuple[str, ...], change: Callable[[Floats], Floats]) -> Callable[[Weights], Any]:
    """Changes the weights whose name ends in one of ``kinds``."""
    return lambda weights: {
        name: np.ascontiguousarray(change(value)) if name.endswith(kinds) else value
        for name, value in weights.items()
    }


def flipped(kernel: Floats) -> Floats:
    """``[h, w, c, co]`` turned by half; a dense layer's stays."""
    return kernel[::-1, ::-1] if kernel.ndim == 4 else kernel


def channels_first(rows: Floats) -> Floats:
    """Rows ordered height, width, channels in the order channels, height, width (8x8x64)."""
    return rows.reshape(8, 8, 64, -1).transpose(2, 0, 1, 3).reshape(rows.shape)


def channels_last(rows: Floats) -> Floats:
    return rows.reshape(64, 8, 8, -1).transpose(1, 2, 0, 3).reshape(rows.shape)


def reset(names: tuple[str, ...], value: float) -> Callable[[Weights], Any]:
    return only(names, lambda held: np.full_like(held, value))


def elsewhere(batches: NDArray[np.int32]) -> NDArray[np.int32]:
    """Every image once, in another order (``images`` has ten batches)."""
    return np.random.default_rng(0).permutation(10 * BATCH).astype(np.int32)[batches]


def within(batches: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.ascontiguousarray(batches[:, ::-1])


FAULTS: dict[str, Fault] = {
    "labels shifted by one": altered(labels=lambda labels: (labels + 1) % 10),
    "colour channels swapped": altered(
        pixels=lambda images: np.ascontiguousarray(images[..., ::-1])
    ),
    "rows and columns swapped": altered(
        pixels=lambda images: np.ascontiguousarray(images.transpose(0, 2, 1, 3))
    ),
    "kernels flipped": altered(
        loaded=only((".kernel",), flipped), returned=only((".kernel",), flipped)
    ),
    "flattened channels first": altered(
        loaded=only(("dense1.kernel",), channels_last),
        returned=only(("dense1.kernel",), channels_first),
    ),
    "batches shuffled": altered(batches=elsewhere),
    "own initial weights": own_weights,
    "running statistics not loaded": altered(
        loaded=lambda w: reset((".variance",), 1)(reset((".mean",), 0)(w))
    ),
    "scales and biases not loaded": altered(
        loaded=lambda w: reset((".scale",), 1)(reset((".bias",), 0)(w))
    ),
    "loss halved": altered(loss=lambda loss: loss / 2),
    "learning rate ten times": optimized(learning_rate=lambda rate: rate * 10),
    "learning rate a tenth": optimized(learning_rate=lambda rate: rate / 10),
    "learning rate for a sum": optimized(learning_rate=lambda rate: rate * BATCH),
    "schedule one step late": optimized(schedule=((4, 0.1),)),
    "schedule forgotten": optimized(schedule=()),
    "momentum forgotten": optimized(momentum=0.0),
    "Nesterov instead of heavy ball": optimized(nesterov=True),
    "heavy ball instead of Nesterov": optimized(nesterov=False),
    # Gradients that add up: what a momentum of 1 computes.
    "gradients never zeroed": optimized(momentum=1.0),
    "weight decay forgotten": optimized(weight_decay=0.0),
    "weight decay twice": optimized(weight_decay=lambda decay: 2 * decay),
    "dropout left on": with_dropout,
}

HARMLESS: dict[str, Fault] = {
    "shuffled within a batch": altered(batches=within),
    "decayed rate written as a schedule": optimized(schedule=((1, 1.0), (3, 0.1))),
}
"""Changes that compute the same: no certificate may fail for them."""

UNSEEN_IN_FLOAT32: frozenset[str] = frozenset(
    {
        "batch norm: epsilon 1.001e-5",
        "gradients never zeroed",
        "gradients not zeroed by zero_grad",
        "momentum form",
        "schedule one step late",
        "weight decay decoupled",
    }
)
"""Faults that rounding hides in float32; everything else must be caught there, too."""
