"""Trains the networks with PyTorch, the way its CIFAR-10 tutorial does.

Tutorial: https://docs.pytorch.org/tutorials/beginner/blitz/cifar10_tutorial.html (PyTorch 2.15).
Modes: ``eager`` is that loop; ``channels-last`` the same in another memory layout; ``compile`` puts
the forward pass and the loss through ``torch.compile``; ``compile-graphs`` also has it replay CUDA
graphs. Last measured at: the tables in README.md.
"""

import re
from bisect import bisect
from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from typing import NamedTuple, final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from bench.contract import CONV_CHANNELS, KERNELS, Floats, Trainer, Trial, check_weights
from bench.workloads import Optimizer, weight_shapes
from impls.pytorch.networks import NETWORKS


@final
class PyTorchTrainer:
    """Keeps the data set on the device as ``[N, 3, 32, 32]``, as PyTorch's layers expect it."""

    def __init__(self, trial: Trial) -> None:
        self.mode = MODES[trial.mode]
        self.device = torch.device(trial.device)
        self.workload = trial.workload
        self.shapes = weight_shapes(trial.workload.network)
        dtype = torch.float64 if trial.precision == "fp64" else torch.float32
        self.model = NETWORKS[trial.workload.network]().to(
            self.device, dtype, memory_format=self.mode.layout
        )
        if not trial.workload.dropout:
            disable_dropout(self.model)
        # Here, too, because the first optimizer of a process imports torch._dynamo: that is part of
        # what building takes.
        self.optimizer = sgd(self.model, self.workload.optimizer)
        # Convolutions and matrix products in bfloat16, the loss in float32
        # (https://docs.pytorch.org/docs/stable/amp.html).
        self.autocast = torch.autocast(
            trial.device, torch.bfloat16, enabled=trial.precision == "bf16"
        )
        self.loss = self.mode.compile(loss)
        self.compiled_before = 0 if self.loss is loss else graphs_compiled()

    def load_data(self, images: NDArray[np.uint8], labels: NDArray[np.int32], /) -> None:
        self.images = channels_first(images).to(self.device, memory_format=self.mode.layout)
        self.labels = torch.tensor(labels, dtype=torch.int64, device=self.device)

    def load_weights(self, weights: Mapping[str, Floats], /) -> None:
        check_weights(weights, self.shapes)
        self.model.load_state_dict(self.model.state_dict() | from_canonical(weights))
        self.optimizer = sgd(self.model, self.workload.optimizer)
        self.schedulers = schedulers(self.optimizer, self.workload.optimizer)

    def weights(self) -> dict[str, Floats]:
        held = to_canonical(self.model.state_dict())
        return {name: held[name] for name in self.shapes}

    def train(self, batches: NDArray[np.int32], /) -> float:
        self.model.train()
        losses = []
        for batch in torch.from_numpy(batches).to(self.device):
            loss = self.step(self.images[batch], self.labels[batch])
            # Cloned, because a CUDA graph writes its next results to the same memory.
            losses.append(loss.clone())
        mean = torch.stack(losses).mean().item()
        synchronize(self.device)
        return mean

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Update the weights once; the mean loss of the batch."""
        self.optimizer.zero_grad()
        with self.autocast:
            loss = self.loss(self.model, images, labels)
        loss.backward()
        self.optimizer.step()
        for scheduler in self.schedulers:
            scheduler.step()
        return loss.detach()

    @torch.inference_mode()
    def logits(self, images: NDArray[np.uint8], /) -> Floats:
        self.model.eval()
        pixels = channels_first(images).to(self.device, memory_format=self.mode.layout)
        pixels = scale(pixels, self.model)
        with self.autocast:
            logits = self.model(pixels)
        return logits.to(pixels.dtype).cpu().numpy()

    def peak_device_bytes(self) -> int | None:
        if self.device.type == "cpu":
            return None
        return torch.cuda.max_memory_allocated(self.device)

    def compilations(self) -> int | None:
        if self.loss is loss:
            return None
        return graphs_compiled() - self.compiled_before


def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of a batch."""
    return F.cross_entropy(model(scale(images, model)), labels)


