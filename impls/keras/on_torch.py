"""What Keras' users do differently on its PyTorch backend."""

import re
from collections.abc import Callable
from typing import Any

import grain
import numpy as np
import torch
from numpy.typing import NDArray

from bench.contract import Trial

TRACED = False
"""Whether Python runs a training step only to have it compiled."""

FORMAT = "grain"
"""What ``image_dataset_from_directory`` makes."""


def endless(batches: grain.IterDataset) -> grain.IterDataset:
    """What ``image_dataset_from_directory`` makes, epoch after epoch in the same order."""
    return grain.experimental.RepeatIterDataset(batches)


def fed(images: NDArray[np.uint8], labels: NDArray[np.int32], batch_size: int) -> dict[str, Any]:
    """Arguments of ``fit``: NumPy's arrays, of which Keras moves one batch after the other."""
    return {"x": images, "y": labels, "batch_size": batch_size}


def finish(results: object) -> None:
    """Wait until ``results`` are computed; a CPU has them when a call returns."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_device_bytes() -> int | None:
    """The most memory of a GPU held so far."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None


def compiled(function: Callable) -> Callable:
    """A function as Keras compiles a step: not at all."""
    return function


def copy(values: torch.Tensor) -> torch.Tensor:
    """The same in other memory."""
    return values.clone()


def libraries() -> dict[str, str]:
    """PyTorch's version, and those of the native libraries it computes with."""
    found = {"backend": f"torch {torch.__version__}"}
    if onednn := re.search(r"MKL-DNN v([\d.]+)", torch.__config__.show()):
        found["oneDNN"] = onednn[1]
    if torch.version.cuda and torch.cuda.is_available():
        found["CUDA"] = torch.version.cuda
        found["cuDNN"] = str(torch.backends.cudnn.version())
    return found


def settings(trial: Trial) -> None:
    """Set what holds for the process. Raises ``RuntimeError`` when the device is not there."""
    if trial.device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("PyTorch, Keras' backend, sees no CUDA device")
    if trial.cap:
        torch.cuda.set_per_process_memory_fraction(trial.cap.share)
    torch.set_num_threads(trial.threads)
    if torch.get_num_interop_threads() != 1:  # may be set once in a process
        torch.set_num_interop_threads(1)
    # By default convolutions on a GPU use TF32, which is not float32: 10 bits of mantissa, not 23;
    # matrix products do not (https://docs.pytorch.org/docs/stable/notes/cuda.html). The newer
    # torch.backends.fp32_precision leaves convolutions as they are in PyTorch 2.11.
    tf32 = trial.precision == "tf32"
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
