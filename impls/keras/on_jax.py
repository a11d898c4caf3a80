"""What Keras' users do differently on its JAX backend."""

import os
from collections.abc import Callable
from typing import Any

import grain
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import backend
from numpy.typing import NDArray

from bench.contract import Trial

TRACED = True
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
    """Wait until ``results`` are computed."""
    jax.block_until_ready(results)


def peak_device_bytes() -> int | None:
    """The most memory of a GPU held so far."""
    statistics = jax.devices()[0].memory_stats()
    return statistics["peak_bytes_in_use"] if statistics else None


def compiled(function: Callable) -> Callable:
    """A function as Keras compiles a step."""
    return jax.jit(function)


def copy(values: jax.Array) -> jax.Array:
    """The same in other memory."""
    return jnp.copy(values)


def libraries() -> dict[str, str]:
    """JAX' version, and what it reports of the platform it computes on."""
    return {
        "backend": f"jax {jax.__version__}",
        "XLA platform": backend.get_backend().platform_version,
    }


def settings(trial: Trial) -> None:
    """Set what holds for the process. Raises ``RuntimeError`` when the device is not there."""
    # JAX has no call for these; they are read when the first device is asked for. Threads: JAX
    # follows the process's affinity, and this variable in the place of the machine's core count.
    os.environ["PJRT_NPROC"] = str(trial.threads)
    # By default JAX takes 75% of a GPU's memory at once, which would say nothing about use.
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "true" if trial.cap else "false"
    if trial.cap:
        os.environ["XLA_CLIENT_MEM_FRACTION"] = str(trial.cap.share)
    jax.config.update("jax_default_device", jax.devices(trial.device)[0])
    # The default lets a GPU use TF32, which is not float32: 10 bits of mantissa, not 23
    # (https://docs.jax.dev/en/latest/_autosummary/jax.default_matmul_precision.html).
    products = "tensorfloat32" if trial.precision == "tf32" else "highest"
    jax.config.update("jax_default_matmul_precision", products)
    jax.config.update("jax_enable_x64", trial.precision == "fp64")  # else float64 becomes float32
