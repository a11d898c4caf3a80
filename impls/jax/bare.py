"""The training of ``trainer.py`` as a bare loop, to measure what the contract costs on top."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from bench.contract import Floats, Trial
from impls.jax.networks import NETWORKS
from impls.jax.trainer import (
    DONATED,
    MODES,
    disable_dropout,
    settings,
    sgd,
    training_step,
    variables,
)


def parts(
    trial: Trial,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    weights: Mapping[str, Floats],
) -> tuple[Callable[[NDArray[np.int32]], None], Callable[[], None]]:
    """The loop in two: one starts a step for each row of indices, one returns when all are done."""
    settings(trial)
    computed = jnp.bfloat16 if trial.precision == "bf16" else jnp.float32
    model = NETWORKS[trial.workload.network](dtype=computed, rngs=nnx.Rngs(trial.seed))
    if not trial.workload.dropout:
        disable_dropout(model)
    for name, variable in variables(model).items():
        variable.set_value(jnp.array(weights[name]))
    optimizer = nnx.Optimizer(model, sgd(trial.workload.optimizer), wrt=nnx.Param)
    graph, state = nnx.split((model, optimizer))
    images, labels = jnp.array(images), jnp.array(labels)
    mode = MODES[trial.mode]
    step = mode.compiled(training_step(graph, jnp.float32))
    step = jax.jit(step, donate_argnums=DONATED[trial.device])
    steps = mode.called(step)

    def start(batches: NDArray[np.int32]) -> None:
        nonlocal state
        state, _ = steps(state, images, labels, batches)

    def finish() -> None:
        jax.block_until_ready(state)

    return start, finish
