"""Trains the networks with PyTorch, the way its CIFAR-10 tutorial does.

Tutorial: https://docs.pytorch.org/tutorials/beginner/blitz/cifar10_tutorial.html (PyTorch 2.15).
Modes: ``eager`` is that loop; ``compile`` puts the forward pass and the loss through
``torch.compile``. Last measured at: the tables in README.md.
"""

import re
from collections.abc import Mapping
from typing import final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.contract import Trainer, Trial, check_weights
from bench.workloads import weight_shapes
from impls.pytorch.networks import NETWORKS


@final
class PyTorchTrainer:
    """Keeps the data set on the device as ``[N, 3, 32, 32]``, as PyTorch's layers expect it."""

    def __init__(self, trial: Trial) -> None:
        self.device = torch.device(trial.device)
        self.shapes = weight_shapes(trial.workload.network)
        self.model = NETWORKS[trial.workload.network]().to(self.device)
        self.optimizer = torch.optim.SGD(
            self.model.parameters(),
            lr=trial.workload.optimizer.learning_rate,
            momentum=trial.workload.optimizer.momentum,
        )
        self.loss = MODES[trial.mode](loss)

    def load_data(self, images: NDArray[np.uint8], labels: NDArray[np.int32], /) -> None:
        self.images = channels_first(images).to(self.device)
        self.labels = torch.tensor(labels, dtype=torch.int64, device=self.device)

    def load_weights(self, weights: Mapping[str, NDArray[np.float32]], /) -> None:
        check_weights(weights, self.shapes)
        self.model.load_state_dict(from_canonical(weights))
        self.optimizer.state.clear()

    def weights(self) -> dict[str, NDArray[np.float32]]:
        return to_canonical(self.model.state_dict())

    def train(self, batches: NDArray[np.int32], /) -> float:
        self.model.train()
        losses = []
        for batch in torch.from_numpy(batches).to(self.device):
            self.optimizer.zero_grad()
            loss = self.loss(self.model, self.images[batch], self.labels[batch])
            loss.backward()
            self.optimizer.step()
            losses.append(loss.detach())
        mean = torch.stack(losses).mean().item()
        synchronize(self.device)
        return mean

    @torch.inference_mode()
    def logits(self, images: NDArray[np.uint8], /) -> NDArray[np.float32]:
        self.model.eval()
        return self.model(scale(channels_first(images).to(self.device))).cpu().numpy()

    def peak_device_bytes(self) -> int | None:
        if self.device.type == "cpu":
            return None
        return torch.cuda.max_memory_allocated(self.device)


def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of a batch."""
    return F.cross_entropy(model(scale(images)), labels)


def scale(images: Tensor) -> Tensor:
    """Pixels to 0..1, on the device."""
    return images.float() * (1 / 255)


MODES = {"eager": lambda loss: loss, "compile": torch.compile}


def channels_first(images: NDArray[np.uint8]) -> Tensor:
    """``[N, h, w, c]`` to ``[N, c, h, w]``."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished; a CPU has when the call returns."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def from_canonical(weights: Mapping[str, NDArray[np.float32]]) -> dict[str, Tensor]:
    """Canonical weights as a PyTorch state dictionary.

    PyTorch keeps convolutions as ``[outputs, inputs, height, width]`` and linear layers as
    ``[outputs, inputs]``, and flattens channels first: the rows of the first dense layer, which
    are ordered height, width, channels, are put in the order channels, height, width.
    """
    state = {}
    for name, value in weights.items():
        layer, _, kind = name.rpartition(".")
        if kind == "bias":
            state[f"{layer}.bias"] = value
        elif value.ndim == 4:
            state[f"{layer}.weight"] = value.transpose(3, 2, 0, 1)
            channels = value.shape[3]
        elif layer == "dense1":
            side = round((value.shape[0] / channels) ** 0.5)
            rows = value.reshape(side, side, channels, -1).transpose(2, 0, 1, 3)
            state[f"{layer}.weight"] = rows.reshape(value.shape).T
        else:
            state[f"{layer}.weight"] = value.T
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in state.items()}


def to_canonical(state: Mapping[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    """The inverse of ``from_canonical``."""
    weights = {}
    for name, tensor in state.items():
        value = tensor.detach().cpu().numpy()
        layer, _, kind = name.rpartition(".")
        if kind == "bias":
            weights[f"{layer}.bias"] = value
        elif value.ndim == 4:
            weights[f"{layer}.kernel"] = value.transpose(2, 3, 1, 0)
            channels = value.shape[0]
        elif layer == "dense1":
            side = round((value.shape[1] / channels) ** 0.5)
            rows = value.T.reshape(channels, side, side, -1).transpose(1, 2, 0, 3)
            weights[f"{layer}.kernel"] = rows.reshape(value.shape[1], -1)
        else:
            weights[f"{layer}.kernel"] = value.T
    return {name: np.array(value, order="C") for name, value in weights.items()}


def libraries() -> dict[str, str]:
    """Versions of the native libraries PyTorch computes with."""
    found = {}
    if onednn := re.search(r"MKL-DNN v([\d.]+)", torch.__config__.show()):
        found["oneDNN"] = onednn[1]
    if torch.version.cuda and torch.cuda.is_available():
        found["CUDA"] = torch.version.cuda
        found["cuDNN"] = str(torch.backends.cudnn.version())
    return found


def build(trial: Trial) -> Trainer:
    """A trainer for ``trial``. Raises ``RuntimeError`` when its device is not there."""
    if trial.device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("PyTorch sees no CUDA device")
    torch.set_num_threads(trial.threads)
    if torch.get_num_interop_threads() != 1:  # may be set once in a process
        torch.set_num_interop_threads(1)
    # By default convolutions on a GPU use TF32, which is not float32: 10 bits of mantissa, not 23
    # (https://docs.pytorch.org/docs/stable/notes/cuda.html).
    torch.backends.fp32_precision = "ieee"
    return PyTorchTrainer(trial)
