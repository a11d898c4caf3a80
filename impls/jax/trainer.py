"""Trains the networks with JAX, Flax NNX and Optax.

Tutorial: https://flax.readthedocs.io/en/stable/guides/performance.html (Flax 0.12), the
functional training loop. Modes: ``jit`` is that loop: model and optimizer are split into structure
and state once, and the state goes through one ``jax.jit`` function per step; ``jit-xla-conv`` is
the same under a flag of XLA; ``scan`` takes all steps in one ``jax.jit`` function, by
``jax.lax.scan``. Last measured at: the tables in README.md.
"""

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.extend import backend
from numpy.typing import NDArray

from bench.contract import CONV_CHANNELS, KERNELS, Device, Floats, Trainer, Trial, check_weights
from bench.workloads import Optimizer, weight_shapes
from impls.jax.networks import NETWORKS


@final
class JaxTrainer:
    """Keeps the data set on the device as ``[N, 32, 32, 3]``."""

    def __init__(self, trial: Trial) -> None:
        self.device = jax.devices(trial.device)[0]
        self.shapes = weight_shapes(trial.workload.network)
        self.held = jnp.float64 if trial.precision == "fp64" else jnp.float32
        # Flax' mixed precision: layers compute in bfloat16 from float32 weights.
        self.computed = jnp.bfloat16 if trial.precision == "bf16" else self.held
        network = NETWORKS[trial.workload.network]

        def create() -> nnx.Module:
            return network(dtype=self.computed, rngs=nnx.Rngs(trial.seed))

        # Shapes alone: weights are loaded, and to draw some first took 4 s on a CPU
        # (https://flax.readthedocs.io/en/stable/guides/checkpointing.html). What dropout draws
        # from is not loaded.
        self.model = nnx.eval_shape(create)
        nnx.update(self.model, jax.jit(lambda: nnx.state(create(), nnx.RngState))())
        if not trial.workload.dropout:
            disable_dropout(self.model)
        self.transform = sgd(trial.workload.optimizer)
        self.optimizer = nnx.Optimizer(self.model, self.transform, wrt=nnx.Param)
        graph = nnx.graphdef((self.model, self.optimizer))

        def predict(state: nnx.State, images: jax.Array) -> jax.Array:
            model, _ = nnx.merge(graph, state)
            model.eval()
            return model(scale(images, self.held)).astype(self.held)

        mode = MODES[trial.mode]
        step = mode.compiled(training_step(graph, self.held))
        self.compiled = jax.jit(step, donate_argnums=DONATED[trial.device])
        self.train_steps = mode.called(self.compiled)
        self.predict = jax.jit(predict)

    def load_data(self, images: NDArray[np.uint8], labels: NDArray[np.int32], /) -> None:
        self.images = jnp.array(images)
        self.labels = jnp.array(labels)

    def load_weights(self, weights: Mapping[str, Floats], /) -> None:
        check_weights(weights, self.shapes)
        for name, variable in variables(self.model).items():
            variable.set_value(jnp.array(weights[name], self.held))
        self.optimizer = nnx.Optimizer(self.model, self.transform, wrt=nnx.Param)
        # Copied, because the training step may give the state's memory away.
        self.state = jax.tree.map(jnp.copy, nnx.state((self.model, self.optimizer)))

    def weights(self) -> dict[str, Floats]:
        nnx.update((self.model, self.optimizer), jax.tree.map(jnp.copy, self.state))
        held = variables(self.model)
        return {name: np.array(held[name][...]) for name in self.shapes}

    def train(self, batches: NDArray[np.int32], /) -> float:
        self.state, losses = self.train_steps(self.state, self.images, self.labels, batches)
        jax.block_until_ready((self.state, losses))
        return float(np.mean(jax.device_get(losses)))

    def logits(self, images: NDArray[np.uint8], /) -> Floats:
        return np.array(self.predict(self.state, images))

    def peak_device_bytes(self) -> int | None:
        statistics = self.device.memory_stats()
        return statistics["peak_bytes_in_use"] if statistics else None

    def compilations(self) -> int | None:
        return self.compiled._cache_size()  # noqa: SLF001 - no public call counts them


Step = Callable[
    [nnx.State, jax.Array, jax.Array, jax.Array], tuple[nnx.State, jax.Array | list[jax.Array]]
]


def training_step(graph: nnx.GraphDef, dtype: jnp.dtype) -> Step:
    """One update from a batch of indices: the new state, and the batch's mean cross-entropy."""

    def step(
        state: nnx.State, images: jax.Array, labels: jax.Array, batch: jax.Array
    ) -> tuple[nnx.State, jax.Array]:
        model, optimizer = nnx.merge(graph, state)
        pixels = scale(images[batch], dtype)
        loss, gradients = nnx.value_and_grad(cross_entropy)(model, pixels, labels[batch])
        optimizer.update(model, gradients)
        return nnx.state((model, optimizer)), loss

    return step


