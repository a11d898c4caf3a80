"""The article's networks, as lists of layers that know their own gradients."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[Any]
"""Of float32, or of float64 where that is asked for."""
Weights = Mapping[str, Array]
Gradients = dict[str, Array]


class Conv:
    """3x3, with so many pixels of zeros around."""

    def __init__(self, name: str, padding: int) -> None:
        self.name, self.padding = name, padding

    def forward(self, x: Array, weights: Weights) -> Array:
        p = self.padding
        self.padded = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
        kernel = weights[f"{self.name}.kernel"]
        windows = sliding_window_view(self.padded, (3, 3), (1, 2)).transpose(0, 1, 2, 4, 5, 3)
        self.columns = windows.reshape(*windows.shape[:3], -1)
        return self.columns @ kernel.reshape(-1, kernel.shape[3]) + weights[f"{self.name}.bias"]

    def backward(self, d: Array, weights: Weights, gradients: Gradients) -> Array:
        kernel = weights[f"{self.name}.kernel"]
        gradients[f"{self.name}.bias"] = d.sum((0, 1, 2))
        found = np.tensordot(self.columns, d, ((0, 1, 2), (0, 1, 2)))
        gradients[f"{self.name}.kernel"] = found.reshape(kernel.shape)
        _, height, width, _ = d.shape
        d_padded = np.zeros_like(self.padded)
        for row in range(3):
            for column in range(3):
                part = d_padded[:, row : row + height, column : column + width]
                part += d @ kernel[row, column].T
        p = self.padding
        return d_padded[:, p : p + height + 2 - 2 * p, p : p + width + 2 - 2 * p]


class Relu:
    """The larger of a value and 0."""

    def forward(self, x: Array, _weights: Weights) -> Array:
        self.positive = x > 0
        return np.where(self.positive, x, x.dtype.type(0))

    def backward(self, d: Array, _weights: Weights, _gradients: Gradients) -> Array:
        return d * self.positive


class MaxPool:
    """The largest of 2x2; where several are, the first."""

    def forward(self, x: Array, _weights: Weights) -> Array:
        n, height, width, channels = x.shape
        blocks = x.reshape(n, height // 2, 2, width // 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
        four = blocks.reshape(n, height // 2, width // 2, 4, channels)
        self.shape, self.first = x.shape, four.argmax(3)[:, :, :, None]
        return np.take_along_axis(four, self.first, 3)[:, :, :, 0]

    def backward(self, d: Array, _weights: Weights, _gradients: Gradients) -> Array:
        n, height, width, channels = self.shape
        four = np.zeros((n, height // 2, width // 2, 4, channels), d.dtype)
        np.put_along_axis(four, self.first, d[:, :, :, None], 3)
        blocks = four.reshape(n, height // 2, width // 2, 2, 2, channels)
        return blocks.transpose(0, 1, 3, 2, 4, 5).reshape(self.shape)


class Flatten:
    """Height, width, channels in a row."""

    def forward(self, x: Array, _weights: Weights) -> Array:
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, d: Array, _weights: Weights, _gradients: Gradients) -> Array:
        return d.reshape(self.shape)


class Dense:
    """Fully connected."""

    def __init__(self, name: str) -> None:
        self.name = name

    def forward(self, x: Array, weights: Weights) -> Array:
        self.x = x
        return x @ weights[f"{self.name}.kernel"] + weights[f"{self.name}.bias"]

    def backward(self, d: Array, weights: Weights, gradients: Gradients) -> Array:
        gradients[f"{self.name}.kernel"] = self.x.T @ d
        gradients[f"{self.name}.bias"] = d.sum(0)
        return d @ weights[f"{self.name}.kernel"].T


Layer = Conv | Relu | MaxPool | Flatten | Dense


def listing1() -> list[Layer]:
    return [
        *(Conv("conv1", padding=0), Relu()),
        *(Conv("conv2", padding=0), Relu()),
        *(Flatten(), Dense("dense1"), Relu(), Dense("dense2")),
    ]


def listing3() -> list[Layer]:
    return [
        *(Conv("conv1", padding=1), Relu(), MaxPool()),
        *(Conv("conv2", padding=1), Relu(), MaxPool()),
        *(Flatten(), Dense("dense1"), Relu(), Dense("dense2")),
    ]


NETWORKS = {"listing1": listing1, "listing3": listing3}
