"""The networks as Flax NNX' tutorials write them.

After https://flax.readthedocs.io/en/stable/mnist_tutorial.html (Flax 0.12). Inputs are
``[batch, 32, 32, 3]`` in 0..1, outputs logits ``[batch, 10]``. Layers have the names of
``bench.workloads``; ``dtype`` is what they compute in, from weights in float32 or float64.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx


class Listing1(nnx.Module):
    """Two convolutions without padding or pooling, two dense layers."""

    def __init__(self, dtype: jnp.dtype, rngs: nnx.Rngs) -> None:
        self.conv1 = nnx.Conv(3, 16, (3, 3), padding="VALID", dtype=dtype, rngs=rngs)
        self.conv2 = nnx.Conv(16, 32, (3, 3), padding="VALID", dtype=dtype, rngs=rngs)
        self.dense1 = nnx.Linear(28 * 28 * 32, 256, dtype=dtype, rngs=rngs)
        self.dense2 = nnx.Linear(256, 10, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.conv1(x))
        x = nnx.relu(self.conv2(x))
        x = x.reshape(x.shape[0], -1)
        x = nnx.relu(self.dense1(x))
        return self.dense2(x)


class Listing3(nnx.Module):
    """Two padded convolutions, each followed by pooling, two dense layers."""

    def __init__(self, dtype: jnp.dtype, rngs: nnx.Rngs) -> None:
        self.conv1 = nnx.Conv(3, 64, (3, 3), padding=1, dtype=dtype, rngs=rngs)
        self.conv2 = nnx.Conv(64, 64, (3, 3), padding=1, dtype=dtype, rngs=rngs)
        self.dense1 = nnx.Linear(8 * 8 * 64, 512, dtype=dtype, rngs=rngs)
        self.dense2 = nnx.Linear(512, 10, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.max_pool(nnx.relu(self.conv1(x)), (2, 2), strides=(2, 2))
        x = nnx.max_pool(nnx.relu(self.conv2(x)), (2, 2), strides=(2, 2))
        x = x.reshape(x.shape[0], -1)
        x = nnx.relu(self.dense1(x))
        return self.dense2(x)


class Rosetta(nnx.Module):
    """Four padded convolutions, two of them pooled, with dropout, two dense layers."""

    def __init__(self, dtype: jnp.dtype, rngs: nnx.Rngs) -> None:
        self.conv1 = nnx.Conv(3, 50, (3, 3), padding=1, dtype=dtype, rngs=rngs)
        self.conv2 = nnx.Conv(50, 50, (3, 3), padding=1, dtype=dtype, rngs=rngs)
        self.dropout1 = nnx.Dropout(0.25, rngs=rngs)
        self.conv3 = nnx.Conv(50, 100, (3, 3), padding=1, dtype=dtype, rngs=rngs)
        self.conv4 = nnx.Conv(100, 100, (3, 3), padding=1, dtype=dtype, rngs=rngs)
        self.dropout2 = nnx.Dropout(0.25, rngs=rngs)
        self.dense1 = nnx.Linear(8 * 8 * 100, 512, dtype=dtype, rngs=rngs)
        self.dropout3 = nnx.Dropout(0.5, rngs=rngs)
        self.dense2 = nnx.Linear(512, 10, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.conv1(x))
        x = nnx.relu(nnx.max_pool(self.conv2(x), (2, 2), strides=(2, 2)))
        x = self.dropout1(x)
        x = nnx.relu(self.conv3(x))
        x = nnx.relu(nnx.max_pool(self.conv4(x), (2, 2), strides=(2, 2)))
        x = self.dropout2(x)
        x = x.reshape(x.shape[0], -1)
        x = self.dropout3(nnx.relu(self.dense1(x)))
        return self.dense2(x)


class BatchNorm(nnx.BatchNorm):
    """Batch normalisation whose running variance takes in the unbiased variance of a batch.

    Flax takes in the biased one; n/(n-1) times it is what PyTorch and cuDNN keep. Flax' momentum is
    the share that stays, 0.99 by default; its epsilon is 1e-5 like PyTorch's.
    """

    def __init__(self, channels: int, *, dtype: jnp.dtype, rngs: nnx.Rngs) -> None:
        super().__init__(channels, momentum=0.9, epsilon=1e-5, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        before = self.var[...]
        y = super().__call__(x)
        if not self.use_running_average:
            kept = self.momentum * before
            values = x.size // x.shape[-1]
            self.var[...] = kept + (self.var[...] - kept) * (values / (values - 1))
        return y


class BasicBlock(nnx.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int,
        *,
        projection: bool,
        dtype: jnp.dtype,
        rngs: nnx.Rngs,
    ) -> None:
        self.stride = stride
        self.widening = outputs - inputs
        conv = partial(nnx.Conv, use_bias=False, dtype=dtype, rngs=rngs)
        self.conv1 = conv(inputs, outputs, (3, 3), stride, padding=1)
        self.norm1 = BatchNorm(outputs, dtype=dtype, rngs=rngs)
        self.conv2 = conv(outputs, outputs, (3, 3), padding=1)
        self.norm2 = BatchNorm(outputs, dtype=dtype, rngs=rngs)
        self.projection = projection and stride > 1
        if self.projection:
            self.conv3 = conv(inputs, outputs, (1, 1), stride, padding=0)
            self.norm3 = BatchNorm(outputs, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        y = nnx.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return nnx.relu(y + self.shortcut(x))

    def shortcut(self, x: jax.Array) -> jax.Array:
        if self.stride == 1:
            return x
        if self.projection:
            return self.norm3(self.conv3(x))
        # Every other pixel, and zeros for the channels that are new: no parameters.
        x = x[:, :: self.stride, :: self.stride, :]
        return jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, self.widening)))


class ResNet(nnx.Module):
    """Stages of basic blocks, He et al., arXiv:1512.03385, section 4.2."""

    def __init__(
        self,
        widths: tuple[int, ...],
        blocks: int,
        *,
        projection: bool,
        dtype: jnp.dtype,
        rngs: nnx.Rngs,
    ) -> None:
        self.conv1 = nnx.Conv(
            3, widths[0], (3, 3), padding=1, use_bias=False, dtype=dtype, rngs=rngs
        )
        self.norm1 = BatchNorm(widths[0], dtype=dtype, rngs=rngs)
        self.blocks = nnx.List([])
        inputs = widths[0]
        for width in widths:
            for _ in range(blocks):
                stride = 1 if inputs == width else 2
                self.blocks.append(
                    BasicBlock(inputs, width, stride, projection=projection, dtype=dtype, rngs=rngs)
                )
                inputs = width
        self.dense1 = nnx.Linear(inputs, 10, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.norm1(self.conv1(x)))
        for block in self.blocks:
            x = block(x)
        x = jnp.mean(x, (1, 2))
        return self.dense1(x)


NETWORKS: dict[str, Callable[..., nnx.Module]] = {
    "listing1": Listing1,
    "listing3": Listing3,
    "rosetta": Rosetta,
    "resnet20": partial(ResNet, (16, 32, 64), 3, projection=False),
    "resnet18": partial(ResNet, (64, 128, 256, 512), 2, projection=True),
    "resnet18-narrow": partial(ResNet, (8, 16, 32, 64), 2, projection=True),
}
