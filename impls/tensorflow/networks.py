"""The networks as TensorFlow's low-level tutorials write them: variables, ``tf.nn``, ``tf.Module``.

After https://www.tensorflow.org/guide/core/mlp_core (TensorFlow 2.21), which builds layers from
``tf.Module`` without Keras. Inputs are ``[batch, 32, 32, 3]`` float32 in 0..1, outputs logits
``[batch, 10]``.
"""

import tensorflow as tf


class Conv(tf.Module):
    """3x3 convolution with bias. At stride 1, ``SAME`` adds one pixel of zeros on every side."""

    def __init__(self, inputs: int, outputs: int, padding: str, name: str) -> None:
        super().__init__(name=name)
        self.kernel = tf.Variable(tf.zeros([3, 3, inputs, outputs]))
        self.bias = tf.Variable(tf.zeros([outputs]))
        self.padding = padding

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.bias_add(tf.nn.conv2d(x, self.kernel, 1, self.padding), self.bias)


class Dense(tf.Module):
    """Fully connected layer with bias."""

    def __init__(self, inputs: int, outputs: int, name: str) -> None:
        super().__init__(name=name)
        self.kernel = tf.Variable(tf.zeros([inputs, outputs]))
        self.bias = tf.Variable(tf.zeros([outputs]))

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.bias_add(tf.matmul(x, self.kernel), self.bias)


def flatten(x: tf.Tensor) -> tf.Tensor:
    """``[batch, h, w, c]`` to ``[batch, h * w * c]``."""
    return tf.reshape(x, [-1, x.shape[1] * x.shape[2] * x.shape[3]])


class Listing1(tf.Module):
    """Two convolutions without padding or pooling, two dense layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = Conv(3, 16, "VALID", name="conv1")
        self.conv2 = Conv(16, 32, "VALID", name="conv2")
        self.dense1 = Dense(28 * 28 * 32, 256, name="dense1")
        self.dense2 = Dense(256, 10, name="dense2")

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        x = tf.nn.relu(self.conv1(x))
        x = tf.nn.relu(self.conv2(x))
        x = flatten(x)
        x = tf.nn.relu(self.dense1(x))
        return self.dense2(x)


class Listing3(tf.Module):
    """Two padded convolutions, each followed by pooling, two dense layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = Conv(3, 64, "SAME", name="conv1")
        self.conv2 = Conv(64, 64, "SAME", name="conv2")
        self.dense1 = Dense(8 * 8 * 64, 512, name="dense1")
        self.dense2 = Dense(512, 10, name="dense2")

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        x = tf.nn.max_pool2d(tf.nn.relu(self.conv1(x)), 2, 2, "VALID")
        x = tf.nn.max_pool2d(tf.nn.relu(self.conv2(x)), 2, 2, "VALID")
        x = flatten(x)
        x = tf.nn.relu(self.dense1(x))
        return self.dense2(x)


NETWORKS: dict[str, type[tf.Module]] = {"listing1": Listing1, "listing3": Listing3}
