"""How fast does a framework's own input pipeline deliver images, and how does training fare by it?

The pipeline is the file ``pipeline.py`` of an implementation; what it reads, ``bench.enlarged``
made. It is timed alone, and training is timed through it and, for comparison, on images that are on
the device already.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from hashlib import blake2b
from importlib import import_module
from itertools import islice
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from bench import enlarged
from bench.clock import Void, begin, chunk, chunk_steps, end, timed, without_collector
from bench.contract import Pipeline, Trainer, Trial
from bench.data import Dataset
from bench.inputs import Inputs
from bench.memory import held_bytes
from bench.records import Chunk
from bench.records import Pipeline as Measured
from bench.scenarios.step import prepared
from bench.workloads import IMAGE_SHAPE

LEAST_CHUNKS = 5
CHECKED = 64
"""Batches, at most, that are compared with the data set."""


def measure(_module: ModuleType, trainer: Trainer, inputs: Inputs, trial: Trial) -> Measured:
    """Time all three, for ``trial.seconds`` each at least.

    Raises ``Void`` if something else is delivered than the images that were asked for.
    """
    pipeline: Pipeline = import_module(f"impls.{trial.framework}.pipeline")
    assert trial.source is not None  # noqa: S101 - the plan of a pipeline's trial names one
    opened = getattr(pipeline, trial.source)
    folder = enlarged.folder(inputs.data, trial.source, trial.images)
    held_before = held_bytes()

    def open_first() -> tuple[Iterator[object], object]:
        feed = iter(opened(trial, folder))
        return feed, next(feed)

    (feed, first), opening = timed(open_first)
    check((first, *islice(feed, checked(trial) - 1)), pipeline, trial, inputs.data)
    alone = read_alone(feed, trial.seconds)
    held = held_bytes()
    # What it has read ahead, and the threads that do so, must not go on beside the training.
    del feed, first
    rows, steps = prepared(trainer, inputs)
    resident: list[Chunk] = []
    with without_collector():
        while not enough(resident, trial.seconds):
            given = rows(steps)
            resident.append(chunk(partial(trainer.train, given), steps))
    return Measured(
        first_batch_seconds=opening.wall,
        alone=alone,
        resident=tuple(resident),
        through=train_through(pipeline, trainer, opened(trial, folder), steps, trial.seconds),
        held_before_bytes=held_before,
        held_bytes=held,
    )


def checked(trial: Trial) -> int:
    """How many batches are compared with the data set: an epoch, or ``CHECKED``."""
    return min(CHECKED, trial.images // trial.workload.batch_size)


def check(read: Iterable[object], pipeline: Pipeline, trial: Trial, data: Dataset) -> None:
    """Raise ``Void`` unless the batches hold images of the data set, none of them too often."""
    chosen = enlarged.order(data.train_labels, trial.images)
    times = np.bincount(chosen, minlength=len(data.train_labels))
    left: Counter[bytes] = Counter()
    for number in np.flatnonzero(times):
        left[_digest(data.train_images[number], data.train_labels[number])] += int(times[number])
    for batch in read:
        images, labels = pipeline.delivered(batch)
        if images.shape != (trial.workload.batch_size, *IMAGE_SHAPE) or images.dtype != np.uint8:
            raise Void(f"the pipeline delivers {images.dtype} {list(images.shape)} as a batch")
        for image, label in zip(images, labels, strict=True):
            digest = _digest(image, label)
            if not left[digest]:
                raise Void(
                    f"the pipeline delivers an image with label {label} that the data set does not "
                    "have, or has not so often"
                )
            left[digest] -= 1


def _digest(image: NDArray[np.uint8], label: np.integer) -> bytes:
    return blake2b(image.tobytes(), digest_size=16, salt=bytes([int(label)])).digest()


def read_alone(feed: Iterator[object], seconds: float) -> tuple[Chunk, ...]:
    """Chunks of batches that are taken and let go."""

    def read(batches: int) -> None:
        for _ in islice(feed, batches):
            pass

    steps = chunk_steps(read)
    chunks: list[Chunk] = []
    with without_collector():
        while not enough(chunks, seconds):
            chunks.append(chunk(lambda: read(steps), steps))
    return tuple(chunks)


def train_through(
    pipeline: Pipeline, trainer: Trainer, batches: Iterable[object], steps: int, seconds: float
) -> tuple[Chunk, ...]:
    """Chunks of so many ``steps`` on what the pipeline delivers.

    The first, in which the pipeline starts and a framework may compile, is left out.
    """
    chunks: list[Chunk] = []
    with without_collector():
        begun = begin()

        def lap() -> bool:
            nonlocal begun
            chunks.append(end(begun, steps))
            begun = begin()
            return not enough(chunks[1:], seconds)

        pipeline.train(trainer, batches, steps, lap)
    return tuple(chunks[1:])


def enough(chunks: list[Chunk], seconds: float) -> bool:
    """Whether they are as many, and last as long, as they should."""
    return len(chunks) >= LEAST_CHUNKS and sum(chunk.wall for chunk in chunks) >= seconds
