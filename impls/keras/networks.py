"""The networks as Keras' tutorials write them.

After https://keras.io/examples/vision/mnist_convnet/ (Keras 3.15). Inputs are
``[batch, 32, 32, 3]`` uint8, scaled to 0..1 by the first layer; outputs logits ``[batch, 10]``.
Layers have the names of ``bench.workloads``, ``_`` in the place of dots, which PyTorch refuses. The
residual networks are functional models after
https://keras.io/guides/functional_api/#a-toy-resnet-model.
"""

from collections.abc import Callable
from functools import partial

import keras
import numpy as np
from keras import layers, ops

# Not a Python float: Keras' TensorFlow backend would turn that into float32 first, in float64 too.
# And not in the policy's type: bfloat16's 1/255 is off by a thousandth.
SCALE = np.float64(1 / 255)


def listing1() -> keras.Model:
    """Two convolutions without padding or pooling, two dense layers."""
    return keras.Sequential(
        [
            keras.Input((32, 32, 3), dtype="uint8"),
            layers.Rescaling(SCALE, dtype=keras.config.floatx()),
            layers.Conv2D(16, 3, activation="relu", name="conv1"),
            layers.Conv2D(32, 3, activation="relu", name="conv2"),
            layers.Flatten(),
            layers.Dense(256, activation="relu", name="dense1"),
            layers.Dense(10, name="dense2"),
        ]
    )


def listing3() -> keras.Model:
    """Two padded convolutions, each followed by pooling, two dense layers."""
    return keras.Sequential(
        [
            keras.Input((32, 32, 3), dtype="uint8"),
            layers.Rescaling(SCALE, dtype=keras.config.floatx()),
            layers.Conv2D(64, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(512, activation="relu", name="dense1"),
            layers.Dense(10, name="dense2"),
        ]
    )


def rosetta() -> keras.Model:
    """Four padded convolutions, two of them pooled, with dropout, two dense layers."""
    return keras.Sequential(
        [
            keras.Input((32, 32, 3), dtype="uint8"),
            layers.Rescaling(SCALE, dtype=keras.config.floatx()),
            layers.Conv2D(50, 3, padding="same", activation="relu", name="conv1"),
            layers.Conv2D(50, 3, padding="same", name="conv2"),
            layers.MaxPooling2D(2),
            layers.ReLU(),
            layers.Dropout(0.25),
            layers.Conv2D(100, 3, padding="same", activation="relu", name="conv3"),
            layers.Conv2D(100, 3, padding="same", name="conv4"),
            layers.MaxPooling2D(2),
            layers.ReLU(),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(512, activation="relu", name="dense1"),
            layers.Dropout(0.5),
            layers.Dense(10, name="dense2"),
        ]
    )


class BatchNorm(layers.BatchNormalization):
    """Batch normalisation whose running variance takes in the unbiased variance of a batch.

    Keras takes in the biased one; n/(n-1) times it is what PyTorch and cuDNN keep. Keras' momentum
    is the share that stays, 0.99 by default, and its epsilon 1e-3 by default.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__(momentum=0.9, epsilon=1e-5, **kwargs)

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        before = ops.copy(self.moving_variance)
        outputs = super().call(inputs, training=training)
        if training:
            kept = self.momentum * before
            values = ops.cast(ops.size(inputs) // ops.shape(inputs)[-1], before.dtype)
            added = self.moving_variance - kept
            self.moving_variance.assign(kept + added * values / (values - 1))
        return outputs


def basic_block(
    x: keras.KerasTensor, outputs: int, stride: int, *, projection: bool, name: str
) -> keras.KerasTensor:
    """Two 3x3 convolutions around a shortcut."""
    # Not padding="same": with stride 2 it pads even images below and to the right only.
    y = layers.ZeroPadding2D(1)(x)
    y = layers.Conv2D(outputs, 3, stride, use_bias=False, name=f"{name}_conv1")(y)
    y = layers.ReLU()(BatchNorm(name=f"{name}_norm1")(y))
    y = layers.Conv2D(outputs, 3, padding="same", use_bias=False, name=f"{name}_conv2")(y)
    y = BatchNorm(name=f"{name}_norm2")(y)
    return layers.ReLU()(y + shortcut(x, outputs, stride, projection=projection, name=name))


def shortcut(
    x: keras.KerasTensor, outputs: int, stride: int, *, projection: bool, name: str
) -> keras.KerasTensor:
    """What is added to a block's result."""
    if stride == 1:
        return x
    if projection:
        x = layers.Conv2D(outputs, 1, stride, use_bias=False, name=f"{name}_conv3")(x)
        return BatchNorm(name=f"{name}_norm3")(x)
    # Every other pixel, and zeros for the channels that are new: no parameters.
    x = x[:, ::stride, ::stride, :]
    return ops.pad(x, [[0, 0], [0, 0], [0, 0], [0, outputs - x.shape[-1]]])


def resnet(widths: tuple[int, ...], blocks: int, *, projection: bool) -> keras.Model:
    """Stages of basic blocks, He et al., arXiv:1512.03385, section 4.2."""
    inputs = keras.Input((32, 32, 3), dtype="uint8")
    x = layers.Rescaling(SCALE, dtype=keras.config.floatx())(inputs)
    x = layers.Conv2D(widths[0], 3, padding="same", use_bias=False, name="conv1")(x)
    x = layers.ReLU()(BatchNorm(name="norm1")(x))
    for stage, width in enumerate(widths):
        for block in range(blocks):
            stride = 1 if x.shape[-1] == width else 2
            name = f"blocks_{stage * blocks + block}"
            x = basic_block(x, width, stride, projection=projection, name=name)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10, name="dense1")(x))


NETWORKS: dict[str, Callable[[], keras.Model]] = {
    "listing1": listing1,
    "listing3": listing3,
    "rosetta": rosetta,
    "resnet20": partial(resnet, (16, 32, 64), 3, projection=False),
    "resnet18": partial(resnet, (64, 128, 256, 512), 2, projection=True),
    "resnet18-narrow": partial(resnet, (8, 16, 32, 64), 2, projection=True),
}
