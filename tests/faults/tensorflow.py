"""Faults in TensorFlow code, each planted by a function that takes pytest's ``monkeypatch``."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import pytest

tf: Any = import_module("tensorflow")
networks: Any = import_module("impls.tensorflow.networks")
trainer: Any = import_module("impls.tensorflow.trainer")

Plant = Callable[[pytest.MonkeyPatch], None]


def listing3(
    patch: pytest.MonkeyPatch,
    *,
    conv1: Callable[[Any, Any], Any] = lambda self, x: self.conv1(x),
    first: Callable[[Any], Any] = lambda x: networks.max_pool(tf.nn.relu(x)),
) -> None:
    """Another first convolution, or something else after it."""

    def call(self: Any, x: Any, training: bool) -> Any:  # noqa: ARG001
        x = first(conv1(self, x))
        x = networks.max_pool(tf.nn.relu(self.conv2(x)))
        x = tf.nn.relu(self.dense1(networks.flatten(x)))
        return self.dense2(x)

    patch.setattr(networks.Listing3, "__call__", call)


def shifted_conv(self: Any, x: Any) -> Any:
    padding = [[0, 0], [0, 2], [0, 2], [0, 0]]
    return tf.nn.bias_add(tf.nn.conv2d(x, self.conv1.kernel, 1, padding), self.conv1.bias)


def biasless_conv(self: Any, x: Any) -> Any:
    # Not left out altogether: the training step stumbles over a variable without a gradient.
    return tf.nn.bias_add(tf.nn.conv2d(x, self.conv1.kernel, 1, "SAME"), 0 * self.conv1.bias)


def uneven_padding(patch: pytest.MonkeyPatch) -> None:
    """What "SAME" computes for even images and a stride of 2."""

    def call(self: Any, x: Any) -> Any:
        return tf.nn.conv2d(x, self.kernel, self.stride, "SAME")

    patch.setattr(networks.Conv, "__call__", call)


def epsilon(patch: pytest.MonkeyPatch, value: float) -> None:
    def normalise(self: Any, x: Any, mean: Any, variance: Any) -> Any:
        return tf.nn.batch_normalization(x, mean, variance, self.bias, self.scale, value)

    fused = tf.raw_ops.FusedBatchNormV3  # in training, in float32
    changed = {"epsilon": value}
    patch.setattr(networks.BatchNorm, "normalise", normalise)
    patch.setattr(tf.raw_ops, "FusedBatchNormV3", lambda **given: fused(**given | changed))


def statistics(
    patch: pytest.MonkeyPatch, mean: Callable[..., Any], variance: Callable[..., Any]
) -> None:
    """Other running statistics, from those before, those after, and the values per channel."""
    true = networks.BatchNorm.__call__

    def call(self: Any, x: Any, training: bool) -> Any:
        before = tf.identity(self.mean), tf.identity(self.variance)
        y = true(self, x, training)
        if training:
            values = tf.cast(tf.size(x) // tf.shape(x)[-1], x.dtype)
            self.mean.assign(mean(before[0], self.mean, values))
            self.variance.assign(variance(before[1], self.variance, values))
        return y

    patch.setattr(networks.BatchNorm, "__call__", call)


def slow(before: Any, after: Any, values: Any) -> Any:  # noqa: ARG001
    """A hundredth of the way, not a tenth."""
    return before + (after - before) * 0.1


def frozen(before: Any, after: Any, values: Any) -> Any:  # noqa: ARG001
    return before


def right(before: Any, after: Any, values: Any) -> Any:  # noqa: ARG001
    return after


def biased(before: Any, after: Any, values: Any) -> Any:
    return 0.9 * before + (after - 0.9 * before) * (values - 1) / values


def pinned(patch: pytest.MonkeyPatch, layer: Any, *, training: bool) -> None:
    """A layer that takes no notice of the mode."""
    true = layer.__call__

    def call(self: Any, x: Any, _: bool) -> Any:
        return true(self, x, training=training)

    patch.setattr(layer, "__call__", call)


def loss(patch: pytest.MonkeyPatch, change: Callable[[Any], Any], factor: float) -> None:
    true = tf.nn.sparse_softmax_cross_entropy_with_logits

    def changed(labels: Any, logits: Any) -> Any:
        return true(labels, change(logits)) * factor

    patch.setattr(tf.nn, "sparse_softmax_cross_entropy_with_logits", changed)


def pixels(patch: pytest.MonkeyPatch, factor: float) -> None:
    patch.setattr(trainer, "scale", lambda images, dtype: tf.cast(images, dtype) * factor)


def decay_for_all(patch: pytest.MonkeyPatch) -> None:
    def decayed(self: Any, gradient: Any, variable: Any) -> Any:
        return gradient + self.settings.weight_decay * variable

    patch.setattr(trainer.SGD, "decayed", decayed)


def decoupled_decay(patch: pytest.MonkeyPatch) -> None:
    rate = trainer.SGD.learning_rate

    def learning_rate(self: Any, dtype: Any) -> Any:
        found = rate(self, dtype)
        for variable in self.decaying:
            variable.assign_sub(found * self.settings.weight_decay * variable)
        return found

    def apply(self: Any, gradients: Any, variables: Any) -> None:
        self.decaying = [variable for variable in variables if len(variable.shape) > 1]
        true(self, gradients, variables)

    true = trainer.SGD.apply
    patch.setattr(trainer.SGD, "decayed", lambda _self, gradient, _variable: gradient)
    patch.setattr(trainer.SGD, "learning_rate", learning_rate)
    patch.setattr(trainer.SGD, "apply", apply)


def rate_in_velocity(patch: pytest.MonkeyPatch) -> None:
    """v = m * v + rate * g; w = w - v."""

    def apply(self: Any, gradients: Any, variables: Any) -> None:
        rate = self.learning_rate(variables[0].dtype)
        for gradient, variable, velocity in zip(gradients, variables, self.velocities, strict=True):
            step = rate * self.decayed(gradient, variable)
            velocity.assign(self.settings.momentum * velocity + step)
            variable.assign_sub(velocity)

    patch.setattr(trainer.SGD, "apply", apply)


def kept_optimizer(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(trainer.SGD, "reset", lambda _: None)


FAULTS: dict[str, Plant] = {
    "padding shifted by one": partial(listing3, conv1=shifted_conv),
    "padding below and to the right under a stride": uneven_padding,
    "bias dropped": partial(listing3, conv1=biasless_conv),
    "ReLU missing": partial(listing3, first=lambda x: networks.max_pool(x)),
    "average pooling": partial(
        listing3, first=lambda x: tf.nn.avg_pool2d(tf.nn.relu(x), 2, 2, "VALID")
    ),
    "pixels unscaled": partial(pixels, factor=1.0),
    "pixels scaled by 1/256": partial(pixels, factor=1 / 256),
    "softmax before the softmax": partial(loss, change=tf.nn.softmax, factor=1.0),
    "loss summed": partial(loss, change=tf.identity, factor=8.0),
    "batch norm: epsilon 1e-3": partial(epsilon, value=1e-3),
    "batch norm: epsilon 1.001e-5": partial(epsilon, value=1.001e-5),
    "batch norm: momentum 0.99": partial(statistics, mean=slow, variance=slow),
    "batch norm: biased running variance": partial(statistics, mean=right, variance=biased),
    "batch norm: running statistics never updated": partial(
        statistics, mean=frozen, variance=frozen
    ),
    "batch norm: batch statistics in evaluation": partial(
        pinned, layer=networks.BatchNorm, training=True
    ),
    "batch norm: running statistics in training": partial(
        pinned, layer=networks.BatchNorm, training=False
    ),
    "weight decay also on biases and scales": decay_for_all,
    "weight decay decoupled": decoupled_decay,
    "momentum form": rate_in_velocity,
}

HARMLESS: dict[str, Plant] = {
    "ReLU after the pooling": partial(listing3, first=lambda x: tf.nn.relu(networks.max_pool(x))),
    "weight decay decoupled, no momentum": decoupled_decay,
    "momentum form, constant rate": rate_in_velocity,
}

STALE: dict[str, Plant] = {"optimizer state kept": kept_optimizer}

EVALUATION: dict[str, Plant] = {
    "dropout active in evaluation": partial(pinned, layer=networks.Dropout, training=True)
}

UNSEEN_IN_FLOAT32 = {
    # The fused normalisation sums in plain float32: at the batch that is timed, it is off by so
    # much that activations change sides. tests/conformance/test_tensorflow.py looks at it alone.
    "batch norm: biased running variance",
    "weight decay also on biases and scales",
}
