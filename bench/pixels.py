"""Decoded images and labels that have no name yet: what every decoder and generator returns."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data import Dataset, DatasetInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """Images ``[N, 32, 32, 3]`` uint8 (rows from the top, red first) and labels ``[N]`` int32."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int32]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int32]

    def digest(self) -> str:
        """SHA-256 of training images, training labels, test images and test labels, in order.

        Images go in as their bytes, labels as little-endian 32-bit integers: the same data has the
        same digest on every machine, whatever file it came from.
        """
        state = hashlib.sha256()
        for images, labels in (
            (self.train_images, self.train_labels),
            (self.test_images, self.test_labels),
        ):
            state.update(np.ascontiguousarray(images).data)
            state.update(np.ascontiguousarray(labels, dtype="<i4").data)
        return state.hexdigest()

    def named(self, name: str) -> Dataset:
        """The data set ``bench.data.save_dataset`` writes; reads every pixel for its digest."""
        info = DatasetInfo(
            name=name,
            digest=self.digest(),
            train_images=len(self.train_images),
            test_images=len(self.test_images),
        )
        return Dataset(
            info=info,
            train_images=self.train_images,
            train_labels=self.train_labels,
            test_images=self.test_images,
            test_labels=self.test_labels,
        )
