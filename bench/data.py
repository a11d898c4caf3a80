"""A prepared data set, as the workers see it, and the order in which it is trained on.

``bench.sources`` prepares a folder from an archive, images or a seed; this module opens it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import UserError
from bench.workloads import CLASSES, IMAGE_SHAPE


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInfo:
    """What identifies a data set: results of different digests are never compared."""

    name: str
    """``cifar10``, ``cifar10-batches``, ``cifar10-jpeg``, ``images`` or ``synthetic``."""
    digest: str
    """SHA-256 of the pixels and labels, in order, as 64 hexadecimal digits."""
    train_images: int
    test_images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Images ``[N, 32, 32, 3]`` uint8 and labels ``[N]`` int32, 0..9; memory-mapped, read-only."""

    info: DatasetInfo
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int32]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int32]
    folder: Path | None = None
    """Where it was prepared; None if it is in memory alone."""


def open_dataset(folder: Path) -> Dataset:
    """Open a prepared data set without reading its pixels.

    Raises ``UserError`` when the folder does not hold what ``save_dataset`` writes.
    """
    try:
        info = DatasetInfo(**json.loads((folder / "info.json").read_text(encoding="utf-8")))
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{folder}: no prepared data set ({error}); delete it and run again"
        ) from None
    for part, count in (("train", info.train_images), ("test", info.test_images)):
        images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        if (images.shape, images.dtype) != ((count, *IMAGE_SHAPE), np.uint8) or (
            (labels.shape, labels.dtype) != ((count,), np.int32)
        ):
            raise UserError(f"{folder}: arrays do not match info.json; delete it and run again")
    return Dataset(info=info, folder=folder, **arrays)


def save_dataset(folder: Path, dataset: Dataset) -> None:
    """Write a prepared data set into ``folder``, which exists; ``info.json`` comes last."""
    for name in _ARRAYS:
        np.save(folder / f"{name}.npy", getattr(dataset, name))
    (folder / "info.json").write_text(json.dumps(asdict(dataset.info)), encoding="utf-8")


_ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


def balanced_subset(labels: NDArray[np.int32], count: int) -> NDArray[np.intp]:
    """Indices of the first ``count`` images, taken class by class in turn, in ascending order.

    Image folders are sorted by class, so "the first 1,000" would be 1,000 airplanes. Which images
    are chosen depends on the labels alone. ``count`` at or above ``len(labels)`` selects all.
    """
    if count >= len(labels):
        return np.arange(len(labels))
    rank = np.empty(len(labels), dtype=np.intp)
    for label in range(CLASSES):
        members = np.flatnonzero(labels == label)
        rank[members] = np.arange(len(members))
    return np.sort(np.lexsort((labels, rank))[:count])


def batch_order(seed: int, epoch: int, images: int, batch_size: int) -> NDArray[np.int32]:
    """Batches of one epoch: ``[images // batch_size, batch_size]`` indices, each at most once.

    Every epoch is shuffled anew; images that do not fill a last batch sit out that epoch, so that
    every step does the same work.
    """
    steps = images // batch_size
    order = np.random.default_rng([seed, _STREAM, epoch]).permutation(images)
    return order[: steps * batch_size].reshape(steps, batch_size).astype(np.int32)


AUGMENTATION_MARGIN = 4
"""Pixels an image is shifted by at most, along each axis (He et al., arXiv:1512.03385, 4.2)."""


def augment(images: NDArray[np.uint8], seed: int, epoch: int) -> NDArray[np.uint8]:
    """Shift every image at random by up to 4 pixels, black moving in, and mirror every other one.

    ``[N, 32, 32, 3]`` to the same shape. Shifts are uniform over all 81; half of the images, chosen
    at random, are mirrored left to right. Which image gets what depends on seed and epoch alone:
    it is done here, once, and is the same for every framework.
    """
    generator = np.random.default_rng([seed, _AUGMENTATION_STREAM, epoch])
    count, height, width, _ = images.shape
    margin = AUGMENTATION_MARGIN
    top, left = generator.integers(0, 2 * margin + 1, (2, count))
    mirrored: NDArray[np.bool] = generator.random((count, 1)) < 0.5
    padded = np.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    rows = top[:, np.newaxis] + np.arange(height)
    across = np.where(mirrored, np.arange(width)[::-1], np.arange(width))
    columns = left[:, np.newaxis] + across
    image = np.arange(count)[:, None, None]
    shifted: NDArray[np.uint8] = padded[image, rows[:, :, None], columns[:, None, :]]
    return shifted


_AUGMENTATION_STREAM = 3
_STREAM = 2
"""Keeps the order's random numbers apart from those of the weights (``bench.weights``)."""
