"""The networks as Flax NNX' tutorials write them.

After https://flax.readthedocs.io/en/stable/mnist_tutorial.html (Flax 0.12). Inputs are
``[batch, 32, 32, 3]`` float32 in 0..1, outputs logits ``[batch, 10]``.
"""

import jax
from flax import nnx


class Listing1(nnx.Module):
    """Two convolutions without padding or pooling, two dense layers."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv1 = nnx.Conv(3, 16, (3, 3), padding="VALID", rngs=rngs)
        self.conv2 = nnx.Conv(16, 32, (3, 3), padding="VALID", rngs=rngs)
        self.dense1 = nnx.Linear(28 * 28 * 32, 256, rngs=rngs)
        self.dense2 = nnx.Linear(256, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.conv1(x))
        x = nnx.relu(self.conv2(x))
        x = x.reshape(x.shape[0], -1)
        x = nnx.relu(self.dense1(x))
        return self.dense2(x)


class Listing3(nnx.Module):
    """Two padded convolutions, each followed by pooling, two dense layers."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv1 = nnx.Conv(3, 64, (3, 3), padding=1, rngs=rngs)
        self.conv2 = nnx.Conv(64, 64, (3, 3), padding=1, rngs=rngs)
        self.dense1 = nnx.Linear(8 * 8 * 64, 512, rngs=rngs)
        self.dense2 = nnx.Linear(512, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.max_pool(nnx.relu(self.conv1(x)), (2, 2), strides=(2, 2))
        x = nnx.max_pool(nnx.relu(self.conv2(x)), (2, 2), strides=(2, 2))
        x = x.reshape(x.shape[0], -1)
        x = nnx.relu(self.dense1(x))
        return self.dense2(x)


NETWORKS: dict[str, type[nnx.Module]] = {"listing1": Listing1, "listing3": Listing3}
