"""The input pipeline that JAX' users are sent to: Grain.

Tutorial: https://google-grain.readthedocs.io/en/latest/tutorials/dataset_basic_tutorial.html
(Grain 0.2).
"""

from collections.abc import Callable, Iterable
from functools import cache
from itertools import islice
from pathlib import Path

import grain
import jax
import numpy as np
from absl import flags
from numpy.typing import NDArray
from PIL import Image

from bench.contract import Images, Trial
from impls.jax.trainer import JaxTrainer


def files(trial: Trial, folder: Path) -> grain.IterDataset:
    names = sorted(map(str, folder.glob("*/*.png")))

    def load(name: str) -> tuple[NDArray[np.uint8], np.int32]:
        label = np.int32(name.rsplit("/", 2)[-2])
        return np.asarray(Image.open(name)), label

    size = trial.workload.batch_size
    images = shuffled(grain.MapDataset.source(names), trial).map(load)
    return endless(images.batch(size, drop_remainder=True), trial)


def array(trial: Trial, folder: Path) -> grain.IterDataset:
    def read(batch: NDArray[np.int64]) -> Images:
        return mapped(folder / "images.npy")[batch], mapped(folder / "labels.npy")[batch]

    numbers = shuffled(grain.MapDataset.range(trial.images), trial)
    batches = numbers.batch(trial.workload.batch_size, drop_remainder=True)
    return endless(batches.map(read), trial)


@cache
def mapped(path: Path) -> NDArray:
    """An array on disk, mapped anew by each of Grain's workers: it would be sent to them whole."""
    return np.load(path, mmap_mode="r")


def shuffled(images: grain.MapDataset, trial: Trial) -> grain.MapDataset:
    """Another order every epoch."""
    return images.seed(trial.seed).shuffle()


def endless(batches: grain.MapDataset, trial: Trial) -> grain.IterDataset:
    """Epoch after epoch, with a worker for each processor but the one that trains."""
    # By default 16 threads keep 500 elements ready, which here are batches: more memory than the
    # network takes, and whatever is timed first would find them there.
    ahead = grain.ReadOptions(num_threads=trial.threads, prefetch_buffer_size=2 * trial.threads)
    read = batches.repeat().to_iter_dataset(ahead)
    if trial.threads > 1:
        # Grain's workers ask for flags of Abseil, which are parsed in programs that are Abseil's.
        flags.FLAGS.mark_as_parsed()
        read = read.mp_prefetch(grain.MultiprocessingOptions(num_workers=trial.threads - 1))
    return read


def delivered(batch: Images) -> Images:
    images, labels = batch
    return images, labels


def train(
    trainer: JaxTrainer, batches: Iterable[Images], steps: int, lap: Callable[[], bool]
) -> None:
    feed = iter(batches)
    going = True
    while going:
        for images, labels in islice(feed, steps):
            rows = np.arange(len(labels), dtype=np.int32)[np.newaxis]
            trainer.state, _ = trainer.train_steps(trainer.state, images, labels, rows)
        jax.block_until_ready(trainer.state)
        going = lap()
