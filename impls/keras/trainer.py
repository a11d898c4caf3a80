"""Trains the networks with Keras' ``compile`` and ``fit``, on any of its backends.

Tutorial: https://keras.io/examples/vision/mnist_convnet/ (Keras 3.15). Modes: ``fit``, ``fit-jax``
and ``fit-torch`` are that training on TensorFlow, JAX and PyTorch; what differs between these is in
a file of each. Keras decides on compilation itself (``jit_compile="auto"``): by XLA on JAX and, if
there is a GPU, on TensorFlow; none on PyTorch. Last measured at: the tables in README.md.
"""

import os

# Read once, when Keras is imported; set by the modes that want another. Without it a file in the
# user's home would decide.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, final

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from bench.contract import CONV_CHANNELS, KERNELS, Floats, Trainer, Trial, check_weights
from bench.workloads import Optimizer, weight_shapes
from impls.keras.networks import NETWORKS

on: Any = import_module(f"impls.keras.on_{keras.backend.backend()}")


@final
class KerasTrainer:
    """Keeps the data set in host memory: ``fit`` is fed batch by batch."""

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
        self.fresh = [values(variable) for variable in self.optimizer.variables]

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
        return {name: values(held[name]) for name in self.shapes}

    def train(self, batches: NDArray[np.int32], /) -> float:
        order = batches.ravel()
        history = self.model.fit(
            **on.fed(self.images[order], self.labels[order], batches.shape[1]),
            shuffle=False,  # the order is the harness's, the same for every framework
            verbose=0,
        )
        # A GPU may still be busy with the last update when the loss is already known.
        on.finish([variable.value for variable in self.model.variables])
        return float(history.history["loss"][-1])

    def logits(self, images: NDArray[np.uint8], /) -> Floats:
        return self.model.predict_on_batch(images).astype(keras.config.floatx())

    def peak_device_bytes(self) -> int | None:
        return on.peak_device_bytes()

    def compilations(self) -> int | None:
        return self.optimizer.applied if on.TRACED else None


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
        self.applied = 0

    def apply(self, grads: list, trainable_variables: list | None = None) -> None:
        """Keras' own, counted: where the step is compiled, it is called whenever it is traced."""
        self.applied += 1
        super().apply(grads, trainable_variables)

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


def variables(model: keras.Model) -> dict[str, keras.Variable]:
    """The network's variables by canonical name; their layouts are the canonical ones."""
    return {
        f"{layer.name.replace('_', '.')}.{NAMES.get(variable.name, variable.name)}": variable
        for layer in model.layers
        for variable in layer.weights
        if not variable.name.startswith("seed")  # the state of a dropout layer
    }


NAMES = {"gamma": "scale", "beta": "bias", "moving_mean": "mean", "moving_variance": "variance"}


def values(variable: keras.Variable) -> Floats:
    """A copy of what a variable holds now."""
    return np.array(ops.convert_to_numpy(variable.value))


def libraries() -> dict[str, str]:
    """The backend, what it computes with, and what Keras decides on compilation there."""
    return on.libraries() | {"jit_compile": str(keras.Sequential().jit_compile)}


def kernels(trial: Trial) -> dict[str, Callable[[], None]]:
    """The work of ``bench.contract.KERNELS``, each a function that returns when it is done."""
    settings(trial)
    sizes = KERNELS[trial.device]
    dtype = "bfloat16" if trial.precision == "bf16" else "float32"
    a, b = (ops.cast(keras.random.uniform([sizes["matmul"]] * 2), dtype) for _ in range(2))
    images = ops.cast(keras.random.uniform([sizes["conv"], 32, 32, CONV_CHANNELS]), dtype)
    kernel = ops.cast(keras.random.uniform([3, 3, CONV_CHANNELS, CONV_CHANNELS]), dtype)
    data = ops.zeros([sizes["copy"]], "uint8")

    def finished(work: Callable, *inputs: keras.KerasTensor) -> Callable[[], None]:
        compiled = on.compiled(work)

        def run() -> None:
            on.finish(compiled(*inputs))

        return run

    return {
        "matmul": finished(ops.matmul, a, b),
        "conv": finished(lambda x, kernel: ops.conv(x, kernel, padding="same"), images, kernel),
        "copy": finished(on.copy, data),
    }


def settings(trial: Trial) -> None:
    """Set what holds for the process. Raises ``RuntimeError`` when the device is not there."""
    on.settings(trial)
    keras.config.set_floatx("float64" if trial.precision == "fp64" else "float32")
    # https://keras.io/api/mixed_precision/: float32 weights, layers compute in bfloat16.
    keras.config.set_dtype_policy(
        "mixed_bfloat16" if trial.precision == "bf16" else keras.config.floatx()
    )


def build(trial: Trial) -> Trainer:
    """A trainer for ``trial``. Raises ``RuntimeError`` when its device is not there."""
    settings(trial)
    return KerasTrainer(trial)
