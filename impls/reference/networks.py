"""Executes the neutral description of a network (``bench.workloads.NETWORKS``), layer by layer.

The other implementations write each network by hand; here the description itself runs, and this is
what it means.
"""

from collections.abc import Mapping

from bench.workloads import (
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    MaxPool,
    Relu,
    Residual,
    Subsample,
)
from impls.reference import layers as compute
from impls.reference.layers import Array, Backward, Gradients

Weights = Mapping[str, Array]


def forward(
    layers: tuple[Layer, ...], weights: Weights, x: Array, *, training: bool, copies: int = 1
) -> tuple[Array, Backward, dict[str, Array]]:
    """Send ``x`` through ``layers``: the output, its ``backward``, the new running statistics.

    ``x`` is ``[n, 32, 32, 3]`` for a whole network, whose output is logits ``[n, 10]``. Gradients
    and statistics are by canonical name; ``weights`` stay as they are, and there are no new
    statistics in evaluation. Each row of ``x`` may stand for as many ``copies``: then ``backward``
    takes the sum of what comes back to them. Raises ``KeyError`` for a missing weight.
    """
    backwards = []
    statistics: dict[str, Array] = {}
    for layer in layers:
        x, layer_backward, new = _layer(layer, weights, x, training=training, copies=copies)
        backwards.append(layer_backward)
        statistics |= new

    def backward(d_output: Array) -> tuple[Array, Gradients]:
        gradients: Gradients = {}
        for layer_backward in reversed(backwards):
            d_output, found = layer_backward(d_output)
            gradients |= found
        return d_output, gradients

    return x, backward, statistics


def _layer(
    layer: Layer, weights: Weights, x: Array, *, training: bool, copies: int
) -> tuple[Array, Backward, dict[str, Array]]:
    """``forward`` of one layer."""
    match layer:
        case Conv(name, _, _, _, stride, padding):
            kernel, bias = weights[f"{name}.kernel"], weights.get(f"{name}.bias")
            output, backward = compute.conv(x, kernel, bias, stride=stride, padding=padding)
            return output, _named(name, backward), {}
        case Dense(name):
            output, backward = compute.dense(x, weights[f"{name}.kernel"], weights[f"{name}.bias"])
            return output, _named(name, backward), {}
        case BatchNorm(name):
            held = [weights[f"{name}.{kind}"] for kind in ("scale", "bias", "mean", "variance")]
            if not training:
                output, backward = compute.batch_norm_evaluation(x, *held)
                return output, _named(name, backward), {}
            output, backward, running = compute.batch_norm_training(x, *held, copies=copies)
            return output, _named(name, backward), _prefixed(name, running)
        case Residual(body, shortcut):
            return _residual(body, shortcut, weights, x, training=training, copies=copies)
        case _:
            return *_weightless(layer, x), {}


def _weightless(
    layer: Relu | MaxPool | GlobalAveragePool | Flatten | Dropout | Subsample, x: Array
) -> tuple[Array, Backward]:
    """The same of a layer that has no weights and computes alike in training and evaluation."""
    match layer:
        case Relu():
            return compute.relu(x)
        case MaxPool(size):
            return compute.max_pool(x, size)
        case GlobalAveragePool():
            return compute.global_average_pool(x)
        case Flatten():
            return compute.flatten(x)
        case Subsample(stride, _, outputs):
            return compute.subsample(x, stride=stride, outputs=outputs)
        case Dropout():
            # Only workloads with ``dropout`` drop anything, and ``build`` refuses those.
            return x, lambda d_output: (d_output, {})


def _residual(
    body: tuple[Layer, ...],
    shortcut: tuple[Layer, ...],
    weights: Weights,
    x: Array,
    *,
    training: bool,
    copies: int,
) -> tuple[Array, Backward, dict[str, Array]]:
    """relu(body(x) + shortcut(x)); dx is the sum of what comes back through the two."""
    long, long_backward, long_statistics = forward(
        body, weights, x, training=training, copies=copies
    )
    short, short_backward, short_statistics = forward(
        shortcut, weights, x, training=training, copies=copies
    )
    output, relu_backward = compute.relu(long + short)

    def backward(d_output: Array) -> tuple[Array, Gradients]:
        d_sum, _ = relu_backward(d_output)
        d_long, long_gradients = long_backward(d_sum)
        d_short, short_gradients = short_backward(d_sum)
        return d_long + d_short, long_gradients | short_gradients

    return output, backward, long_statistics | short_statistics


def _named(name: str, backward: Backward) -> Backward:
    """The same, its gradients under their canonical names."""

    def named(d_output: Array) -> tuple[Array, Gradients]:
        d_input, gradients = backward(d_output)
        return d_input, _prefixed(name, gradients)

    return named


def _prefixed(name: str, kinds: Mapping[str, Array]) -> dict[str, Array]:
    return {f"{name}.{kind}": value for kind, value in kinds.items()}