def scale(images: Tensor, model: nn.Module) -> Tensor:
    """Pixels to 0..1, on the device, in the type the model computes in."""
    return images.to(model.conv1.weight.dtype) * (1 / 255)


class Mode(NamedTuple):
    """What differs between the modes."""

    compile: Callable[[Callable], Callable]
    layout: torch.memory_format
    benchmark: bool
    """Whether cuDNN tries out its algorithms, for each shape once."""


def operations(function: Callable) -> Callable:
    """Nothing compiled."""
    return function


# By default what cannot be compiled is quietly run as it is, and so is a function that was compiled
# for eight models before (https://docs.pytorch.org/docs/2.15/generated/torch.compile.html), which
# PyTorch 2.11 has no option for: there the ninth fails.
ISOLATED = {"isolate_recompiles"} & signature(torch.compile).parameters.keys()
compiled = partial(torch.compile, fullgraph=True, **dict.fromkeys(ISOLATED, True))

MODES = {
    # By default a heuristic chooses cuDNN's algorithms, and in the tutorial it does. In the other
    # modes they are tried out, as in TensorFlow and XLA by default
    # (https://docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html).
    "eager": Mode(operations, torch.contiguous_format, benchmark=False),
    # https://docs.pytorch.org/tutorials/intermediate/memory_format_tutorial.html. On a thread of a
    # CPU a step took 0.76 of eager's time for listing3, and 1.06 of it for listing1.
    "channels-last": Mode(operations, torch.channels_last, benchmark=True),
    # The loss, not the step: torch.compile breaks its graph at backward() and zero_grad(), and with
    # the optimizer compiled as well a step took as long (listing1, one thread of a CPU: 1.00 of the
    # time). Channels stay first, because last took as long, too (listing1: 0.99, listing3: 1.00).
    "compile": Mode(compiled, torch.contiguous_format, benchmark=True),
    "compile-graphs": Mode(
        partial(compiled, mode="reduce-overhead"), torch.contiguous_format, benchmark=True
    ),
}


def graphs_compiled() -> int:
    """By all trainers of this process so far."""
    # Not at the top, where it would double the time that importing PyTorch takes.
    from torch._dynamo.utils import counters

    return counters["stats"]["unique_graphs"]


def disable_dropout(model: nn.Module) -> None:
    """Let dropout layers pass everything on."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0


def sgd(model: nn.Module, optimizer: Optimizer) -> torch.optim.SGD:
    """PyTorch's own SGD; weight decay, which it adds to the gradient, for kernels only."""
    kernels = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim == 1]
    return torch.optim.SGD(
        [{"params": kernels, "weight_decay": optimizer.weight_decay}, {"params": others}],
        lr=optimizer.learning_rate,
        momentum=optimizer.momentum,
        nesterov=optimizer.nesterov,
    )


def schedulers(sgd: torch.optim.SGD, optimizer: Optimizer) -> list[LambdaLR]:
    """What sets the learning rate, step by step; nothing where it is constant."""
    if not optimizer.schedule:
        return []
    boundaries, factors = zip((0, 1.0), *optimizer.schedule, strict=True)
    return [LambdaLR(sgd, lambda step: factors[bisect(boundaries, step) - 1])]


