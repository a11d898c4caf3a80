"""Faults in Keras code, each planted by a function that takes pytest's ``monkeypatch``."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import pytest

from bench.workloads import Optimizer

networks: Any = import_module("impls.keras.networks")
trainer: Any = import_module("impls.keras.trainer")  # first: it chooses Keras' backend
keras: Any = import_module("keras")
layers, ops = keras.layers, keras.ops

Plant = Callable[[pytest.MonkeyPatch], None]


def network(
    patch: pytest.MonkeyPatch,
    *,
    activation: str | None = "relu",
    pool: Any = layers.MaxPooling2D,
    after: tuple[Any, ...] = (),
) -> None:
    """Listing3 with another activation or pooling at first, or something more after that."""

    def listing3() -> Any:
        return keras.Sequential(
            [
                keras.Input((32, 32, 3), dtype="uint8"),
                layers.Rescaling(networks.SCALE),
                layers.Conv2D(64, 3, padding="same", activation=activation, name="conv1"),
                pool(2),
                *(layer() for layer in after),
                layers.Conv2D(64, 3, padding="same", activation="relu", name="conv2"),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                layers.Dense(512, activation="relu", name="dense1"),
                layers.Dense(10, name="dense2"),
            ]
        )

    patch.setitem(networks.NETWORKS, "listing3", listing3)


def conv_call(patch: pytest.MonkeyPatch, call: Callable[[Any, Any], Any]) -> None:
    """Something else computed by the first convolution."""
    true = layers.Conv2D.call

    def changed(self: Any, inputs: Any) -> Any:
        return call(self, inputs) if self.name == "conv1" else true(self, inputs)

    patch.setattr(layers.Conv2D, "call", changed)


def shifted_conv(self: Any, x: Any) -> Any:
    x = ops.pad(x, ((0, 0), (0, 2), (0, 2), (0, 0)))
    return ops.relu(ops.conv(x, self.kernel, 1, "valid") + self.bias)


def biasless_conv(self: Any, x: Any) -> Any:
    # Not left out altogether: Keras warns of a variable without a gradient.
    return ops.relu(ops.conv(x, self.kernel, 1, "same") + 0 * self.bias)


def uneven_padding(patch: pytest.MonkeyPatch) -> None:
    """What "same" computes for even images and a stride of 2."""
    true = layers.Conv2D

    def conv(outputs: int, size: int, *arguments: Any, **settings: Any) -> Any:
        return true(outputs, size, *arguments, **settings | {"padding": "same"})

    patch.setattr(layers, "Conv2D", conv)
    patch.setattr(layers, "ZeroPadding2D", lambda _: lambda x: x)


def norm(patch: pytest.MonkeyPatch, **attributes: float) -> None:
    """Batch normalisations with other attributes."""
    true = networks.BatchNorm

    def built(**settings: Any) -> Any:
        layer = true(**settings)
        for name, value in attributes.items():
            setattr(layer, name, value)
        return layer

    patch.setattr(networks, "BatchNorm", built)


def biased_variance(patch: pytest.MonkeyPatch) -> None:
    """Keras' own."""
    own = partial(layers.BatchNormalization, momentum=0.9, epsilon=1e-5)
    patch.setattr(networks, "BatchNorm", own)


def pinned(patch: pytest.MonkeyPatch, layer: Any, *, training: bool) -> None:
    """A layer that takes no notice of the mode."""
    true = layer.call

    def call(self: Any, inputs: Any, training: bool | None = None) -> Any:  # noqa: ARG001
        return true(self, inputs, training=mode)

    mode = training
    patch.setattr(layer, "call", call)


def loss(patch: pytest.MonkeyPatch, change: Callable[[Any], Any], reduction: str) -> None:
    true = keras.losses.SparseCategoricalCrossentropy

    def built(**settings: Any) -> Any:
        made = true(**settings, reduction=reduction)
        call = made.call
        made.call = lambda labels, logits: call(labels, change(logits))
        return made

    patch.setattr(keras.losses, "SparseCategoricalCrossentropy", built)


def pixels(patch: pytest.MonkeyPatch, factor: float) -> None:
    patch.setattr(networks, "SCALE", factor)


def update(patch: pytest.MonkeyPatch, gradient: Callable[[Any, Any, Any, Any], Any]) -> None:
    """The true update, given another gradient."""
    true = trainer.SGD.update_step

    def update_step(self: Any, found: Any, variable: Any, learning_rate: Any) -> None:
        true(self, gradient(self, found, variable, learning_rate), variable, learning_rate)

    patch.setattr(trainer.SGD, "update_step", update_step)


