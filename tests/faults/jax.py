"""Faults in JAX and Flax code, each planted by a function that takes pytest's ``monkeypatch``."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import jax  # type: ignore[import-not-found]
import jax.numpy as jnp  # type: ignore[import-not-found]
import optax  # type: ignore[import-not-found]
import pytest
from flax import nnx  # type: ignore[import-not-found]

from bench.workloads import Optimizer

networks: Any = import_module("impls.jax.networks")
trainer: Any = import_module("impls.jax.trainer")

Plant = Callable[[pytest.MonkeyPatch], None]

pool = partial(nnx.max_pool, window_shape=(2, 2), strides=(2, 2))


def listing3(
    patch: pytest.MonkeyPatch,
    *,
    conv1: Callable[[Any, Any], Any] = lambda self, x: self.conv1(x),
    first: Callable[[Any], Any] = lambda x: pool(nnx.relu(x)),
) -> None:
    """Another first convolution, or something else after it."""

    def call(self: Any, x: Any) -> Any:
        x = first(conv1(self, x))
        x = pool(nnx.relu(self.conv2(x)))
        x = nnx.relu(self.dense1(x.reshape(x.shape[0], -1)))
        return self.dense2(x)

    patch.setattr(networks.Listing3, "__call__", call)


def convolved(x: Any, kernel: Any, padding: Any) -> Any:
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def shifted_conv(self: Any, x: Any) -> Any:
    return convolved(x, self.conv1.kernel[...], ((0, 2), (0, 2))) + self.conv1.bias[...]


def biasless_conv(self: Any, x: Any) -> Any:
    return convolved(x, self.conv1.kernel[...], "SAME")


def uneven_padding(patch: pytest.MonkeyPatch) -> None:
    """Flax' default, "SAME": below and to the right only, for even images and a stride of 2."""
    true = nnx.Conv.__init__

    def init(self: Any, *arguments: Any, **settings: Any) -> None:
        true(self, *arguments, **settings | {"padding": "SAME"})

    patch.setattr(nnx.Conv, "__init__", init)


def norm(patch: pytest.MonkeyPatch, **attributes: Any) -> None:
    """Batch normalisations with other attributes."""
    true = networks.BatchNorm.__init__

    def init(self: Any, channels: int, **settings: Any) -> None:
        true(self, channels, **settings)
        for name, value in attributes.items():
            setattr(self, name, value)

    patch.setattr(networks.BatchNorm, "__init__", init)


def biased_variance(patch: pytest.MonkeyPatch) -> None:
    """Flax' own."""
    patch.setattr(networks.BatchNorm, "__call__", nnx.BatchNorm.__call__)


def running_statistics(patch: pytest.MonkeyPatch) -> None:
    def call(self: Any, x: Any) -> Any:
        return nnx.BatchNorm.__call__(self, x, use_running_average=True)

    patch.setattr(networks.BatchNorm, "__call__", call)


def loss(patch: pytest.MonkeyPatch, change: Callable[[Any], Any], reduce: Any) -> None:
    def cross_entropy(model: Any, images: Any, labels: Any) -> Any:
        logits = change(model(images))
        return reduce(optax.softmax_cross_entropy_with_integer_labels(logits, labels))

    patch.setattr(trainer, "cross_entropy", cross_entropy)


def pixels(patch: pytest.MonkeyPatch, factor: float) -> None:
    patch.setattr(trainer, "scale", lambda images, dtype: images.astype(dtype) * factor)


def kernels(tree: Any) -> Any:
    return jax.tree.map(lambda weight: weight.ndim > 1, tree)


def sgd(patch: pytest.MonkeyPatch, chain: Callable[[Optimizer, Any], tuple[Any, ...]]) -> None:
    """A chain of transformations, from the settings and the learning rate."""

    def built(settings: Optimizer) -> Any:
        return optax.chain(*chain(settings, trainer.learning_rate(settings)))

    patch.setattr(trainer, "sgd", built)


def decay_for_all(settings: Optimizer, rate: Any) -> tuple[Any, ...]:
    decay = optax.add_decayed_weights(settings.weight_decay)
    return decay, optax.sgd(rate, momentum=settings.momentum)


def decoupled_decay(settings: Optimizer, rate: Any) -> tuple[Any, ...]:
    decay = optax.add_decayed_weights(settings.weight_decay, kernels)
    return optax.trace(settings.momentum), decay, optax.scale_by_learning_rate(rate)


def rate_in_velocity(settings: Optimizer, rate: Any) -> tuple[Any, ...]:
    """v = m * v + rate * g; w = w - v."""
    decay = optax.add_decayed_weights(settings.weight_decay, kernels)
    return decay, optax.scale_by_learning_rate(rate), optax.trace(settings.momentum)


def kept_optimizer(patch: pytest.MonkeyPatch) -> None:
    true = trainer.JaxTrainer.load_weights

    def load_weights(self: Any, weights: Any) -> None:
        kept = getattr(self, "state", None)
        true(self, weights)
        if kept is not None:  # 0 is the model, 1 the optimizer
            self.state[1] = kept[1]

    patch.setattr(trainer.JaxTrainer, "load_weights", load_weights)


def never_evaluating(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(nnx.Module, "eval", lambda self: self.train())


FAULTS: dict[str, Plant] = {
    "padding shifted by one": partial(listing3, conv1=shifted_conv),
    "padding below and to the right under a stride": uneven_padding,
    "bias dropped": partial(listing3, conv1=biasless_conv),
    "ReLU missing": partial(listing3, first=pool),
    "average pooling": partial(
        listing3, first=lambda x: nnx.avg_pool(nnx.relu(x), (2, 2), strides=(2, 2))
    ),
    "pixels unscaled": partial(pixels, factor=1.0),
    "pixels scaled by 1/256": partial(pixels, factor=1 / 256),
    "softmax before the softmax": partial(loss, change=nnx.softmax, reduce=jnp.mean),
    "loss summed": partial(loss, change=lambda logits: logits, reduce=jnp.sum),
    "batch norm: epsilon 1e-3": partial(norm, epsilon=1e-3),
    "batch norm: epsilon 1.001e-5": partial(norm, epsilon=1.001e-5),
    "batch norm: momentum 0.99": partial(norm, momentum=0.99),
    "batch norm: biased running variance": biased_variance,
    "batch norm: running statistics never updated": partial(norm, momentum=1.0),
    "batch norm: batch statistics in evaluation": never_evaluating,
    "batch norm: running statistics in training": running_statistics,
    "weight decay also on biases and scales": partial(sgd, chain=decay_for_all),
    "weight decay decoupled": partial(sgd, chain=decoupled_decay),
    "momentum form": partial(sgd, chain=rate_in_velocity),
}

HARMLESS: dict[str, Plant] = {
    "ReLU after the pooling": partial(listing3, first=lambda x: nnx.relu(pool(x))),
    "weight decay decoupled, no momentum": partial(sgd, chain=decoupled_decay),
    "momentum form, constant rate": partial(sgd, chain=rate_in_velocity),
}

STALE: dict[str, Plant] = {"optimizer state kept": kept_optimizer}

EVALUATION: dict[str, Plant] = {"dropout active in evaluation": never_evaluating}
