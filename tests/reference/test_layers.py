"""Every layer against its definition, and its gradients against central differences in float64."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.workloads import EPSILON
from impls.reference import layers
from impls.reference.layers import Array, Backward

Layer = Callable[..., tuple[Array, Backward]]

STEP = 1e-5
"""Of the differences, on values near 1: their error is about STEP**2 + 1e-16 / STEP, below 1e-9."""

small = st.integers(1, 3)
seeds = st.integers(0, 2**32 - 1)
# Differences take two evaluations per value: how long an example takes says nothing.
unhurried = settings(deadline=None, max_examples=60)


def normal(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def spaced(seed: int, *shape: int) -> Array:
    """Values in random order, 0.1 apart and none nearer to 0 than 0.05: no step makes a tie."""
    count = int(np.prod(shape))
    values = 0.1 * (np.arange(count) - count // 2) + 0.05
    return np.random.default_rng(seed).permutation(values).reshape(shape)


def slopes(function: Callable[[Array], float], at: Array) -> Array:
    """d function / d value for every value of ``at``, by central differences."""
    found = np.empty_like(at)
    for place in np.ndindex(at.shape):
        moved = at.copy()
        moved[place] = at[place] + STEP
        above = function(moved)
        moved[place] = at[place] - STEP
        found[place] = (above - function(moved)) / (2 * STEP)
    return found


def check_gradients(layer: Layer, **inputs: Array) -> None:
    """``backward`` for a random dL/d(output), by ``x`` and by every other input with a gradient."""
    before = {name: value.copy() for name, value in inputs.items()}
    output, backward = layer(**inputs)
    d_output = normal(99, *output.shape)
    d_x, gradients = backward(d_output)
    assert set(gradients) == set(inputs) - {"x"}
    for name, gradient in (gradients | {"x": d_x}).items():

        def objective(value: Array, name: str = name) -> float:
            return float((layer(**(inputs | {name: value}))[0] * d_output).sum())

        assert gradient.shape == inputs[name].shape
        np.testing.assert_allclose(
            gradient, slopes(objective, inputs[name]), rtol=1e-6, atol=1e-7, err_msg=name
        )
    for name, value in before.items():
        np.testing.assert_array_equal(inputs[name], value, err_msg=f"{name} was changed")


def naive_convolution(
    x: Array, kernel: Array, bias: Array | None, stride: int, padding: int
) -> Array:
    """Pixel by pixel, as a textbook defines it; what lies outside the image counts 0."""
    n, height, width, inputs = x.shape
    size, _, _, outputs = kernel.shape
    down, across = ((side + 2 * padding - size) // stride + 1 for side in (height, width))
    y = np.zeros((n, down, across, outputs))
    for image, row, column, output in np.ndindex(y.shape):
        for i, j, channel in np.ndindex(size, size, inputs):
            r, c = stride * row + i - padding, stride * column + j - padding
            if 0 <= r < height and 0 <= c < width:
                y[image, row, column, output] += (
                    x[image, r, c, channel] * kernel[i, j, channel, output]
                )
        if bias is not None:
            y[image, row, column, output] += bias[output]
    return y


@st.composite
def convolutions(draw: st.DrawFn) -> dict[str, Any]:
    size, stride, padding = draw(small), draw(small), draw(st.integers(0, 2))
    smallest = max(1, size - 2 * padding)
    height, width = (draw(st.integers(smallest, smallest + 4)) for _ in range(2))
    n, inputs, outputs, seed = draw(small), draw(small), draw(small), draw(seeds)
    return {
        "x": normal(seed, n, height, width, inputs),
        "kernel": normal(seed + 1, size, size, inputs, outputs),
        "bias": normal(seed + 2, outputs) if draw(st.booleans()) else None,
        "stride": stride,
        "padding": padding,
    }


@unhurried
@given(convolutions())
def test_a_convolution_is_the_textbooks(case: dict[str, Any]) -> None:
    output, _ = layers.conv(**case)
    np.testing.assert_allclose(output, naive_convolution(**case), rtol=1e-12, atol=1e-12)


@unhurried
@given(convolutions())
def test_gradients_of_a_convolution(case: dict[str, Any]) -> None:
    stride, padding, bias = case["stride"], case["padding"], case["bias"]
    arrays = {name: case[name] for name in ("x", "kernel")}

    def convolution(x: Array, kernel: Array, bias: Array | None = None) -> tuple[Array, Backward]:
        return layers.conv(x, kernel, bias, stride=stride, padding=padding)

    check_gradients(convolution, **arrays, **({} if bias is None else {"bias": bias}))


@unhurried
@given(small, small, small, seeds)
def test_a_dense_layer(n: int, inputs: int, outputs: int, seed: int) -> None:
    x, kernel = normal(seed, n, inputs), normal(seed + 1, inputs, outputs)
    bias = normal(seed + 2, outputs)
    output, _ = layers.dense(x, kernel, bias)
    for image, logit in np.ndindex(n, outputs):
        expected = sum(x[image, i] * kernel[i, logit] for i in range(inputs)) + bias[logit]
        assert output[image, logit] == pytest.approx(expected, abs=1e-12)
    check_gradients(layers.dense, x=x, kernel=kernel, bias=bias)


@unhurried
@given(small, st.integers(1, 5), seeds)
def test_relu(n: int, width: int, seed: int) -> None:
    x = spaced(seed, n, width)
    np.testing.assert_array_equal(layers.relu(x)[0], np.maximum(x, 0))
    check_gradients(layers.relu, x=x)


def test_the_gradient_of_relu_at_zero_is_zero() -> None:
    d_x, _ = layers.relu(np.array([-1.0, 0.0, 1.0]))[1](np.array([5.0, 6.0, 7.0]))
    assert d_x.tolist() == [0, 0, 7]


@unhurried
@given(small, st.integers(0, 2), st.integers(0, 2), small, small, seeds)
def test_max_pool(n: int, more_rows: int, more_columns: int, c: int, size: int, seed: int) -> None:
    """Of sides that are multiples of ``size`` and of others, whose rest is left out."""
    x = spaced(seed, n, 2 * size + more_rows, size + more_columns, c)
    output, _ = layers.max_pool(x, size)
    assert output.shape == (n, x.shape[1] // size, x.shape[2] // size, c)
    for image, row, column, channel in np.ndindex(output.shape):
        square = x[image, row * size :, column * size :, channel][:size, :size]
        assert output[image, row, column, channel] == square.max()
    check_gradients(lambda x: layers.max_pool(x, size), x=x)


@pytest.mark.parametrize(
    ("square", "chosen"),
    [
        ([[2, 2], [2, 2]], (0, 0)),
        ([[1, 2], [2, 2]], (0, 1)),
        ([[1, 1], [2, 2]], (1, 0)),
        ([[-3, 0], [0, -3]], (0, 1)),
    ],
)
def test_of_equal_maxima_the_first_by_rows_gets_the_gradient(
    square: list[list[float]], chosen: tuple[int, int]
) -> None:
    x = np.array(square, np.float64).reshape(1, 2, 2, 1)
    d_x, _ = layers.max_pool(x, 2)[1](np.full((1, 1, 1, 1), 5.0))
    expected = np.zeros((2, 2))
    expected[chosen] = 5
    np.testing.assert_array_equal(d_x[0, :, :, 0], expected)


@unhurried
@given(small, small, small, small, seeds)
def test_global_average_pool(n: int, height: int, width: int, c: int, seed: int) -> None:
    x = normal(seed, n, height, width, c)
    output, _ = layers.global_average_pool(x)
    for image, channel in np.ndindex(n, c):
        mean = sum(x[image, r, k, channel] for r, k in np.ndindex(height, width)) / height / width
        assert output[image, channel] == pytest.approx(mean, abs=1e-12)
    check_gradients(layers.global_average_pool, x=x)


def test_flatten_keeps_rows_then_columns_then_channels() -> None:
    x = np.arange(2 * 3 * 4 * 5, dtype=np.float64).reshape(2, 3, 4, 5)
    output, _ = layers.flatten(x)
    for image, row, column, channel in np.ndindex(x.shape):
        assert output[image, (row * 4 + column) * 5 + channel] == x[image, row, column, channel]
    check_gradients(layers.flatten, x=x)


@unhurried
@given(small, st.integers(1, 5), st.integers(1, 5), small, small, st.integers(0, 3), seeds)
def test_subsample(
    n: int, height: int, width: int, c: int, stride: int, more: int, seed: int
) -> None:
    x = normal(seed, n, height, width, c)
    output, _ = layers.subsample(x, stride=stride, outputs=c + more)
    assert output.shape == (n, -(-height // stride), -(-width // stride), c + more)
    for image, row, column, channel in np.ndindex(output.shape):
        expected = x[image, row * stride, column * stride, channel] if channel < c else 0
        assert output[image, row, column, channel] == expected
    check_gradients(lambda x: layers.subsample(x, stride=stride, outputs=c + more), x=x)


Shape = tuple[int, ...]
shapes_to_normalise = st.tuples(st.integers(2, 4), small, small, small) | st.tuples(
    st.integers(2, 5), small
)


@unhurried
@given(shapes_to_normalise, seeds)
def test_batch_norm_in_training(shape: Shape, seed: int) -> None:
    """By hand, channel by channel: biased variance inside, unbiased into the running one."""
    c = shape[-1]
    x, scale, bias = 3 + spaced(seed, *shape), normal(seed + 1, c), normal(seed + 2, c)
    mean, variance = normal(seed + 3, c), np.exp(normal(seed + 4, c))
    output, _, running = layers.batch_norm_training(x, scale, bias, mean, variance)
    for channel in range(c):
        values = x[..., channel].ravel().tolist()
        m = sum(values) / len(values)
        squares = sum((value - m) ** 2 for value in values)
        v = squares / len(values)
        expected = (x[..., channel] - m) / np.sqrt(v + 1e-5) * scale[channel] + bias[channel]
        np.testing.assert_allclose(output[..., channel], expected, rtol=1e-10, atol=1e-10)
        unbiased = squares / (len(values) - 1)
        assert running["mean"][channel] == pytest.approx(0.9 * mean[channel] + 0.1 * m)
        assert running["variance"][channel] == pytest.approx(
            0.9 * variance[channel] + 0.1 * unbiased
        )
    assert set(running) == {"mean", "variance"}


@unhurried
@given(shapes_to_normalise, seeds)
def test_gradients_of_batch_norm_in_training(shape: Shape, seed: int) -> None:
    c = shape[-1]

    def batch_norm(x: Array, scale: Array, bias: Array) -> tuple[Array, Backward]:
        return layers.batch_norm_training(x, scale, bias, np.zeros(c), np.ones(c))[:2]

    check_gradients(
        batch_norm,
        # Ten times as far apart: two values near each other bend z more than a step can follow.
        x=10 * spaced(seed, *shape),
        scale=normal(seed + 1, c),
        bias=normal(seed + 2, c),
    )


@unhurried
@given(shapes_to_normalise, seeds)
def test_batch_norm_in_evaluation(shape: Shape, seed: int) -> None:
    c = shape[-1]
    x, scale, bias = normal(seed, *shape), normal(seed + 1, c), normal(seed + 2, c)
    mean, variance = normal(seed + 3, c), np.exp(normal(seed + 4, c))

    def batch_norm(x: Array, scale: Array, bias: Array) -> tuple[Array, Backward]:
        return layers.batch_norm_evaluation(x, scale, bias, mean, variance)

    for channel in range(c):
        z = (x[..., channel] - mean[channel]) / (variance[channel] + 1e-5) ** 0.5
        np.testing.assert_allclose(
            batch_norm(x, scale, bias)[0][..., channel],
            z * scale[channel] + bias[channel],
            rtol=1e-10,
            atol=1e-10,
        )
    check_gradients(batch_norm, x=x, scale=scale, bias=bias)


def test_equal_values_are_normalised_to_zero_and_one_value_is_refused() -> None:
    one, zero = np.ones(1), np.zeros(1)
    x = np.full((4, 1), 0.5)
    output, backward, running = layers.batch_norm_training(x, one, zero, zero, one)
    assert output.tolist() == [[0]] * 4
    d_x, _ = backward(np.array([[1.0], [0], [0], [0]]))
    assert d_x[0, 0] == pytest.approx(0.75 / np.sqrt(EPSILON))
    assert running["variance"].tolist() == [0.9]
    with pytest.raises(ValueError, match="more than one value"):
        layers.batch_norm_training(x[:1], one, zero, zero, one)


def labels_of(seed: int, n: int, classes: int) -> NDArray[np.int32]:
    return np.random.default_rng(seed).integers(0, classes, n).astype(np.int32)


@unhurried
@given(st.integers(1, 4), st.integers(2, 10), seeds, st.floats(0, 20))
def test_cross_entropy_is_log_sum_exp_less_the_labels_logit(
    n: int, classes: int, seed: int, size: float
) -> None:
    logits, labels = size * normal(seed, n, classes), labels_of(seed, n, classes)
    loss, d_logits = layers.softmax_cross_entropy(logits, labels)
    each = [
        np.log(np.exp(row).sum()) - row[label] for row, label in zip(logits, labels, strict=True)
    ]
    assert loss == pytest.approx(sum(each) / n, abs=1e-12)
    numeric = slopes(lambda value: layers.softmax_cross_entropy(value, labels)[0], logits)
    np.testing.assert_allclose(d_logits, numeric, rtol=1e-6, atol=1e-8)


def test_extreme_logits_neither_overflow_nor_lose_the_loss() -> None:
    logits = np.array([[1e4, -1e4, 0], [-1e300, 0, 0], [1e300, 1e300, 0], [-800, -801, -1000]])
    labels = np.array([1, 1, 0, 0], np.int32)
    expected = [2e4, np.log(2), np.log(2), np.log1p(np.exp(-1))]
    for row, label, loss in zip(logits, labels, expected, strict=True):
        found, d_logits = layers.softmax_cross_entropy(row[np.newaxis], np.array([label]))
        assert found == pytest.approx(loss, rel=1e-12)
        assert np.isfinite(d_logits).all()
    assert layers.softmax_cross_entropy(logits, labels)[0] == pytest.approx(np.mean(expected))
    # The label's own logit far above the others: the loss is 0, not the log of a rounded 1.
    assert layers.softmax_cross_entropy(logits[:1], np.array([0], np.int32))[0] == 0