def decayed_too(self: Any, gradient: Any, variable: Any, _: Any) -> Any:
    """With the weight decay's gradient also where there should be none."""
    if len(variable.shape) > 1:
        return gradient
    return gradient + self.coupled_weight_decay * variable


def decoupled_decay(patch: pytest.MonkeyPatch) -> None:
    true = trainer.SGD.update_step

    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        decay, self.coupled_weight_decay = self.coupled_weight_decay, 0.0
        if len(variable.shape) > 1:
            rate = ops.cast(learning_rate, variable.dtype)
            self.assign_sub(variable, rate * decay * variable)
        true(self, gradient, variable, learning_rate)
        self.coupled_weight_decay = decay

    patch.setattr(trainer.SGD, "update_step", update_step)


def rate_in_velocity(patch: pytest.MonkeyPatch) -> None:
    """Keras' own form, v = m * v - rate * g; w = w + v, without its rounding of m to float32."""

    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if len(variable.shape) > 1:
            gradient = gradient + self.coupled_weight_decay * variable
        velocity = self.momentums[self._get_variable_index(variable)]
        rate = ops.cast(learning_rate, variable.dtype)
        self.assign(velocity, self.momentum * velocity - rate * gradient)
        self.assign_add(variable, velocity)

    patch.setattr(trainer.SGD, "update_step", update_step)


def own_sgd(patch: pytest.MonkeyPatch) -> None:
    """Keras' own SGD as it stands, weight decay included."""

    def built(settings: Optimizer) -> Any:
        return keras.optimizers.SGD(
            trainer.learning_rate(settings),
            momentum=settings.momentum,
            nesterov=settings.nesterov,
            weight_decay=settings.weight_decay,
        )

    patch.setattr(trainer, "SGD", built)


def kept_optimizer(patch: pytest.MonkeyPatch) -> None:
    true = trainer.KerasTrainer.load_weights

    def load_weights(self: Any, weights: Any) -> None:
        self.fresh = [variable.numpy() for variable in self.optimizer.variables]
        true(self, weights)

    patch.setattr(trainer.KerasTrainer, "load_weights", load_weights)


FAULTS: dict[str, Plant] = {
    "padding shifted by one": partial(conv_call, call=shifted_conv),
    "padding below and to the right under a stride": uneven_padding,
    "bias dropped": partial(conv_call, call=biasless_conv),
    "ReLU missing": partial(network, activation=None),
    "average pooling": partial(network, pool=layers.AveragePooling2D),
    "pixels unscaled": partial(pixels, factor=1.0),
    "pixels scaled by 1/256": partial(pixels, factor=1 / 256),
    "softmax before the softmax": partial(
        # Times one: Keras warns where it sees the softmax itself.
        loss,
        change=lambda logits: ops.softmax(logits) * 1,
        reduction="sum_over_batch_size",
    ),
    "loss summed": partial(loss, change=lambda logits: logits, reduction="sum"),
    "batch norm: epsilon 1e-3": partial(norm, epsilon=1e-3),
    "batch norm: epsilon 1.001e-5": partial(norm, epsilon=1.001e-5),
    "batch norm: momentum 0.99": partial(norm, momentum=0.99),
    "batch norm: biased running variance": biased_variance,
    "batch norm: running statistics never updated": partial(norm, momentum=1.0),
    "batch norm: batch statistics in evaluation": partial(
        pinned, layer=networks.BatchNorm, training=True
    ),
    "batch norm: running statistics in training": partial(
        pinned, layer=networks.BatchNorm, training=False
    ),
    "weight decay also on biases and scales": partial(update, gradient=decayed_too),
    "weight decay decoupled": decoupled_decay,
    "momentum form": rate_in_velocity,
    "Keras' own SGD": own_sgd,
}

HARMLESS: dict[str, Plant] = {
    "ReLU after the pooling": partial(network, activation=None, after=(layers.ReLU,)),
    "weight decay decoupled, no momentum": decoupled_decay,
    "momentum form, constant rate": rate_in_velocity,
}

STALE: dict[str, Plant] = {"optimizer state kept": kept_optimizer}

EVALUATION: dict[str, Plant] = {
    "dropout active in evaluation": partial(pinned, layer=layers.Dropout, training=True)
}
