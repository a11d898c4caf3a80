"""The layers, one function each: ``(output, backward)`` from the input and the layer's weights.

``backward`` takes dL/d(output) and returns dL/d(input) and the gradients by the layer's weights,
named by kind (``kernel``, ``bias``, ``scale``). L is any scalar; all arrays are float64. Below, n
is the batch, h and w are height and width, c channels; an ``o`` marks the output's.
"""

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bench.workloads import EPSILON, RUNNING

Array = NDArray[np.float64]
Gradients = dict[str, Array]
Backward = Callable[[Array], tuple[Array, Gradients]]


def conv(
    x: Array, kernel: Array, bias: Array | None, *, stride: int, padding: int
) -> tuple[Array, Backward]:
    """Cross-correlation of ``[n, h, w, c]`` with ``[size, size, c, co]``: ``[n, ho, wo, co]``.

    With P the input, zeros around it::

        y[n, h, w, o] = sum over i, j, c of P[n, stride * h + i, stride * w + j, c] K[i, j, c, o]
        dK[i, j, c, o] = sum over n, h, w of P[n, stride * h + i, stride * w + j, c] dy[n, h, w, o]
        dP[n, stride * h + i, stride * w + j, c] += sum over o of dy[n, h, w, o] K[i, j, c, o]

    the last for all h, w, i, j; ``bias``, where there is one, is added to every pixel.
    """
    _, height, width, _ = x.shape
    size = len(kernel)
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    # A view, [n, ho, wo, i, j, c]. Each product copies it, up to size * size times the input: to
    # keep that copy for the gradient would take more memory than it saves time.
    windows = sliding_window_view(padded, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    windows = windows.transpose(0, 1, 2, 4, 5, 3)
    output = np.tensordot(windows, kernel, axes=3)
    if bias is not None:
        output += bias

    def backward(d_output: Array) -> tuple[Array, Gradients]:
        pixels = (0, 1, 2)
        d_kernel = np.tensordot(d_output, windows, axes=(pixels, pixels))  # [co, i, j, c]
        gradients = {"kernel": np.moveaxis(d_kernel, 0, -1)}
        if bias is not None:
            gradients["bias"] = d_output.sum(axis=pixels)
        d_windows = np.tensordot(d_output, kernel, axes=(3, 3))
        d_padded = np.zeros_like(padded)
        _, down, across, _ = d_output.shape
        for i in range(size):
            for j in range(size):
                rows = slice(i, i + stride * down, stride)
                columns = slice(j, j + stride * across, stride)
                d_padded[:, rows, columns] += d_windows[:, :, :, i, j]
        inside = slice(padding, padding + height), slice(padding, padding + width)
        return d_padded[:, *inside], gradients

    return output, backward


def dense(x: Array, kernel: Array, bias: Array) -> tuple[Array, Backward]:
    """Matrix product plus bias: ``[n, inputs]`` to ``[n, outputs]``.

    y = x K + b; dx = dy K^T, dK = x^T dy, db = sum of dy over n.
    """

    def backward(d_output: Array) -> tuple[Array, Gradients]:
        return d_output @ kernel.T, {"kernel": x.T @ d_output, "bias": d_output.sum(axis=0)}

    return x @ kernel + bias, backward


def relu(x: Array) -> tuple[Array, Backward]:
    """max(x, 0), any shape. dx = dy where x > 0, else 0; at 0 too, as the frameworks have it."""
    positive = x > 0
    return np.where(positive, x, 0.0), lambda d_output: (np.where(positive, d_output, 0.0), {})


def max_pool(x: Array, size: int) -> tuple[Array, Backward]:
    """Maxima of ``[n, h, w, c]`` over squares: ``[n, h // size, w // size, c]``.

    Rows and columns that fill no square are left out. dx = dy at the maximum of each square, the
    first by rows then columns if several are equal (as the frameworks choose), 0 elsewhere.
    """
    values = windows(x, size)
    n, down, across, c, _ = values.shape
    first = values.argmax(axis=-1, keepdims=True)
    output = np.take_along_axis(values, first, axis=-1)[..., 0]

    def backward(d_output: Array) -> tuple[Array, Gradients]:
        d_values = np.zeros((n, down, across, c, size * size))
        np.put_along_axis(d_values, first, d_output[..., np.newaxis], axis=-1)
        d_squares = d_values.reshape(n, down, across, c, size, size).transpose(0, 1, 4, 2, 5, 3)
        d_x = np.zeros_like(x)
        d_x[:, : down * size, : across * size] = d_squares.reshape(n, down * size, across * size, c)
        return d_x, {}

    return output, backward


def windows(x: Array, size: int) -> Array:
    """The squares that ``max_pool`` looks at: ``[n, h // size, w // size, c, size * size]``."""
    n, height, width, c = x.shape
    down, across = height // size, width // size
    inside = x[:, : down * size, : across * size]
    squares = inside.reshape(n, down, size, across, size, c).transpose(0, 1, 3, 5, 2, 4)
    return squares.reshape(n, down, across, c, size * size)


def global_average_pool(x: Array) -> tuple[Array, Backward]:
    """Mean over the pixels: ``[n, h, w, c]`` to ``[n, c]``. dx = dy / (h * w) at every pixel."""
    _, height, width, _ = x.shape

    def backward(d_output: Array) -> tuple[Array, Gradients]:
        share = d_output[:, np.newaxis, np.newaxis] / (height * width)
        return np.broadcast_to(share, x.shape), {}

    return x.mean(axis=(1, 2)), backward


def flatten(x: Array) -> tuple[Array, Backward]:
    """``[n, h, w, c]`` to ``[n, h * w * c]``; dx is dy in the shape of x."""
    return x.reshape(len(x), -1), lambda d_output: (d_output.reshape(x.shape), {})


def subsample(x: Array, *, stride: int, outputs: int) -> tuple[Array, Backward]:
    """Pixels 0, stride, ... of ``[n, h, w, c]``: ``[n, ho, wo, outputs]``; channels c, ... are 0.

    dx = the first c channels of dy at those pixels, 0 elsewhere.
    """
    c = x.shape[-1]
    output = np.pad(x[:, ::stride, ::stride], ((0, 0), (0, 0), (0, 0), (0, outputs - c)))

    def backward(d_output: Array) -> tuple[Array, Gradients]:
        d_x = np.zeros_like(x)
        d_x[:, ::stride, ::stride] = d_output[..., :c]
        return d_x, {}

    return output, backward


def batch_norm_training(
    x: Array, scale: Array, bias: Array, mean: Array, variance: Array, *, copies: int = 1
) -> tuple[Array, Backward, dict[str, Array]]:
    """Normalise ``[..., c]`` by the batch's own statistics; also return the new running ones.

    With m and v a channel's mean and biased variance (over N values), and E a mean over them::

        z = (x - m) / sqrt(v + EPSILON)              y = scale * z + bias
        dscale = sum of dy * z                       dbias = sum of dy
        dx = scale / sqrt(v + EPSILON) * (dy - E[dy] - z * E[dy * z])
        mean     <- (1 - RUNNING) * mean     + RUNNING * m
        variance <- (1 - RUNNING) * variance + RUNNING * v * N / (N - 1)

    ``mean`` and ``variance`` are the running ones and stay as they are. If each row of ``x`` stands
    for as many ``copies``, and dy for the sum of theirs, then means are the same, dx is the sum of
    theirs, and N is so many times larger. Raises ``ValueError`` for N = 1, of which there is no
    unbiased variance.
    """
    count = x.size // x.shape[-1]
    values = copies * count
    if values == 1:
        raise ValueError("batch normalisation needs more than one value per channel in training")
    others = tuple(range(x.ndim - 1))
    batch_mean, batch_variance = x.mean(axis=others), x.var(axis=others)
    deviation = np.sqrt(batch_variance + EPSILON)
    z = (x - batch_mean) / deviation

    def backward(d_output: Array) -> tuple[Array, Gradients]:
        d_scale, d_bias = (d_output * z).sum(axis=others), d_output.sum(axis=others)
        d_x = scale / deviation * (d_output - d_bias / count - z * (d_scale / count))
        return d_x, {"scale": d_scale, "bias": d_bias}

    running = {
        "mean": (1 - RUNNING) * mean + RUNNING * batch_mean,
        "variance": (1 - RUNNING) * variance + RUNNING * batch_variance * (values / (values - 1)),
    }
    return scale * z + bias, backward, running


def batch_norm_evaluation(
    x: Array, scale: Array, bias: Array, mean: Array, variance: Array
) -> tuple[Array, Backward]:
    """Normalise ``[..., c]`` by the running statistics: z = (x - mean) / sqrt(variance + EPSILON).

    y = scale * z + bias; dscale = sum of dy * z; dbias = sum of dy;
    dx = dy * scale / sqrt(variance + EPSILON).
    """
    others = tuple(range(x.ndim - 1))
    deviation = np.sqrt(variance + EPSILON)
    z = (x - mean) / deviation

    def backward(d_output: Array) -> tuple[Array, Gradients]:
        d_scale, d_bias = (d_output * z).sum(axis=others), d_output.sum(axis=others)
        return d_output * (scale / deviation), {"scale": d_scale, "bias": d_bias}

    return scale * z + bias, backward


def softmax_cross_entropy(logits: Array, labels: NDArray[np.int32]) -> tuple[float, Array]:
    """Mean over the batch of log(sum of exp(logits)) - logits[label], and its gradient by logits.

    ``logits`` are ``[n, classes]``, ``labels`` ``[n]``. dlogits = (softmax(logits) - onehot) / n.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)  # exp of it cannot overflow
    exponentials = np.exp(shifted)
    total = exponentials.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = (np.log(total[:, 0]) - shifted[rows, labels]).mean()
    d_logits = exponentials / total
    d_logits[rows, labels] -= 1
    return float(loss), d_logits / len(labels)
