"""What is TensorFlow's alone.

It normalises in float32 by a fused kernel, and in float64, where it has none, otherwise. What is
proven in float64 is therefore not what is timed; here the two are held against each other.

And it decodes JPEG by a fast method unless told otherwise, so pipelines are given PNG.
"""

import io
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench import synthetic
from bench.contract import Implementation


@pytest.fixture
def networks(implementation: Implementation) -> Any:
    if implementation.name != "tensorflow":
        pytest.skip("only TensorFlow has two ways")
    return import_module("impls.tensorflow.networks")


@pytest.mark.parametrize("count", [2, 8])
def test_the_fused_normalisation_is_the_unfused_one(networks: Any, count: int) -> None:
    tf = import_module("tensorflow")
    random = np.random.default_rng(count)
    x = tf.constant(random.normal(1, 2, (count, 4, 4, 3)), tf.float32)
    weights = random.uniform(0.5, 1.5, (4, 3))
    upstream = tf.constant(random.normal(size=x.shape), tf.float32)

    def trained(way: str) -> list[Any]:
        layer = networks.BatchNorm(3, dtype=tf.float32)
        variables = (layer.scale, layer.bias, layer.mean, layer.variance)
        for variable, value in zip(variables, weights, strict=True):
            variable.assign(value)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, True) if way == "fused" else layer.train_unfused(x)
            total = tf.reduce_sum(y * upstream)
        gradients = tape.gradient(total, (x, layer.scale, layer.bias))
        return [y, layer.mean, layer.variance, *gradients]

    for fused, unfused in zip(trained("fused"), trained("unfused"), strict=True):
        np.testing.assert_allclose(fused, unfused, rtol=2e-5, atol=2e-5)


def test_at_the_batch_that_is_timed_the_fused_normalisation_is_off_by_no_more(
    networks: Any,
) -> None:
    tf = import_module("tensorflow")
    images = np.random.default_rng(0).normal(1, 2, (128, 32, 32, 16))
    layer = networks.BatchNorm(16, dtype=tf.float32)
    start = layer.variance.numpy()
    output = layer(tf.constant(images, tf.float32), True).numpy()
    mean, variance = images.mean((0, 1, 2)), images.var((0, 1, 2), ddof=1)
    moved = (layer.variance.numpy() - 0.9 * start) / 0.1
    expected = (images - mean) / np.sqrt(images.var((0, 1, 2)) + 1e-5)
    for name, deviation in (("variance", moved / variance - 1), ("output", output - expected)):
        print(f"{name} off by {np.abs(deviation).max():.1e}")
        assert np.abs(deviation).max() < 3e-4


@pytest.mark.usefixtures("networks")
def test_jpeg_is_decoded_otherwise_than_elsewhere_unless_told() -> None:
    """Once this fails, ``bench.enlarged`` may as well write JPEG."""
    tf = import_module("tensorflow")
    off: dict[str, list[int]] = {"": [], "INTEGER_ACCURATE": []}
    for image in synthetic.synthesize(20, 10).train_images:
        encoded = io.BytesIO()
        Image.fromarray(image).save(encoded, "JPEG", quality=95)
        expected = np.asarray(Image.open(encoded)).astype(int)
        for method, found in off.items():
            decoded = tf.io.decode_jpeg(encoded.getvalue(), channels=3, dct_method=method)
            found.append(int(np.abs(decoded.numpy() - expected).max()))
    assert max(off["INTEGER_ACCURATE"]) == 0
    assert min(off[""]) > 0
    assert max(off[""]) > 10
