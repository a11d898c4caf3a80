"""Keras' own input pipelines: ``image_dataset_from_directory`` for files, else a ``PyDataset``.

Tutorial: https://keras.io/examples/vision/image_classification_from_scratch/ (Keras 3.15).
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from bench.contract import Images, Trial
from bench.workloads import IMAGE_SHAPE
from impls.keras.trainer import KerasTrainer, on


class Rows(keras.utils.PyDataset):
    """A memory-mapped array, of which a whole batch is read at a time."""

    def __init__(self, trial: Trial, folder: Path) -> None:
        super().__init__(workers=trial.threads)
        self.images = np.load(folder / "images.npy", mmap_mode="r")
        self.labels = np.load(folder / "labels.npy", mmap_mode="r")
        self.size = trial.workload.batch_size
        # Of two epochs, because threads that read ahead are in the next one.
        self.order = lru_cache(maxsize=2)(
            lambda epoch: np.random.default_rng([trial.seed, epoch]).permutation(trial.images)
        )

    @property
    def num_batches(self) -> None:
        """There is no last one."""

    def __getitem__(self, index: int) -> Images:
        epoch, number = divmod(index, len(self.labels) // self.size)
        batch = self.order(epoch)[number * self.size :][: self.size]
        return self.images[batch], self.labels[batch]


def files(trial: Trial, folder: Path) -> Any:
    """Shuffled as a whole once, and on TensorFlow within eight batches from then on."""
    height, width, _ = IMAGE_SHAPE
    batches = keras.utils.image_dataset_from_directory(
        folder,
        batch_size=trial.workload.batch_size,
        image_size=(height, width),
        seed=trial.seed,
        format=on.FORMAT,
        verbose=False,
    )
    return on.endless(batches)


def array(trial: Trial, folder: Path) -> Rows:
    return Rows(trial, folder)


def delivered(batch: tuple[Any, Any]) -> Images:
    images, labels = (ops.convert_to_numpy(part) for part in batch)
    # Keras delivers the images of files as float32.
    return images.astype(np.uint8), labels.astype(np.int32)


class Lap(keras.callbacks.Callback):
    """Calls ``lap`` after as many steps as make one; False ends the training."""

    def __init__(self, lap: Callable[[], bool]) -> None:
        super().__init__()
        self.lap = lap

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        on.finish([variable.value for variable in self.model.variables])
        self.model.stop_training = not self.lap()


def train(trainer: KerasTrainer, batches: Any, steps: int, lap: Callable[[], bool]) -> None:
    trainer.model.fit(
        batches,
        steps_per_epoch=steps,
        epochs=2**31,
        shuffle=False,  # they come shuffled
        callbacks=[Lap(lap)],
        verbose=0,
    )
