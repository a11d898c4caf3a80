"""Canonical initial weights: drawn by NumPy from a seed, the same for every framework."""

from math import prod

import numpy as np
from numpy.typing import NDArray

from bench.workloads import weight_shapes


def initial_weights(network: str, seed: int) -> dict[str, NDArray[np.float32]]:
    """Draw the weights every implementation of ``network`` starts from.

    Kernels and biases are uniform on [-1/sqrt(n), 1/sqrt(n)], n being the values that enter one
    output (size * size * inputs, or inputs). It is PyTorch's default for convolutions and linear
    layers (formula: the ``Variables`` section of the ``torch.nn.Conv2d`` and ``torch.nn.Linear``
    documentation), chosen because the article's networks were written for it.

    Returns float32 arrays by canonical name, in layer order, in the canonical layouts of
    ``bench.workloads``. Raises ``KeyError`` for an unknown network.
    """
    generator = np.random.default_rng([seed, _STREAM])
    shapes = weight_shapes(network)
    weights = {}
    for name, shape in shapes.items():
        kernel = shapes[name.rpartition(".")[0] + ".kernel"]
        bound = 1.0 / np.sqrt(prod(kernel[:-1]))
        weights[name] = generator.uniform(-bound, bound, shape).astype(np.float32)
    return weights


_STREAM = 1
"""Keeps the weights' random numbers apart from those of the batch order (``bench.data``)."""
