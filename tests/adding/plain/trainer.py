"""Trains the article's networks with NumPy. Its only mode, ``loop``, computes layer by layer."""

from collections.abc import Callable, Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from bench.contract import CONV_CHANNELS, KERNELS, Floats, Trainer, Trial, check_weights
from bench.workloads import weight_shapes

from .networks import NETWORKS, Array, Conv, Gradients


@final
class PlainTrainer:
    """Keeps the data set as it is."""

    def __init__(self, trial: Trial) -> None:
        self.dtype: type[Any] = np.float64 if trial.precision == "fp64" else np.float32
        self.optimizer = trial.workload.optimizer
        self.shapes = weight_shapes(trial.workload.network)
        self.layers = NETWORKS[trial.workload.network]()

    def load_data(self, images: NDArray[np.uint8], labels: NDArray[np.int32], /) -> None:
        self.images, self.labels = images, labels

    def load_weights(self, weights: Mapping[str, Floats], /) -> None:
        check_weights(weights, self.shapes)
        self.held = {name: np.array(weights[name], self.dtype) for name in self.shapes}
        self.velocities = {name: np.zeros_like(value) for name, value in self.held.items()}
        self.step = 0

    def weights(self) -> dict[str, Floats]:
        return {name: value.copy() for name, value in self.held.items()}

    def train(self, batches: NDArray[np.int32], /) -> float:
        return float(np.mean([self.train_step(batch) for batch in batches]))

    def train_step(self, batch: NDArray[np.int32]) -> float:
        logits = self.forward(self.images[batch])
        shifted = logits - logits.max(1, keepdims=True)
        shares = np.exp(shifted)
        shares /= shares.sum(1, keepdims=True)
        rows, labels = np.arange(len(batch)), self.labels[batch]
        loss = -np.log(shares[rows, labels]).mean()
        shares[rows, labels] -= 1
        d: Array = shares / self.dtype(len(batch))
        gradients: Gradients = {}
        for layer in reversed(self.layers):
            d = layer.backward(d, self.held, gradients)
        self.update(gradients)
        return float(loss)

    def update(self, gradients: Gradients) -> None:
        """Stochastic gradient descent as ``bench.workloads.Optimizer`` has it."""
        optimizer = self.optimizer
        factors = [1.0, *(factor for start, factor in optimizer.schedule if start <= self.step)]
        rate = self.dtype(optimizer.learning_rate * factors[-1])
        momentum = self.dtype(optimizer.momentum)
        for name, g in gradients.items():
            w, v = self.held[name], self.velocities[name]
            if name.endswith(".kernel"):
                g = g + self.dtype(optimizer.weight_decay) * w
            v[...] = momentum * v + g
            w -= rate * (g + momentum * v if optimizer.nesterov else v)
        self.step += 1

    def forward(self, images: NDArray[np.uint8]) -> Array:
        x: Array = images.astype(self.dtype) * self.dtype(1 / 255)
        for layer in self.layers:
            x = layer.forward(x, self.held)
        return x

    def logits(self, images: NDArray[np.uint8], /) -> Floats:
        return self.forward(images)

    def peak_device_bytes(self) -> int | None:
        return None

    def compilations(self) -> int | None:
        return None


def libraries() -> dict[str, str]:
    """None beside NumPy's own."""
    return {}


def kernels(trial: Trial) -> dict[str, Callable[[], None]]:
    """The work of ``bench.contract.KERNELS``."""
    sizes = KERNELS[trial.device]
    a = np.ones((sizes["matmul"], sizes["matmul"]), np.float32)
    images = np.ones((sizes["conv"], 32, 32, CONV_CHANNELS), np.float32)
    layer = Conv("conv", padding=1)
    weights = {
        "conv.kernel": np.ones((3, 3, CONV_CHANNELS, CONV_CHANNELS), np.float32),
        "conv.bias": np.zeros(CONV_CHANNELS, np.float32),
    }
    data = np.zeros(sizes["copy"], np.uint8)

    def done(work: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            work()

        return run

    return {
        "matmul": done(lambda: a @ a),
        "conv": done(lambda: layer.forward(images, weights)),
        "copy": done(data.copy),
    }


def build(trial: Trial) -> Trainer:
    """A trainer for ``trial``. Raises ``RuntimeError`` for any device but a CPU."""
    if trial.device != "cpu":
        raise RuntimeError("NumPy computes on a CPU only")
    return PlainTrainer(trial)