def channels_first(images: NDArray[np.uint8]) -> Tensor:
    """``[N, h, w, c]`` to ``[N, c, h, w]``."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished; a CPU has when the call returns."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def from_canonical(weights: Mapping[str, Floats]) -> dict[str, Tensor]:
    """Canonical weights as a PyTorch state dictionary.

    PyTorch keeps convolutions as ``[outputs, inputs, height, width]`` and linear layers as
    ``[outputs, inputs]``, and flattens channels first: the rows of the first dense layer, which
    are ordered height, width, channels, are put in the order channels, height, width.
    """
    state = {}
    for name, value in weights.items():
        layer, _, kind = name.rpartition(".")
        if value.ndim == 4:
            channels = value.shape[3]
            value = value.transpose(3, 2, 0, 1)
        elif layer == "dense1" and kind == "kernel":
            side = round((value.shape[0] / channels) ** 0.5)
            rows = value.reshape(side, side, channels, -1).transpose(2, 0, 1, 3)
            value = rows.reshape(value.shape).T
        elif kind == "kernel":
            value = value.T
        state[f"{layer}.{NAMES[kind]}"] = torch.from_numpy(np.ascontiguousarray(value))
    return state


def to_canonical(state: Mapping[str, Tensor]) -> dict[str, Floats]:
    """The inverse of ``from_canonical``."""
    weights = {}
    for name, tensor in state.items():
        layer, _, held = name.rpartition(".")
        value = tensor.detach().cpu().numpy()
        if value.ndim == 4:
            channels = value.shape[0]
            value = value.transpose(2, 3, 1, 0)
        elif layer == "dense1" and held == "weight":
            side = round((value.shape[1] / channels) ** 0.5)
            rows = value.T.reshape(channels, side, side, -1).transpose(1, 2, 0, 3)
            value = rows.reshape(value.shape[1], -1)
        elif value.ndim == 2:
            value = value.T
        for kind in KINDS.get((held, value.ndim > 1), ()):
            weights[f"{layer}.{kind}"] = np.array(value, order="C")
    return weights


NAMES = {
    "kernel": "weight",
    "bias": "bias",
    "scale": "weight",
    "mean": "running_mean",
    "variance": "running_var",
}
KINDS = {(held, kind == "kernel"): (kind,) for kind, held in NAMES.items()}
"""PyTorch's name, and whether it has more than one axis, to ours; its batch counter has none."""


def libraries() -> dict[str, str]:
    """Versions of the native libraries PyTorch computes with."""
    found = {}
    if onednn := re.search(r"MKL-DNN v([\d.]+)", torch.__config__.show()):
        found["oneDNN"] = onednn[1]
    if torch.version.cuda and torch.cuda.is_available():
        found["CUDA"] = torch.version.cuda
        found["cuDNN"] = str(torch.backends.cudnn.version())
    return found


def kernels(trial: Trial) -> dict[str, Callable[[], None]]:
    """The work of ``bench.contract.KERNELS``, each a function that returns when it is done."""
    settings(trial)
    sizes, device = KERNELS[trial.device], torch.device(trial.device)
    dtype = torch.bfloat16 if trial.precision == "bf16" else torch.float32
    random = partial(torch.rand, dtype=dtype, device=device)
    a, b = random(sizes["matmul"], sizes["matmul"]), random(sizes["matmul"], sizes["matmul"])
    layout = {"memory_format": MODES[trial.mode].layout}
    images = random(sizes["conv"], CONV_CHANNELS, 32, 32).to(**layout)
    kernel = random(CONV_CHANNELS, CONV_CHANNELS, 3, 3).to(**layout)
    data = torch.zeros(sizes["copy"], dtype=torch.uint8, device=device)

    def finished(work: Callable[[], Tensor]) -> Callable[[], None]:
        def run() -> None:
            work()
            synchronize(device)

        return run

    return {
        "matmul": finished(lambda: torch.matmul(a, b)),
        "conv": finished(lambda: F.conv2d(images, kernel, padding=1)),
        "copy": finished(data.clone),
    }


def settings(trial: Trial) -> None:
    """Set what holds for the process. Raises ``RuntimeError`` when the device is not there."""
    if trial.device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("PyTorch sees no CUDA device")
    if trial.cap:
        torch.cuda.set_per_process_memory_fraction(trial.cap.share)
    torch.set_num_threads(trial.threads)
    if torch.get_num_interop_threads() != 1:  # may be set once in a process
        torch.set_num_interop_threads(1)
    # By default convolutions on a GPU use TF32, which is not float32: 10 bits of mantissa, not 23;
    # matrix products do not (https://docs.pytorch.org/docs/stable/notes/cuda.html). The newer
    # torch.backends.fp32_precision leaves convolutions as they are in PyTorch 2.11, and to read
    # these, as TorchInductor does, is then an error.
    tf32 = trial.precision == "tf32"
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = MODES[trial.mode].benchmark


def build(trial: Trial) -> Trainer:
    """A trainer for ``trial``. Raises ``RuntimeError`` when its device is not there."""
    settings(trial)
    return PyTorchTrainer(trial)
