import numpy as np
import pytest

from bench import synthetic
from bench.pixels import Pixels
from bench.synthetic import SHAPES, synthesize


@pytest.fixture(scope="module")
def default() -> Pixels:
    return synthesize()


def test_same_pixels_on_every_machine_and_numpy(default: Pixels) -> None:
    # Changes only together with synthetic.VERSION.
    assert synthetic.VERSION == 1
    assert default.digest() == "d9748315a9050d6afa47ce9f7c3797b29d6be68633f9c172a9c760429c67782b"


def test_arrays_are_as_a_dataset_has_them(default: Pixels) -> None:
    assert default.train_images.shape == (10_000, 32, 32, 3)
    assert default.test_images.shape == (2_000, 32, 32, 3)
    assert default.train_images.dtype == default.test_images.dtype == np.uint8
    assert default.train_labels.dtype == default.test_labels.dtype == np.int32


def test_classes_are_equally_frequent_so_chance_is_ten_percent(default: Pixels) -> None:
    assert np.bincount(default.train_labels).tolist() == [1_000] * 10
    assert np.bincount(default.test_labels).tolist() == [200] * 10


def test_no_image_comes_twice(default: Pixels) -> None:
    images = np.concatenate([default.train_images, default.test_images])
    assert len({image.tobytes() for image in images}) == len(images)


def test_colour_alone_does_not_give_the_class_away(default: Pixels) -> None:
    # A nearest-centroid classifier on each image's mean and spread of every channel.
    def colours(images: np.ndarray) -> np.ndarray:
        return np.concatenate([images.mean(axis=(1, 2)), images.std(axis=(1, 2))], axis=1)

    train, test = colours(default.train_images), colours(default.test_images)
    centroids = np.stack([train[default.train_labels == label].mean(axis=0) for label in range(10)])
    distances = np.linalg.norm(test[:, None] - centroids[None], axis=2)
    assert (distances.argmin(axis=1) == default.test_labels).mean() < 0.2


def test_shapes_differ_in_more_than_a_tenth_of_their_area() -> None:
    # Else two classes would be one to the eye. Each mask is drawn without shift, turn or noise.
    axis = np.linspace(-1.2, 1.2, 64, dtype=np.float32)
    v, u = np.meshgrid(axis, axis, indexing="ij")
    masks = [shape(u[None], v[None])[0] > 0 for shape in SHAPES.values()]
    for first in range(len(masks)):
        for second in range(first):
            differing = np.sum(masks[first] ^ masks[second])
            assert differing > 0.1 * np.sum(masks[first] | masks[second])


@pytest.mark.parametrize("count", [0, -10, 15])
def test_counts_that_cannot_be_shared_equally_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match="cannot be shared equally"):
        synthesize(train_images=count, test_images=10)
