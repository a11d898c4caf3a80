"""A data set on disk in any size, for input pipelines to read: as image files, and as one array.

Beside a prepared data set (``bench.data``), written by ``bench.enlarge``, in folders of its own:

``png/<label>/<number>.png``                 every training image, once
``files-<images>/<label>/<number>.png``      as many as asked for
``array-<images>/{images,labels}.npy``       the same

More images than there are come about by taking all of them again and again. Files beyond the first
time are hard links: they are found, opened and decoded like others, but what of them is in the
system's page cache is there once. Arrays are written in full. PNG, because decoders of JPEG differ
in how they round: TensorFlow's default is off by more than 10 of 255 from Pillow's.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import Source
from bench.data import Dataset, balanced_subset


def folder(data: Dataset, source: Source, images: int) -> Path:
    """Where it is kept. Raises ``ValueError`` for data that are in memory alone."""
    if data.folder is None:
        raise ValueError("a data set in memory has no folder")
    return data.folder / f"{source}-{images}"


def order(labels: NDArray[np.int32], images: int) -> NDArray[np.intp]:
    """Which training images make up a data set of so many, in order: ``[images]`` indices.

    All as often as they fit in, then a part with as many of each class.
    """
    times, rest = divmod(images, len(labels))
    part = balanced_subset(labels, rest) if rest else np.arange(0)
    return np.concatenate([np.tile(np.arange(len(labels)), times), part])
