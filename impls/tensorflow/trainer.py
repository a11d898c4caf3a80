"""Trains the networks with TensorFlow's own operations, without Keras.

Tutorial: https://www.tensorflow.org/guide/core/mlp_core (TensorFlow 2.21), variables updated by
hand. Modes: ``graph`` is the tutorial's ``tf.function`` step; ``eager`` the same step without it;
``xla`` the same with ``jit_compile=True``. Last measured at: the tables in README.md.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from bench.contract import Trainer, Trial, check_weights
from bench.workloads import weight_shapes
from impls.tensorflow.networks import NETWORKS


@final
class TensorFlowTrainer:
    """Keeps the data set on the device as ``[N, 32, 32, 3]``."""

    def __init__(self, trial: Trial) -> None:
        self.shapes = weight_shapes(trial.workload.network)
        self.model = NETWORKS[trial.workload.network]()
        self.optimizer = SGD(
            self.model.trainable_variables,
            learning_rate=trial.workload.optimizer.learning_rate,
            momentum=trial.workload.optimizer.momentum,
        )
        self.train_step = MODES[trial.mode](training_step(self.model, self.optimizer))
        self.predict = MODES[trial.mode](lambda images: self.model(scale(images)))

    def load_data(self, images: NDArray[np.uint8], labels: NDArray[np.int32], /) -> None:
        self.images = tf.constant(images)
        self.labels = tf.constant(labels)

    def load_weights(self, weights: Mapping[str, NDArray[np.float32]], /) -> None:
        check_weights(weights, self.shapes)
        for name, variable in variables(self.model).items():
            variable.assign(weights[name])
        self.optimizer.reset()

    def weights(self) -> dict[str, NDArray[np.float32]]:
        held = variables(self.model)
        return {name: held[name].numpy() for name in self.shapes}

    def train(self, batches: NDArray[np.int32], /) -> float:
        losses = [
            self.train_step(self.images, self.labels, batch)
            for batch in tf.unstack(tf.constant(batches))
        ]
        mean = float(tf.reduce_mean(tf.stack(losses)))
        # A GPU may still be busy with the last update when the loss is already known.
        tf.test.experimental.sync_devices()
        return mean

    def logits(self, images: NDArray[np.uint8], /) -> NDArray[np.float32]:
        return self.predict(tf.constant(images)).numpy()

    def peak_device_bytes(self) -> int | None:
        if not tf.config.list_physical_devices("GPU"):
            return None
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]


class SGD(tf.Module):
    """Stochastic gradient descent with momentum, on plain variables."""

    def __init__(
        self, variables: tuple[tf.Variable, ...], learning_rate: float, momentum: float
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.momentum = momentum
        # Without momentum there is no velocity to keep, and none to pay for.
        self.velocities = [tf.Variable(tf.zeros_like(v)) for v in variables] if momentum else []

    def apply(self, gradients: list[tf.Tensor], variables: tuple[tf.Variable, ...]) -> None:
        if self.momentum:
            for velocity, gradient in zip(self.velocities, gradients, strict=True):
                velocity.assign(self.momentum * velocity + gradient)
            gradients = self.velocities
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.assign_sub(self.learning_rate * gradient)

    def reset(self) -> None:
        for velocity in self.velocities:
            velocity.assign(tf.zeros_like(velocity))


Step = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


def training_step(model: tf.Module, optimizer: SGD) -> Step:
    """One update from a batch of indices; returns the batch's mean cross-entropy."""

    def step(images: tf.Tensor, labels: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = model(scale(tf.gather(images, batch)))
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(labels, batch), logits)
            )
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    return step


def scale(images: tf.Tensor) -> tf.Tensor:
    """Pixels to 0..1, on the device."""
    return tf.cast(images, tf.float32) * (1 / 255)


MODES: dict[str, Callable[[Callable], Callable]] = {
    "graph": tf.function,
    "eager": lambda function: function,
    "xla": lambda function: tf.function(function, jit_compile=True),
}


def variables(model: tf.Module) -> dict[str, tf.Variable]:
    """The network's variables by canonical name; their layouts are the canonical ones."""
    return {
        f"{layer.name}.{kind}": getattr(layer, kind)
        for layer in model.submodules
        for kind in ("kernel", "bias")
    }


def libraries() -> dict[str, str]:
    """Versions of the native libraries TensorFlow computes with."""
    build = tf.sysconfig.get_build_info()
    found = {}
    # TensorFlow has no call that tells oneDNN's version; the headers it ships with do.
    for header in Path(tf.sysconfig.get_include()).glob("external/onednn/**/dnnl_version.h"):
        found["oneDNN"] = ".".join(re.findall(r"DNNL_VERSION_[A-Z]+ (\d+)", header.read_text()))
    if build["is_cuda_build"] and tf.config.list_physical_devices("GPU"):
        found["CUDA"] = build["cuda_version"]
        found["cuDNN"] = build["cudnn_version"]
    return found


def build(trial: Trial) -> Trainer:
    """A trainer for ``trial``. Raises ``RuntimeError`` when its device is not there."""
    gpus = tf.config.list_physical_devices("GPU")
    if trial.device == "cuda" and not gpus:
        raise RuntimeError("TensorFlow sees no CUDA device")
    for gpu in gpus:
        # By default TensorFlow takes all of the device's memory, which would say nothing about use.
        tf.config.experimental.set_memory_growth(gpu, enable=True)
    tf.config.threading.set_intra_op_parallelism_threads(trial.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    # On by default, and not float32: 10 bits of mantissa, not 23
    # (https://www.tensorflow.org/api_docs/python/tf/config/experimental/enable_tensor_float_32_execution).
    tf.config.experimental.enable_tensor_float_32_execution(enabled=False)
    return TensorFlowTrainer(trial)