def cross_entropy(model: nnx.Module, images: jax.Array, labels: jax.Array) -> jax.Array:
    """Mean cross-entropy of a batch, in the type of its images."""
    logits = model(images).astype(images.dtype)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def scale(images: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """Pixels to 0..1, on the device."""
    return images.astype(dtype) * (1 / 255)


def scanned(step: Step) -> Step:
    """The step for each row of indices ``[steps, batch]``; the losses are ``[steps]``."""

    def steps(
        state: nnx.State, images: jax.Array, labels: jax.Array, batches: jax.Array
    ) -> tuple[nnx.State, jax.Array]:
        return jax.lax.scan(lambda state, batch: step(state, images, labels, batch), state, batches)

    return steps


def one_by_one(step: Step) -> Step:
    """The same, by a call of ``step`` for each row."""

    def steps(
        state: nnx.State, images: jax.Array, labels: jax.Array, batches: NDArray[np.int32]
    ) -> tuple[nnx.State, list[jax.Array]]:
        losses = []
        for batch in batches:
            state, loss = step(state, images, labels, batch)
            losses.append(loss)
        return state, losses

    return steps


class Mode(NamedTuple):
    """What differs between the modes."""

    compiled: Callable[[Step], Step]
    """Makes of the training step what is compiled."""
    called: Callable[[Step], Step]
    """Makes of what is compiled a function for many steps."""


JIT = Mode(compiled=lambda step: step, called=one_by_one)
MODES = {
    "jit": JIT,
    "jit-xla-conv": JIT,
    "scan": Mode(compiled=scanned, called=lambda steps: steps),
}


DONATED: Mapping[Device, tuple[int, ...]] = {"cpu": (), "cuda": (0,)}
"""Arguments of a step whose memory may hold its results: the old state is not needed again. Not on
a CPU, where that costs more than it saves: a step took 1.04 (listing3) and 1.06 (listing1) of the
time on one thread."""


def disable_dropout(model: nnx.Module) -> None:
    """Let dropout layers pass everything on."""
    model.set_attributes(nnx.Dropout, rate=0.0, raise_if_not_found=False)


def sgd(optimizer: Optimizer) -> optax.GradientTransformation:
    """Optax' own SGD, after the gradient of the weight decay is added, for kernels only."""
    descent = optax.sgd(
        learning_rate(optimizer), momentum=optimizer.momentum or None, nesterov=optimizer.nesterov
    )
    if not optimizer.weight_decay:
        return descent
    kernels = partial(jax.tree.map, lambda weight: weight.ndim > 1)
    return optax.chain(optax.add_decayed_weights(optimizer.weight_decay, kernels), descent)


def learning_rate(optimizer: Optimizer) -> float | optax.Schedule:
    """The rate, or what tells it from the number of steps that were done."""
    if not optimizer.schedule:
        return optimizer.learning_rate
    factors = [1.0, *(factor for _, factor in optimizer.schedule)]
    # Optax multiplies one change on top of the other.
    changes = {
        step: factor / before
        for (step, factor), before in zip(optimizer.schedule, factors, strict=False)
    }
    return optax.piecewise_constant_schedule(optimizer.learning_rate, changes)


def variables(model: nnx.Module) -> dict[str, nnx.Variable]:
    """The network's variables by canonical name; their layouts are the canonical ones."""
    state = nnx.state(model, (nnx.Param, nnx.BatchStat))
    return {
        ".".join(NAMES.get(part, str(part)) for part in path): variable
        for path, variable in nnx.to_flat_state(state)
    }


NAMES = {"var": "variance"}


def libraries() -> dict[str, str]:
    """What JAX reports of the platform it computes on, and what it was told."""
    found = {"XLA platform": backend.get_backend().platform_version}
    if flags := os.environ.get("XLA_FLAGS"):
        found["XLA_FLAGS"] = flags
    return found


def kernels(trial: Trial) -> dict[str, Callable[[], None]]:
    """The work of ``bench.contract.KERNELS``, each a function that returns when it is done."""
    settings(trial)
    sizes = KERNELS[trial.device]
    dtype = jnp.bfloat16 if trial.precision == "bf16" else jnp.float32
    # By NumPy: JAX compiles for each shape, which took 2 s on a CPU. A million of them, over and
    # over: to draw all that a GPU gets would take longer than the work.
    drawn = np.random.default_rng(0).random(2**20, np.float32)

    def random(*shape: int) -> jax.Array:
        return jnp.asarray(np.resize(drawn, shape), dtype)

    a, b = random(sizes["matmul"], sizes["matmul"]), random(sizes["matmul"], sizes["matmul"])
    images = random(sizes["conv"], 32, 32, CONV_CHANNELS)
    kernel = random(3, 3, CONV_CHANNELS, CONV_CHANNELS)
    data = jnp.zeros(sizes["copy"], jnp.uint8)
    layout = ("NHWC", "HWIO", "NHWC")

    def finished(work: Callable[..., jax.Array], *inputs: jax.Array) -> Callable[[], None]:
        compiled = jax.jit(work)

        def run() -> None:
            jax.block_until_ready(compiled(*inputs))

        return run

    return {
        "matmul": finished(jnp.matmul, a, b),
        "conv": finished(
            lambda x, kernel: jax.lax.conv_general_dilated(
                x, kernel, (1, 1), "SAME", dimension_numbers=layout
            ),
            *(images, kernel),
        ),
        "copy": finished(jnp.copy, data),
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
    # By default a CPU computes in a thread that gives memory back after the results are there: no
    # fence waits for that, a tenth of a step of listing3. Steps in a row take as long without, on
    # one thread and on two (https://docs.jax.dev/en/latest/config_options.html).
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    jax.config.update("jax_default_device", jax.devices(trial.device)[0])
    # The default lets a GPU use TF32, which is not float32: 10 bits of mantissa, not 23
    # (https://docs.jax.dev/en/latest/_autosummary/jax.default_matmul_precision.html).
    products = "tensorfloat32" if trial.precision == "tf32" else "highest"
    jax.config.update("jax_default_matmul_precision", products)
    jax.config.update("jax_enable_x64", trial.precision == "fp64")  # else float64 becomes float32


def build(trial: Trial) -> Trainer:
    """A trainer for ``trial``. Raises ``RuntimeError`` when its device is not there."""
    settings(trial)
    return JaxTrainer(trial)
