"""What Keras' users do differently on its TensorFlow backend."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from bench.contract import Trial

TRACED = True
"""Whether Python runs a training step only to have it compiled."""

FORMAT = "tf"
"""What ``image_dataset_from_directory`` makes."""


def endless(batches: tf.data.Dataset) -> tf.data.Dataset:
    """What ``image_dataset_from_directory`` makes, epoch after epoch."""
    return batches.repeat()


def fed(images: NDArray[np.uint8], labels: NDArray[np.int32], batch_size: int) -> dict[str, Any]:
    """Arguments of ``fit``: the data, batch by batch, through tf.data."""
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).batch(batch_size).prefetch(2)
    return {"x": batches.with_options(without_autotuning())}


def without_autotuning() -> tf.data.Options:
    """Options for a data set that is ready in memory, where there is nothing to tune.

    By default an iterator, at its end, waits for tf.data's tuner to wake up, 10 ms, 20 ms, 40 ms...
    after one another: with TensorFlow 2.21, ``fit`` on arrays took 2.59 s (10 ms * 255 and a bit)
    for an epoch of 1.6 s in 7 cases of 9, and 83.6 s for one of 38 s.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def finish(results: object) -> None:
    """Wait until ``results`` are computed."""
    tf.test.experimental.sync_devices()


def peak_device_bytes() -> int | None:
    """The most memory of a GPU held so far."""
    if not tf.config.list_physical_devices("GPU"):
        return None
    return tf.config.experimental.get_memory_info("GPU:0")["peak"]


def compiled(function: Callable) -> Callable:
    """A function as Keras compiles a step."""
    return tf.function(function)


def copy(values: tf.Tensor) -> tf.Tensor:
    """Not ``keras.ops.copy``, which copies nothing here."""
    return tf.raw_ops.DeepCopy(x=values)


def libraries() -> dict[str, str]:
    """TensorFlow's version, and those of the native libraries it computes with."""
    build = tf.sysconfig.get_build_info()
    found = {"backend": f"tensorflow {tf.__version__}"}
    # TensorFlow has no call that tells oneDNN's version; the headers it ships with do.
    for header in Path(tf.sysconfig.get_include()).glob("external/onednn/**/dnnl_version.h"):
        found["oneDNN"] = ".".join(re.findall(r"DNNL_VERSION_[A-Z]+ (\d+)", header.read_text()))
    if build["is_cuda_build"] and tf.config.list_physical_devices("GPU"):
        found["CUDA"] = build["cuda_version"]
        found["cuDNN"] = build["cudnn_version"]
    return found


def settings(trial: Trial) -> None:
    """Set what holds for the process. Raises ``RuntimeError`` when the device is not there."""
    gpus = tf.config.list_physical_devices("GPU")
    if trial.device == "cuda" and not gpus:
        raise RuntimeError("TensorFlow, Keras' backend, sees no CUDA device")
    for gpu in gpus:
        if trial.cap:
            limit = tf.config.LogicalDeviceConfiguration(memory_limit=trial.cap.bytes / 2**20)
            tf.config.set_logical_device_configuration(gpu, [limit])
        else:
            # By default TensorFlow takes all of the device's memory: that says nothing about use.
            tf.config.experimental.set_memory_growth(gpu, enable=True)
    tf.config.threading.set_intra_op_parallelism_threads(trial.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    # On by default, and not float32: 10 bits of mantissa, not 23
    # (https://www.tensorflow.org/api_docs/python/tf/config/experimental/enable_tensor_float_32_execution).
    tf.config.experimental.enable_tensor_float_32_execution(enabled=trial.precision == "tf32")
