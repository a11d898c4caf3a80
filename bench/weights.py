"""Canonical initial weights: drawn by NumPy from a seed, the same for every framework."""

from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray

from bench.workloads import describe


def initial_weights(network: str, seed: int) -> dict[str, NDArray[np.float32]]:
    """Draw the weights every implementation of ``network`` starts from.

    With n the number of values that enter one output (size * size * inputs, or inputs):

    - kernels and biases are uniform on [-1/sqrt(n), 1/sqrt(n)], PyTorch's default for convolutions
      and linear layers (formula: the ``Variables`` section of the ``torch.nn.Conv2d`` and
      ``torch.nn.Linear`` documentation), because the article's networks were written for it;
    - kernels of convolutions without bias, which a normalisation follows, are normal with standard
      deviation sqrt(2/n) (He et al., arXiv:1502.01852, as their residual networks use it);
    - scales and running variances are 1, a normalisation's biases and running means 0.

    Returns float32 arrays by canonical name, in layer order, in the canonical layouts of
    ``bench.workloads``. Raises ``KeyError`` for an unknown network.
    """
    generator = np.random.default_rng([seed, _STREAM])
    weights = {}
    for layer in describe(network):
        kernel = layer.weights.get(f"{layer.name}.kernel")
        for name, shape in layer.weights.items():
            if kernel is None:
                one = name.endswith((".scale", ".variance"))
                drawn = np.ones(shape) if one else np.zeros(shape)
            elif f"{layer.name}.bias" in layer.weights:
                bound = 1 / sqrt(prod(kernel[:-1]))
                drawn = generator.uniform(-bound, bound, shape)
            else:
                drawn = generator.normal(0, sqrt(2 / prod(kernel[:-1])), shape)
            weights[name] = drawn.astype(np.float32)
    return weights


_STREAM = 1
"""Keeps the weights' random numbers apart from those of the batch order (``bench.data``)."""
