"""PyTorch's own input pipeline: a ``DataLoader``, over torchvision's ``ImageFolder`` for files.

Tutorial: https://docs.pytorch.org/tutorials/beginner/basics/data_tutorial.html (PyTorch 2.15).
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from bench.contract import Images, Trial
from impls.pytorch.trainer import PyTorchTrainer, channels_first, synchronize

Batch = tuple[Tensor, Tensor]


class Batches:
    """What a loader delivers, epoch after epoch."""

    def __init__(self, loader: DataLoader[Batch]) -> None:
        self.loader = loader

    def __iter__(self) -> Iterator[Batch]:
        while True:
            yield from self.loader


class Rows(Dataset[Batch]):
    """A memory-mapped array, of which a whole batch is read at a time."""

    def __init__(self, folder: Path) -> None:
        self.images = np.load(folder / "images.npy", mmap_mode="r")
        self.labels = np.load(folder / "labels.npy", mmap_mode="r")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, batch: list[int]) -> Batch:
        return channels_first(self.images[batch]), torch.from_numpy(self.labels[batch]).long()


def files(trial: Trial, folder: Path) -> Batches:
    # By Pillow, which is ImageFolder's default: torchvision's own decoders are on their way out
    # (https://docs.pytorch.org/vision/0.29/io.html).
    images = ImageFolder(folder, transform=v2.PILToTensor())
    return Batches(
        DataLoader(
            images,
            trial.workload.batch_size,
            sampler=shuffled(images, trial),
            drop_last=True,
            **options(trial),
        )
    )


def array(trial: Trial, folder: Path) -> Batches:
    rows = Rows(folder)
    batches = BatchSampler(shuffled(rows, trial), trial.workload.batch_size, drop_last=True)
    # https://docs.pytorch.org/docs/2.15/data.html#disable-automatic-batching: a batch by one read
    # of the array, not put together from as many as there are images in it.
    return Batches(DataLoader(rows, batch_size=None, sampler=batches, **options(trial)))


def shuffled(images: Dataset, trial: Trial) -> RandomSampler:
    """Another order every epoch."""
    return RandomSampler(images, generator=torch.Generator().manual_seed(trial.seed))


def options(trial: Trial) -> dict[str, Any]:
    """A worker for each processor but the one that trains: none where that is the only one."""
    workers = trial.threads - 1
    return {
        "num_workers": workers,
        "persistent_workers": workers > 0,
        "pin_memory": trial.device == "cuda",
    }


def delivered(batch: Batch) -> Images:
    images, labels = batch
    return images.numpy().transpose(0, 2, 3, 1), labels.numpy().astype(np.int32)


def train(
    trainer: PyTorchTrainer, batches: Iterable[Batch], steps: int, lap: Callable[[], bool]
) -> None:
    trainer.model.train()
    feed = iter(batches)
    going = True
    while going:
        for images, labels in islice(feed, steps):
            trainer.step(
                images.to(trainer.device, memory_format=trainer.mode.layout, non_blocking=True),
                labels.to(trainer.device, non_blocking=True),
            )
        synchronize(trainer.device)
        going = lap()
