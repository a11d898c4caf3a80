"""Training as Flax' own tutorial has it, to hold ``trainer.py`` against.

After https://flax.readthedocs.io/en/stable/mnist_tutorial.html: batches of scaled images come from
NumPy, and one ``nnx.jit`` function per step updates model and optimizer in place. Left out is what
would only make it slower: its metrics.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from bench.contract import Floats, Trial
from impls.jax.networks import NETWORKS
from impls.jax.trainer import cross_entropy, disable_dropout, settings, sgd, variables


@nnx.jit
def train_step(
    model: nnx.Module, optimizer: nnx.Optimizer, images: jax.Array, labels: jax.Array
) -> jax.Array:
    """One update, in place; the loss of the batch."""
    loss, gradients = nnx.value_and_grad(cross_entropy)(model, images, labels)
    optimizer.update(model, gradients)
    return loss


def loop(
    trial: Trial,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    weights: Mapping[str, Floats],
) -> Callable[[NDArray[np.int32]], float]:
    """A function that takes a step for each row of indices, and returns their mean loss."""
    settings(trial)
    model = NETWORKS[trial.workload.network](dtype=jnp.float32, rngs=nnx.Rngs(trial.seed))
    if not trial.workload.dropout:
        disable_dropout(model)
    for name, variable in variables(model).items():
        variable.set_value(jnp.array(weights[name]))
    optimizer = nnx.Optimizer(model, sgd(trial.workload.optimizer), wrt=nnx.Param)
    scaled = images.astype(np.float32) * np.float32(1 / 255)

    def train(batches: NDArray[np.int32]) -> float:
        losses = [train_step(model, optimizer, scaled[batch], labels[batch]) for batch in batches]
        jax.block_until_ready(nnx.state((model, optimizer)))
        return float(np.mean(jax.device_get(losses)))

    return train
