"""The networks as TensorFlow's low-level tutorials write them: variables, ``tf.nn``, ``tf.Module``.

After https://www.tensorflow.org/guide/core/mlp_core (TensorFlow 2.21), which builds layers from
``tf.Module`` without Keras. Inputs are ``[batch, 32, 32, 3]`` in 0..1, outputs logits
``[batch, 10]``. Layers have the names of ``bench.workloads``; they hold their variables in
``dtype`` and compute in the type of their input, bfloat16 or the same.
"""

from collections.abc import Callable
from functools import partial

import tensorflow as tf


class Conv(tf.Module):
    """Square convolution; ``padding`` pixels of zeros on every side."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        stride: int = 1,
        padding: int = 0,
        *,
        bias: bool = True,
        dtype: tf.DType,
    ) -> None:
        super().__init__()
        self.kernel = tf.Variable(tf.zeros([size, size, inputs, outputs], dtype))
        self.bias = tf.Variable(tf.zeros([outputs], dtype)) if bias else None
        self.stride = stride
        # At stride 1, "SAME" is the padding asked for; at stride 2 it pads even images by one pixel
        # below and to the right only. Explicit padding costs 15% on a CPU, so only there.
        around = [[0, 0], [padding, padding], [padding, padding], [0, 0]]
        unit = "SAME" if padding else "VALID"
        self.padding = around if padding and stride > 1 else unit

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        x = tf.nn.conv2d(x, tf.cast(self.kernel, x.dtype), self.stride, self.padding)
        return x if self.bias is None else tf.nn.bias_add(x, tf.cast(self.bias, x.dtype))


class Dense(tf.Module):
    """Fully connected layer with bias."""

    def __init__(self, inputs: int, outputs: int, *, dtype: tf.DType) -> None:
        super().__init__()
        self.kernel = tf.Variable(tf.zeros([inputs, outputs], dtype))
        self.bias = tf.Variable(tf.zeros([outputs], dtype))

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        x = tf.matmul(x, tf.cast(self.kernel, x.dtype))
        return tf.nn.bias_add(x, tf.cast(self.bias, x.dtype))


class BatchNorm(tf.Module):
    """Batch normalisation; the running statistics move a tenth of the way to a batch's."""

    def __init__(self, channels: int, *, dtype: tf.DType) -> None:
        super().__init__()
        self.scale = tf.Variable(tf.ones([channels], dtype))
        self.bias = tf.Variable(tf.zeros([channels], dtype))
        self.mean = tf.Variable(tf.zeros([channels], dtype), trainable=False)
        self.variance = tf.Variable(tf.ones([channels], dtype), trainable=False)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        if not training:
            return self.normalise(x, self.mean, self.variance)
        if x.dtype == tf.float64:  # the fused kernel has no float64
            return self.train_unfused(x)
        # The raw operation: tf.nn's wrapper quietly raises the epsilon to 1.001e-5.
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=self.scale,
            offset=self.bias,
            mean=self.mean,
            variance=self.variance,
            epsilon=1e-5,
            exponential_avg_factor=0.1,
        )
        self.mean.assign(mean)
        self.variance.assign(variance)
        return y

    def train_unfused(self, x: tf.Tensor) -> tf.Tensor:
        mean, variance = tf.nn.moments(x, [0, 1, 2])
        values = tf.cast(tf.size(x) // tf.shape(x)[-1], x.dtype)
        # The running variance takes in the unbiased estimate, as the fused kernel has it.
        self.mean.assign(0.9 * self.mean + 0.1 * mean)
        self.variance.assign(0.9 * self.variance + 0.1 * variance * values / (values - 1))
        return self.normalise(x, mean, variance)

    def normalise(self, x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor) -> tf.Tensor:
        y = tf.cast(x, mean.dtype)
        y = tf.nn.batch_normalization(y, mean, variance, self.bias, self.scale, 1e-5)
        return tf.cast(y, x.dtype)


class Dropout(tf.Module):
    """In training, zeroes a share ``rate`` of the values and scales the rest by 1/(1-rate)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        return tf.nn.dropout(x, self.rate) if training and self.rate else x


def flatten(x: tf.Tensor) -> tf.Tensor:
    """``[batch, h, w, c]`` to ``[batch, h * w * c]``."""
    return tf.reshape(x, [-1, x.shape[1] * x.shape[2] * x.shape[3]])


def max_pool(x: tf.Tensor) -> tf.Tensor:
    """The largest of each 2x2 pixels."""
    return tf.nn.max_pool2d(x, 2, 2, "VALID")


class Listing1(tf.Module):
    """Two convolutions without padding or pooling, two dense layers."""

    def __init__(self, dtype: tf.DType) -> None:
        super().__init__()
        self.conv1 = Conv(3, 16, 3, dtype=dtype)
        self.conv2 = Conv(16, 32, 3, dtype=dtype)
        self.dense1 = Dense(28 * 28 * 32, 256, dtype=dtype)
        self.dense2 = Dense(256, 10, dtype=dtype)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        x = tf.nn.relu(self.conv1(x))
        x = tf.nn.relu(self.conv2(x))
        x = flatten(x)
        x = tf.nn.relu(self.dense1(x))
        return self.dense2(x)


class Listing3(tf.Module):
    """Two padded convolutions, each followed by pooling, two dense layers."""

    def __init__(self, dtype: tf.DType) -> None:
        super().__init__()
        self.conv1 = Conv(3, 64, 3, padding=1, dtype=dtype)
        self.conv2 = Conv(64, 64, 3, padding=1, dtype=dtype)
        self.dense1 = Dense(8 * 8 * 64, 512, dtype=dtype)
        self.dense2 = Dense(512, 10, dtype=dtype)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        x = max_pool(tf.nn.relu(self.conv1(x)))
        x = max_pool(tf.nn.relu(self.conv2(x)))
        x = flatten(x)
        x = tf.nn.relu(self.dense1(x))
        return self.dense2(x)


class Rosetta(tf.Module):
    """Four padded convolutions, two of them pooled, with dropout, two dense layers."""

    def __init__(self, dtype: tf.DType) -> None:
        super().__init__()
        self.conv1 = Conv(3, 50, 3, padding=1, dtype=dtype)
        self.conv2 = Conv(50, 50, 3, padding=1, dtype=dtype)
        self.dropout1 = Dropout(0.25)
        self.conv3 = Conv(50, 100, 3, padding=1, dtype=dtype)
        self.conv4 = Conv(100, 100, 3, padding=1, dtype=dtype)
        self.dropout2 = Dropout(0.25)
        self.dense1 = Dense(8 * 8 * 100, 512, dtype=dtype)
        self.dropout3 = Dropout(0.5)
        self.dense2 = Dense(512, 10, dtype=dtype)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        x = tf.nn.relu(self.conv1(x))
        x = tf.nn.relu(max_pool(self.conv2(x)))
        x = self.dropout1(x, training)
        x = tf.nn.relu(self.conv3(x))
        x = tf.nn.relu(max_pool(self.conv4(x)))
        x = self.dropout2(x, training)
        x = flatten(x)
        x = self.dropout3(tf.nn.relu(self.dense1(x)), training)
        return self.dense2(x)


class BasicBlock(tf.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(
        self, inputs: int, outputs: int, stride: int, *, projection: bool, dtype: tf.DType
    ) -> None:
        super().__init__()
        self.stride = stride
        self.widening = outputs - inputs
        self.conv1 = Conv(inputs, outputs, 3, stride, padding=1, bias=False, dtype=dtype)
        self.norm1 = BatchNorm(outputs, dtype=dtype)
        self.conv2 = Conv(outputs, outputs, 3, padding=1, bias=False, dtype=dtype)
        self.norm2 = BatchNorm(outputs, dtype=dtype)
        self.projection = projection and stride > 1
        if self.projection:
            self.conv3 = Conv(inputs, outputs, 1, stride, bias=False, dtype=dtype)
            self.norm3 = BatchNorm(outputs, dtype=dtype)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        y = tf.nn.relu(self.norm1(self.conv1(x), training))
        y = self.norm2(self.conv2(y), training)
        return tf.nn.relu(y + self.shortcut(x, training))

    def shortcut(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        if self.stride == 1:
            return x
        if self.projection:
            return self.norm3(self.conv3(x), training)
        # Every other pixel, and zeros for the channels that are new: no parameters.
        x = x[:, :: self.stride, :: self.stride, :]
        return tf.pad(x, [[0, 0], [0, 0], [0, 0], [0, self.widening]])


class ResNet(tf.Module):
    """Stages of basic blocks, He et al., arXiv:1512.03385, section 4.2."""

    def __init__(
        self, widths: tuple[int, ...], blocks: int, *, projection: bool, dtype: tf.DType
    ) -> None:
        super().__init__()
        self.conv1 = Conv(3, widths[0], 3, padding=1, bias=False, dtype=dtype)
        self.norm1 = BatchNorm(widths[0], dtype=dtype)
        self.blocks = []
        inputs = widths[0]
        for width in widths:
            for _ in range(blocks):
                stride = 1 if inputs == width else 2
                block = BasicBlock(inputs, width, stride, projection=projection, dtype=dtype)
                self.blocks.append(block)
                inputs = width
        self.dense1 = Dense(inputs, 10, dtype=dtype)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        x = tf.nn.relu(self.norm1(self.conv1(x), training))
        for block in self.blocks:
            x = block(x, training)
        x = tf.reduce_mean(x, [1, 2])
        return self.dense1(x)


NETWORKS: dict[str, Callable[..., tf.Module]] = {
    "listing1": Listing1,
    "listing3": Listing3,
    "rosetta": Rosetta,
    "resnet20": partial(ResNet, (16, 32, 64), 3, projection=False),
    "resnet18": partial(ResNet, (64, 128, 256, 512), 2, projection=True),
    "resnet18-narrow": partial(ResNet, (8, 16, 32, 64), 2, projection=True),
}
