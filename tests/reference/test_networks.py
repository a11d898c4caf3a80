"""Whole networks: what a description means, and the gradient of the loss by all weights at once."""

import numpy as np
import pytest

from bench.weights import initial_weights
from bench.workloads import (
    NETWORKS,
    STATISTICS,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Relu,
    Residual,
    Subsample,
    weight_shapes,
)
from impls.reference.layers import Array, batch_norm_training, conv, dense, softmax_cross_entropy
from impls.reference.networks import forward


def drawn_weights(network: str) -> dict[str, Array]:
    """Initial weights, moved off what hides faults: no scale or variance of 1, no bias of 0."""
    generator = np.random.default_rng(1)
    weights = {}
    for name, value in initial_weights(network, 0).items():
        weights[name] = value.astype(np.float64)
        if name.endswith((".scale", ".bias", *STATISTICS)):
            weights[name] += generator.uniform(0, 0.1, value.shape)
    return weights


def trainable(weights: dict[str, Array]) -> list[str]:
    return [name for name in weights if not name.endswith(STATISTICS)]


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("network", NETWORKS)
def test_the_loss_falls_along_the_gradient_of_all_weights(network: str, training: bool) -> None:
    """The loss' slope along random directions, central differences against the gradient.

    In the residual networks at a distance of 1e-6 some activations cross the kink of their ReLU,
    which spoiled the slope by up to 3 %; at 1e-8 hardly any does, and what the rounding of the
    loss (1e-15) does to the slope is still below 1e-6.
    """
    generator = np.random.default_rng(2)
    weights = drawn_weights(network)
    x, labels = generator.random((3, 32, 32, 3)), np.array([3, 0, 9], np.int32)

    def loss_at(weights: dict[str, Array]) -> float:
        logits, _, _ = forward(NETWORKS[network], weights, x, training=training)
        return softmax_cross_entropy(logits, labels)[0]

    logits, backward, _ = forward(NETWORKS[network], weights, x, training=training)
    _, gradients = backward(softmax_cross_entropy(logits, labels)[1])
    assert {n: g.shape for n, g in gradients.items()} == {
        n: weights[n].shape for n in trainable(weights)
    }
    for _ in range(2):
        # As large for each weight as its own values are, whatever their scale.
        direction = {
            n: generator.normal(0, np.sqrt((weights[n] ** 2).mean()), weights[n].shape)
            for n in gradients
        }
        ends = [
            loss_at(weights | {n: weights[n] + sign * 1e-8 * d for n, d in direction.items()})
            for sign in (1, -1)
        ]
        expected = sum(float((gradients[n] * d).sum()) for n, d in direction.items())
        assert (ends[0] - ends[1]) / 2e-8 == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("network", NETWORKS)
def test_training_gives_new_running_statistics_and_evaluation_uses_the_old(network: str) -> None:
    weights = drawn_weights(network)
    before = {name: value.copy() for name, value in weights.items()}
    x = np.random.default_rng(3).random((2, 32, 32, 3))
    _, _, statistics = forward(NETWORKS[network], weights, x, training=True)
    assert sorted(statistics) == sorted(weights.keys() - trainable(weights))
    logits, _, none = forward(NETWORKS[network], weights, x, training=False)
    assert none == {}
    assert all((weights[name] == value).all() for name, value in before.items())
    if statistics:
        moved, _, _ = forward(NETWORKS[network], weights | statistics, x, training=False)
        assert np.abs(moved - logits).max() > 1e-3
        alone, _, _ = forward(NETWORKS[network], weights, x[:1], training=False)
        np.testing.assert_allclose(alone, logits[:1], rtol=1e-10)


def test_a_projection_block_is_two_convolutions_and_one_beside_them() -> None:
    """The first block of resnet18-narrow that halves the image, written out."""
    weights = drawn_weights("resnet18-narrow")
    (block,) = (
        layer
        for layer in NETWORKS["resnet18-narrow"]
        if isinstance(layer, Residual) and "blocks.2.conv1" in repr(layer)
    )
    x = np.random.default_rng(4).normal(size=(2, 6, 6, 8))

    def normalised(x: Array, number: int) -> Array:
        kinds = ("scale", "bias", "mean", "variance")
        return batch_norm_training(x, *(weights[f"blocks.2.norm{number}.{k}"] for k in kinds))[0]

    def kernel(number: int) -> Array:
        return weights[f"blocks.2.conv{number}.kernel"]

    first = np.maximum(normalised(conv(x, kernel(1), None, stride=2, padding=1)[0], 1), 0)
    body = normalised(conv(first, kernel(2), None, stride=1, padding=1)[0], 2)
    beside = normalised(conv(x, kernel(3), None, stride=2, padding=0)[0], 3)
    output, _, _ = forward((block,), weights, x, training=True)
    np.testing.assert_allclose(output, np.maximum(body + beside, 0), rtol=1e-12, atol=1e-12)


def test_an_empty_shortcut_is_the_identity_and_the_relu_is_last() -> None:
    x = np.array([[-1.0, 2.0]])
    output, backward, _ = forward((Residual((Relu(),)),), {}, x, training=True)
    assert output.tolist() == [[0, 4]]
    assert backward(np.array([[10.0, 1.0]]))[0].tolist() == [[0, 2]]


def test_a_shortcut_without_parameters_adds_to_the_first_channels() -> None:
    x = np.arange(16, dtype=np.float64).reshape(1, 4, 4, 1)
    layers = (Residual((Subsample(2, 1, 3),), (Subsample(2, 1, 3),)),)
    output, _, _ = forward(layers, {}, x, training=True)
    assert output[0, :, :, 0].tolist() == [[0, 4], [16, 20]]
    assert not output[..., 1:].any()


def test_layers_run_in_order_and_dropout_does_nothing() -> None:
    x = np.random.default_rng(5).normal(size=(2, 2, 2, 3))
    weights = {"last.kernel": np.arange(36.0).reshape(12, 3), "last.bias": np.arange(3.0)}
    layers = (Dropout(0.5), Relu(), Flatten(), Dropout(0.25), Dense("last", 12, 3))
    expected, _ = dense(np.maximum(x, 0).reshape(2, 12), *weights.values())
    for training in (True, False):
        output, _, _ = forward(layers, weights, x, training=training)
        np.testing.assert_array_equal(output, expected)
    pooled, _, _ = forward((GlobalAveragePool(),), {}, x, training=True)
    np.testing.assert_allclose(pooled, x.mean(axis=(1, 2)))


def test_a_missing_weight_is_a_key_error() -> None:
    weights = dict.fromkeys(weight_shapes("listing1"), np.zeros(1))
    del weights["conv1.kernel"]
    with pytest.raises(KeyError, match=r"conv1\.kernel"):
        forward(NETWORKS["listing1"], weights, np.zeros((1, 32, 32, 3)), training=True)
