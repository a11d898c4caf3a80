"""The networks as Keras' tutorials write them.

After https://keras.io/examples/vision/mnist_convnet/ (Keras 3.15). Inputs are
``[batch, 32, 32, 3]`` uint8, scaled to 0..1 by the first layer; outputs logits ``[batch, 10]``.
"""

import keras
from keras import layers


def listing1() -> keras.Model:
    """Two convolutions without padding or pooling, two dense layers."""
    return keras.Sequential(
        [
            keras.Input((32, 32, 3), dtype="uint8"),
            layers.Rescaling(1 / 255),
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
            layers.Rescaling(1 / 255),
            layers.Conv2D(64, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(512, activation="relu", name="dense1"),
            layers.Dense(10, name="dense2"),
        ]
    )


NETWORKS = {"listing1": listing1, "listing3": listing3}
