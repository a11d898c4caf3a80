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

from bench.contract import CONV_CHANNELS, KERNELS, Floats, Trainer, Trial, check_weights
from bench.workloads import Optimizer, weight_shapes
from impls.tensorflow.networks import NETWORKS, Dropout


@final
class TensorFlowTrainer:
    """Keeps the data set on the device as ``[N, 32, 32, 3]``."""

    def __init__(self, trial: Trial) -> None:
        held = tf.float64 if trial.precision == "fp64" else tf.float32
        computed = tf.bfloat16 if trial.precision == "bf16" else held
        self.shapes = weight_shapes(trial.workload.network)
        self.model = NETWORKS[trial.workload.network](dtype=held)
        if not trial.workload.dropout:
            disable_dropout(self.model)
        self.optimizer = SGD(self.model.trainable_variables, trial.workload.optimizer)
        self.train_step = MODES[trial.mode](training_step(self.model, self.optimizer, computed))
        self.predict = MODES[trial.mode](
            lambda images: tf.cast(self.model(scale(images, computed), training=False), held)
        )

    def load_data(self, images: NDArray[np.uint8], labels: NDArray[np.int32], /) -> None:
        self.images = tf.constant(images)
        self.labels = tf.constant(labels)

    def load_weights(self, weights: Mapping[str, Floats], /) -> None:
        check_weights(weights, self.shapes)
        for name, variable in variables(self.model).items():
            variable.assign(weights[name])
        self.optimizer.reset()

    def weights(self) -> dict[str, Floats]:
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

    def logits(self, images: NDArray[np.uint8], /) -> Floats:
        return self.predict(tf.constant(images)).numpy()

    def peak_device_bytes(self) -> int | None:
        if not tf.config.list_physical_devices("GPU"):
            return None
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]

    def compilations(self) -> int | None:
        if not isinstance(self.train_step, tf.types.experimental.PolymorphicFunction):
            return None
        return self.train_step.experimental_get_tracing_count()


class SGD(tf.Module):
    """Stochastic gradient descent as ``bench.workloads.Optimizer`` has it, on plain variables."""

    def __init__(self, variables: tuple[tf.Variable, ...], optimizer: Optimizer) -> None:
        super().__init__()
        self.settings = optimizer
        self.step = tf.Variable(0, dtype=tf.int64)
        # Without momentum there is no velocity to keep, and none to pay for.
        kept = variables if optimizer.momentum else ()
        self.velocities = [tf.Variable(tf.zeros_like(v), trainable=False) for v in kept]

    def apply(self, gradients: list[tf.Tensor], variables: tuple[tf.Variable, ...]) -> None:
        gradients = [self.decayed(g, v) for g, v in zip(gradients, variables, strict=True)]
        rate = self.learning_rate(variables[0].dtype)
        if self.settings.momentum:
            gradients = self.accumulated(gradients)
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.assign_sub(rate * gradient)

    def decayed(self, gradient: tf.Tensor, variable: tf.Variable) -> tf.Tensor:
        """The gradient with that of the weight decay, which is for kernels only."""
        if self.settings.weight_decay and len(variable.shape) > 1:
            return gradient + self.settings.weight_decay * variable
        return gradient

    def accumulated(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        """Move the velocities on; return what is subtracted from the variables."""
        for velocity, gradient in zip(self.velocities, gradients, strict=True):
            velocity.assign(self.settings.momentum * velocity + gradient)
        if not self.settings.nesterov:
            return self.velocities
        return [
            gradient + self.settings.momentum * velocity
            for velocity, gradient in zip(self.velocities, gradients, strict=True)
        ]

    def learning_rate(self, dtype: tf.DType) -> float | tf.Tensor:
        """The present step's rate; counts the step."""
        rate = self.settings.learning_rate
        if not self.settings.schedule:
            return rate
        present = tf.constant(rate, dtype)
        for step, factor in self.settings.schedule:
            present = tf.where(self.step >= step, tf.constant(rate * factor, dtype), present)
        self.step.assign_add(1)
        return present

    def reset(self) -> None:
        self.step.assign(0)
        for velocity in self.velocities:
            velocity.assign(tf.zeros_like(velocity))


Step = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


def training_step(model: tf.Module, optimizer: SGD, dtype: tf.DType) -> Step:
    """One update from a batch of indices; returns the batch's mean cross-entropy."""

    def step(images: tf.Tensor, labels: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = model(scale(tf.gather(images, batch), dtype), training=True)
            loss = cross_entropy(logits, tf.gather(labels, batch))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    return step


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Mean over the batch, of bfloat16 logits in float32."""
    if logits.dtype == tf.bfloat16:
        logits = tf.cast(logits, tf.float32)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def scale(images: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Pixels to 0..1, on the device, in the type the model computes in."""
    if dtype == tf.bfloat16:  # 1 / 255 in bfloat16 would be off by a thousandth
        return tf.cast(tf.cast(images, tf.float32) * (1 / 255), dtype)
    return tf.cast(images, dtype) * (1 / 255)


MODES: dict[str, Callable[[Callable], Callable]] = {
    "graph": tf.function,
    "eager": lambda function: function,
    "xla": lambda function: tf.function(function, jit_compile=True),
}


def disable_dropout(model: tf.Module) -> None:
    """Let dropout layers pass everything on."""
    for module in model.submodules:
        if isinstance(module, Dropout):
            module.rate = 0.0


def variables(model: tf.Module) -> dict[str, tf.Variable]:
    """The network's variables by canonical name; their layouts are the canonical ones."""
    return {
        ".".join(str(part) for part in path): variable
        for path, variable in model._flatten(  # noqa: SLF001 - no public call tells the paths
            predicate=lambda value: isinstance(value, tf.Variable), with_path=True
        )
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


def kernels(trial: Trial) -> dict[str, Callable[[], None]]:
    """The work of ``bench.contract.KERNELS``, each a function that returns when it is done."""
    settings(trial)
    sizes = KERNELS[trial.device]
    dtype = tf.bfloat16 if trial.precision == "bf16" else tf.float32
    a, b = (tf.cast(tf.random.uniform([sizes["matmul"]] * 2), dtype) for _ in range(2))
    images = tf.cast(tf.random.uniform([sizes["conv"], 32, 32, CONV_CHANNELS]), dtype)
    kernel = tf.cast(tf.random.uniform([3, 3, CONV_CHANNELS, CONV_CHANNELS]), dtype)
    data = tf.zeros([sizes["copy"]], tf.uint8)
    compiled = MODES[trial.mode]

    def convolve(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return tf.nn.conv2d(images, kernel, 1, "SAME")

    def finished(work: Callable[..., tf.Tensor], *inputs: tf.Tensor) -> Callable[[], None]:
        def run() -> None:
            work(*inputs)
            tf.test.experimental.sync_devices()

        return run

    return {
        "matmul": finished(compiled(tf.matmul), a, b),
        "conv": finished(compiled(convolve), images, kernel),
        # Not tf.identity, which copies nothing; not compiled, because XLA does not know it.
        "copy": finished(lambda data: tf.raw_ops.DeepCopy(x=data), data),
    }


def settings(trial: Trial) -> None:
    """Set what holds for the process. Raises ``RuntimeError`` when the device is not there."""
    gpus = tf.config.list_physical_devices("GPU")
    if trial.device == "cuda" and not gpus:
        raise RuntimeError("TensorFlow sees no CUDA device")
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


def build(trial: Trial) -> Trainer:
    """A trainer for ``trial``. Raises ``RuntimeError`` when its device is not there."""
    settings(trial)
    return TensorFlowTrainer(trial)
