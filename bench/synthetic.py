"""Images drawn from a fixed seed, for machines that have no data set and no network.

Ten classes of shapes (``SHAPES``), each image with its own place, size, angle, colours, stripes and
noise, all drawn the same way for every class, so that only the form tells them apart.

Everything is drawn with ``+ - * /``, square roots and comparisons, which IEEE 754 defines to the
last bit. Sines and exponentials differ in that bit between processors, and so would the digest:
hence the waves are triangle waves, and directions are normalised random vectors.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bench.pixels import Pixels
from bench.workloads import CLASSES, IMAGE_SHAPE

SEED = 20260
VERSION = 1
"""Raise with every change of what is drawn: prepared copies of older versions are then not used."""
TRAIN_IMAGES = 10_000
TEST_IMAGES = 2_000

# How hard the images are. The figure is the brighter of an image's two colours, is upright and near
# the middle within these limits: with either colour brighter, any angle and any place, the average
# image of every class is the same, and plain SGD at learning rate 0.01 was still at chance
# (0.10) after five epochs. As it is, PyTorch 2.15 on a CPU reached these test accuracies with all
# images and the workloads of bench.workloads: listing1 0.44 after 1 epoch, 0.78 after 5, 0.88 after
# 10; listing3 0.16 after 1, 0.73 after 5, 0.88 after 10.
RADIUS = (10, 14)
"""Half the extent of a figure, in pixels, from the smallest to the largest."""
SHIFT = 3
"""How far the figure's centre may be from the image's, in pixels, along each axis."""
TURN = 0.4
"""Sine of the largest angle a figure is turned by, either way."""
CONTRAST = (90, 180)
"""Distance between figure and ground, in their most different channel, of 255."""
STRIPES = 60
"""Largest difference between two stripes of one texture, in all channels, of 255."""
NOISE = 60
"""Width of the uniform noise of every pixel and channel, of 255."""

Plane = NDArray[np.floating]
"""A float32 for every pixel, ``[images, 32, 32]``, or for every image, ``[images, 1, 1]``."""


def synthesize(train_images: int = TRAIN_IMAGES, test_images: int = TEST_IMAGES) -> Pixels:
    """Draw a data set, every class as often as every other. The same numbers give the same pixels.

    Images of a part lie in the order of their labels: 0, 1, ... 9, 0, 1, ... Raises ``ValueError``
    when a count is not a positive multiple of ten.
    """
    train, test = (
        _part(np.random.Generator(np.random.PCG64([SEED, stream])), count)
        for stream, count in enumerate((train_images, test_images))
    )
    return Pixels(
        train_images=train[0], train_labels=train[1], test_images=test[0], test_labels=test[1]
    )


def _part(random: np.random.Generator, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    if count <= 0 or count % CLASSES:
        raise ValueError(f"{count} images cannot be shared equally among {CLASSES} classes")
    images = np.empty((count, *IMAGE_SHAPE), dtype=np.uint8)
    for label, shape in enumerate(SHAPES.values()):
        images[label::CLASSES] = _draw(random, shape, count // CLASSES)
    return images, np.tile(np.arange(CLASSES, dtype=np.int32), count // CLASSES)


def _draw(
    random: np.random.Generator, shape: Callable[[Plane, Plane], Plane], count: int
) -> NDArray[np.uint8]:
    """``count`` images of one shape, ``[count, 32, 32, 3]``."""
    height, width, _ = IMAGE_SHAPE
    y, x = np.mgrid[:height, :width].astype(np.float32)
    radius = _uniform(random, count, *RADIUS)
    dx = x - _uniform(random, count, (width - 1) / 2 - SHIFT, (width - 1) / 2 + SHIFT)
    dy = y - _uniform(random, count, (height - 1) / 2 - SHIFT, (height - 1) / 2 + SHIFT)
    sine = _uniform(random, count, -TURN, TURN)
    cosine = np.sqrt(1 - sine * sine)
    u = (dx * cosine + dy * sine) / radius
    v = (dy * cosine - dx * sine) / radius
    # A pixel on the outline is mixed from both sides: coverage runs from 0 to 1 over one pixel.
    cover = np.clip(shape(u, v) * radius + 0.5, 0, 1)[..., None]

    ground, figure = _colours(random, count)
    ground_texture, figure_texture = (_stripes(random, count, x, y)[..., None] for _ in "gf")
    picture = (ground + ground_texture) * (1 - cover) + (figure + figure_texture) * cover
    noise = random.random(picture.shape, dtype=np.float32) - 0.5
    return np.clip(picture + NOISE * noise, 0, 255).astype(np.uint8)


def _uniform(random: np.random.Generator, count: int, low: float, high: float) -> Plane:
    return low + random.random((count, 1, 1), dtype=np.float32) * (high - low)


def _direction(random: np.random.Generator, count: int) -> tuple[Plane, Plane]:
    """Cosine and sine of a random angle; diagonal directions are somewhat more frequent."""
    x, y = (_uniform(random, count, -1, 1) for _ in "xy")
    length = np.sqrt(x * x + y * y) + 1e-6
    return x / length, y / length


def _colours(random: np.random.Generator, count: int) -> tuple[Plane, Plane]:
    """Ground and brighter figure, ``[count, 1, 1, 3]``, apart by ``CONTRAST``, of any hues."""
    middle = random.random((count, 1, 1, 3), dtype=np.float32) * 135 + 60
    way = random.random((count, 1, 1, 3), dtype=np.float32)
    way /= np.abs(way).max(axis=-1, keepdims=True) + 1e-6
    half = way * _uniform(random, count, *CONTRAST)[..., None] / 2
    return middle - half, middle + half


def _stripes(random: np.random.Generator, count: int, x: Plane, y: Plane) -> Plane:
    """Triangle waves of random direction, length, phase and height, around 0."""
    cosine, sine = _direction(random, count)
    length = _uniform(random, count, 4, 16)
    phase = (x * cosine + y * sine) / length + _uniform(random, count, 0, 1)
    wave = np.abs(phase - np.floor(phase) - 0.5) - 0.25
    return wave * _uniform(random, count, 0, 2 * STRIPES)


def _length(u: Plane, v: Plane) -> Plane:
    return np.asarray(np.sqrt(u * u + v * v))


def _within(*depths: Plane) -> Plane:
    """Depth in the intersection of several shapes."""
    return np.asarray(np.minimum.reduce(depths))


def _either(*depths: Plane) -> Plane:
    """Depth in the union of several shapes."""
    return np.asarray(np.maximum.reduce(depths))


def _box(u: Plane, v: Plane, width: float, height: float) -> Plane:
    """A rectangle around the origin, ``width`` and ``height`` from there to its sides."""
    return _within(width - np.abs(u), height - np.abs(v))


def _bars(u: Plane, v: Plane) -> Plane:
    return _either(_box(u, v, 1, 0.2), _box(u, np.abs(v) - 0.6, 1, 0.2))


def _checker(u: Plane, v: Plane) -> Plane:
    nearest_line = _within(np.abs(u), np.abs(v))
    return _within(_box(u, v, 0.9, 0.9), nearest_line * np.sign(u * v))


def _crescent(u: Plane, v: Plane) -> Plane:
    return _within(1 - _length(u, v), _length(u - 0.5, v) - 0.75)


def _cross(u: Plane, v: Plane) -> Plane:
    return _either(_box(u, v, 1, 0.3), _box(u, v, 0.3, 1))


def _disc(u: Plane, v: Plane) -> Plane:
    return 0.9 - _length(u, v)


def _dumbbell(u: Plane, v: Plane) -> Plane:
    return 0.48 - _length(np.abs(u) - 0.52, v)


def _frame(u: Plane, v: Plane) -> Plane:
    return _within(_box(u, v, 0.9, 0.9), -_box(u, v, 0.5, 0.5))


def _ring(u: Plane, v: Plane) -> Plane:
    return _within(0.97 - _length(u, v), _length(u, v) - 0.53)


def _square(u: Plane, v: Plane) -> Plane:
    return _box(u, v, 0.8, 0.8)


def _triangle(u: Plane, v: Plane) -> Plane:
    # Equilateral: 0.8660254 and 0.5 are the sine and cosine of 60 degrees.
    return 0.55 - _either(np.abs(u) * 0.8660254 + v * 0.5, -v)


SHAPES: dict[str, Callable[[Plane, Plane], Plane]] = {
    "bars": _bars,
    "checker": _checker,
    "crescent": _crescent,
    "cross": _cross,
    "disc": _disc,
    "dumbbell": _dumbbell,
    "frame": _frame,
    "ring": _ring,
    "square": _square,
    "triangle": _triangle,
}
"""Class to how deep a point lies inside its shape, in units of the shape's radius; < 0 is outside.

Points are given in the shape's own coordinates: centre 0, radius 1. The order is the labels'.
"""
