"""Trains the networks with Keras' ``compile`` and ``fit``, on its TensorFlow backend.

Tutorial: https://keras.io/examples/vision/mnist_convnet/ (Keras 3.15). Modes: ``fit`` is that
training; Keras decides on XLA itself (``jit_compile="auto"``: not on a CPU-only machine).
Last measured at: the tables in README.md.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"  # read once, when Keras is imported

import re
from collections.abc import Mapping
from pathlib import Path
from typing import final

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from bench.contract import Floats, Trainer, Trial, check_weights
from bench.workloads import Optimizer, weight_shapes
from impls.keras.networks import NETWORKS


@final
class KerasTrainer:
    """Keeps the data set in host memory: ``fit`` is fed through tf.data, batch by batch."""

    def __init__(self, trial: Trial) -> None:
        self.shapes = weight_shapes(trial.workload.network)
        self.model = NETWORKS[trial.workload.network]()
        if not trial.workload.dropout:
            disable_dropout(self.model)
        self.optimizer = SGD(trial.workload.optimizer)
        self.model.compile(
            optimizer=self.optimizer,
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        self.optimizer.build(self.model.trainable_variables)
        self.fresh = [variable.numpy() for variable in self.optimizer.variables]

    def load_data(self, images: NDArray[np.uint8], labels: NDArray[np.int32], /) -> None:
        self.images = np.array(images)
        self.labels = np.array(labels)

    def load_weights(self, weights: Mapping[str, Floats], /) -> None:
        check_weights(weights, self.shapes)
        for name, variable in variables(self.model).items():
            variable.assign(weights[name])
        for variable, value in zip(self.optimizer.variables, self.fresh, strict=True):
            variable.assign(value)

    def weights(self) -> dict[str, Floats]:
        held = variables(self.model)
        return {name: held[name].numpy() for name in self.shapes}

    def train(self, batches: NDArray[np.int32], /) -> float:
        order, batch_size = batches.ravel(), batches.shape[1]
        dataset = tf.data.Dataset.from_tensor_slices((self.images[order], self.labels[order]))
        history = self.model.fit(
            dataset.batch(batch_size).prefetch(2).with_options(without_autotuning()),
            shuffle=False,  # the order is the harness's, the same for every framework
            verbose=0,
        )
        # A GPU may still be busy with the last update when the loss is already known.
        tf.test.experimental.sync_devices()
        return float(history.history["loss"][-1])

    def logits(self, images: NDArray[np.uint8], /) -> Floats:
        return self.model.predict_on_batch(images).astype(keras.config.floatx())

    def peak_device_bytes(self) -> int | None:
        if not tf.config.list_physical_devices("GPU"):
            return None
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]


class SGD(keras.optimizers.SGD):
    """Stochastic gradient descent as ``bench.workloads.Optimizer`` has it.

    Keras' own differs in two ways. Its velocity takes in the gradient times the learning rate, so
    that a change of the rate is felt only as the velocity renews itself. Its weight decay shrinks
    the weights apart from the gradient ("decoupled"), so that it does not enter the velocity.
    """

    def __init__(self, settings: Optimizer) -> None:
        super().__init__(
            learning_rate(settings), momentum=settings.momentum, nesterov=settings.nesterov
        )
        self.coupled_weight_decay = settings.weight_decay

    def update_step(
        self,
        gradient: keras.KerasTensor,
        variable: keras.Variable,
        learning_rate: keras.KerasTensor,
    ) -> None:
        rate = ops.cast(learning_rate, variable.dtype)
        if self.coupled_weight_decay and len(variable.shape) > 1:  # kernels only
            gradient = gradient + self.coupled_weight_decay * variable
        if self.momentum:
            velocity = self.momentums[self._get_variable_index(variable)]
            self.assign(velocity, self.momentum * velocity + gradient)
            gradient = gradient + self.momentum * velocity if self.nesterov else velocity
        self.assign_sub(variable, rate * gradient)


def learning_rate(settings: Optimizer) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """The rate, or what tells it from the number of steps that were done."""
    if not settings.schedule:
        return settings.learning_rate
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        # Keras changes the rate after a boundary, not at it, and makes Python floats float32.
        [step - 1 for step, _ in settings.schedule],
        [np.float64(settings.learning_rate * f) for f in (1, *(f for _, f in settings.schedule))],
    )


def disable_dropout(model: keras.Model) -> None:
    """Let dropout layers pass everything on."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0


def without_autotuning() -> tf.data.Options:
    """Options for a data set that is ready in memory, where there is nothing to tune.

    By default an iterator, at its end, waits for tf.data's tuner to wake up, 10 ms, 20 ms, 40 ms...
    after one another: with TensorFlow 2.21, ``fit`` on arrays took 2.59 s (10 ms * 255 and a bit)
    for an epoch of 1.6 s in 7 cases of 9, and 83.6 s for one of 38 s.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def variables(model: keras.Model) -> dict[str, keras.Variable]:
    """The network's variables by canonical name; their layouts are the canonical ones."""
    return {
        f"{layer.name}.{NAMES.get(variable.name, variable.name)}": variable
        for layer in model.layers
        for variable in layer.weights
        if not variable.name.startswith("seed")  # the state of a dropout layer
    }


NAMES = {"gamma": "scale", "beta": "bias", "moving_mean": "mean", "moving_variance": "variance"}


def libraries() -> dict[str, str]:
    """The backend, and versions of the native libraries it computes with."""
    build = tf.sysconfig.get_build_info()
    found = {"backend": f"{keras.backend.backend()} {tf.__version__}"}
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
        raise RuntimeError("TensorFlow, Keras' backend, sees no CUDA device")
    for gpu in gpus:
        # By default TensorFlow takes all of the device's memory, which would say nothing about use.
        tf.config.experimental.set_memory_growth(gpu, enable=True)
    tf.config.threading.set_intra_op_parallelism_threads(trial.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    # On by default, and not float32: 10 bits of mantissa, not 23
    # (https://www.tensorflow.org/api_docs/python/tf/config/experimental/enable_tensor_float_32_execution).
    tf.config.experimental.enable_tensor_float_32_execution(enabled=trial.precision == "tf32")
    keras.config.set_floatx("float64" if trial.precision == "fp64" else "float32")
    # https://keras.io/api/mixed_precision/: float32 weights, layers compute in bfloat16.
    keras.config.set_dtype_policy(
        "mixed_bfloat16" if trial.precision == "bf16" else keras.config.floatx()
    )
    return KerasTrainer(trial)
