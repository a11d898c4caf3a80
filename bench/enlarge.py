"""Writes a data set to disk in any size; ``bench.enlarged`` says what and where."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import Source
from bench.data import Dataset
from bench.enlarged import folder, order
from bench.errors import UserError
from bench.files import new_folder
from bench.workloads import CLASSES, IMAGE_SHAPE

ROWS = 50_000
"""Of an array that are written at once."""
ALLOWANCE = 2**29
"""Bytes of disk that stay free: for records, and what frameworks compile."""
LARGEST_FILE = 4096
"""Bytes that a file of one image takes, folder included, for the estimate of what is needed."""


def enlarge(data: Dataset, source: Source, images: int, report: Callable[[str], None]) -> Path:
    """The folder that holds ``images`` training images of a prepared data set, made if missing.

    ``report`` gets a line before what takes long. A folder is there whole or not at all. Raises
    ``UserError`` where the disk has no room for it, or it cannot be written.
    """
    made = folder(data, source, images)
    if made.is_dir():
        return made
    report(f"writing {images:,} images to {made}, once")
    try:
        if source == "array":
            _check_room(made.parent, images * int(np.prod(IMAGE_SHAPE)))
            with new_folder(made) as unfinished:
                _write_array(unfinished, data, order(data.train_labels, images))
        else:
            _check_room(made.parent, len(data.train_labels) * LARGEST_FILE)
            encoded = _encoded(made.with_name("png"), data)
            with new_folder(made) as unfinished:
                _link(unfinished, encoded, data, order(data.train_labels, images))
    except OSError as error:
        raise UserError(
            f"{made}: cannot be written ({error.strerror or error}); "
            "name a folder with room in FCB_CACHE"
        ) from None
    return made


def _check_room(where: Path, wanted: int) -> None:
    free = shutil.disk_usage(where).free
    if free < wanted + ALLOWANCE:
        raise UserError(
            f"{where}: {free / 2**30:.1f} GiB are free, {(wanted + ALLOWANCE) / 2**30:.1f} are "
            "needed; ask for fewer with --images, or name another folder in FCB_CACHE"
        )


def _write_array(target: Path, data: Dataset, chosen: NDArray[np.intp]) -> None:
    shape = (len(chosen), *IMAGE_SHAPE)
    images = np.lib.format.open_memmap(target / "images.npy", "w+", np.uint8, shape)
    for start in range(0, len(chosen), ROWS):
        images[start : start + ROWS] = data.train_images[chosen[start : start + ROWS]]
    images.flush()
    np.save(target / "labels.npy", data.train_labels[chosen])


def _encoded(made: Path, data: Dataset) -> Path:
    """The folder with every training image as a file of its own, made if missing."""
    # Whoever measures no pipeline needs no Pillow.
    from PIL import Image

    if not made.is_dir():
        with new_folder(made) as unfinished:
            _make_classes(unfinished)
            for image, name in zip(data.train_images, _names(data.train_labels), strict=True):
                Image.fromarray(image).save(unfinished / name)
    return made


def _link(target: Path, encoded: Path, data: Dataset, chosen: NDArray[np.intp]) -> None:
    _make_classes(target)
    originals = _names(data.train_labels)
    for name, original in zip(_names(data.train_labels[chosen]), chosen, strict=True):
        os.link(encoded / originals[original], target / name)


def _make_classes(target: Path) -> None:
    for label in range(CLASSES):
        (target / str(label)).mkdir()


def _names(labels: NDArray[np.int32]) -> list[str]:
    return [f"{label}/{number:08d}.png" for number, label in enumerate(labels)]
