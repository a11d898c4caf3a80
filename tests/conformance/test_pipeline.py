"""The framework's own way from a data set on disk to batches, and training through it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from bench import certificate, enlarged
from bench.contract import Images, Implementation, Pipeline, Source, Trainer, Trial
from bench.data import Dataset
from bench.enlarge import enlarge
from bench.memory import held_bytes
from bench.scenarios import pipeline as scenario
from bench.weights import initial_weights
from bench.workloads import IMAGE_SHAPE
from tests.conformance.conftest import BATCH, BUILD, IMAGES, plain

Asked = Callable[..., Trial]

SOURCES = get_args(Source)
STEPS = IMAGES // BATCH
"""An epoch."""


@pytest.fixture
def pipeline(implementation: Implementation, build: BUILD, mode: str) -> Pipeline:
    """As in a worker: settings of the process are made before anything is read."""
    build(plain("listing1"), mode)
    found: Pipeline = import_module(f"impls.{implementation.name}.pipeline")
    return found


@pytest.fixture
def asked(implementation: Implementation, mode: str) -> Asked:
    """A trial of ``mode``, of a data set of so many images."""

    def trial(source: Source, images: int = IMAGES, seed: int = 0, threads: int = 1) -> Trial:
        made = certificate.trial(implementation.name, mode, plain("listing1"), "fp32")
        workload = plain("listing1")
        return replace(
            made, workload=workload, source=source, images=images, seed=seed, threads=threads
        )

    return trial


def epochs(pipeline: Pipeline, trial: Trial, data: Dataset) -> Iterator[Images]:
    """Epoch after epoch, as two arrays."""
    assert trial.source
    folder = enlarge(data, trial.source, trial.images, lambda _: None)
    feed = iter(getattr(pipeline, trial.source)(trial, folder))
    while True:
        read = [pipeline.delivered(batch) for batch in islice(feed, trial.images // BATCH)]
        yield (
            np.concatenate([images for images, _ in read]),
            np.concatenate([labels for _, labels in read]),
        )


def sorted_by_pixels(
    images: NDArray[np.uint8], labels: NDArray[np.int32]
) -> tuple[NDArray[np.uint8], list[int]]:
    rows = images.reshape(len(images), -1)
    order = np.lexsort(rows.T[::-1])
    return rows[order], labels[order].tolist()


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("times", "threads"), [(1, 1), (3, 1), (3, 2)])
def test_every_image_comes_once_an_epoch_in_a_shuffled_order(
    pipeline: Pipeline, asked: Asked, data: Dataset, source: Source, times: int, threads: int
) -> None:
    trial = asked(source, times * IMAGES, threads=threads)
    chosen = enlarged.order(data.train_labels, trial.images)
    whole = sorted_by_pixels(data.train_images[chosen], data.train_labels[chosen])
    first, second = islice(epochs(pipeline, trial, data), 2)
    for images, labels in (first, second):
        assert images.dtype == np.uint8
        assert images.shape == (trial.images, *IMAGE_SHAPE)
        pixels, found = sorted_by_pixels(images, labels)
        assert (pixels == whole[0]).all()
        assert found == whole[1]
    assert (first[0] != data.train_images[chosen]).any()


@pytest.mark.parametrize("source", SOURCES)
def test_seeds_shuffle_and_repeat(
    pipeline: Pipeline, asked: Asked, data: Dataset, source: Source
) -> None:
    once, again, other = (
        next(epochs(pipeline, asked(source, seed=seed), data))[0] for seed in (1, 1, 2)
    )
    assert (once == again).all()
    assert (once != other).any()


@pytest.mark.parametrize("source", SOURCES)
def test_training_through_it_takes_the_same_steps(
    pipeline: Pipeline, build: BUILD, asked: Asked, mode: str, data: Dataset, source: Source
) -> None:
    trial = asked(source)
    trainer: Trainer = build(trial.workload, mode)
    images, labels = next(epochs(pipeline, trial, data))
    start = initial_weights(trial.workload.network, 7)
    trainer.load_data(images, labels)
    trainer.load_weights(start)
    trainer.train(np.arange(IMAGES, dtype=np.int32).reshape(STEPS, BATCH))
    expected = trainer.weights()

    laps = []

    def lap() -> bool:
        laps.append(trainer.weights())
        return len(laps) < STEPS // 2

    trainer.load_weights(start)
    opened = getattr(pipeline, source)(trial, enlarged.folder(data, source, IMAGES))
    pipeline.train(trainer, opened, 2, lap)
    assert len(laps) == STEPS // 2
    found = trainer.weights()
    for name, value in expected.items():
        assert np.allclose(found[name], value, rtol=1e-4, atol=1e-6), name
        assert not np.allclose(laps[0][name], value, rtol=1e-4, atol=1e-6), name


def test_an_array_is_not_read_into_memory(pipeline: Pipeline, asked: Asked, tmp_path: Path) -> None:
    """Three gigabytes that are a hole in a file: what is read of them, and no more, is there."""
    trial = asked("array", 1_000_000 // BATCH * BATCH)
    shape = (trial.images, *IMAGE_SHAPE)
    np.lib.format.open_memmap(tmp_path / "images.npy", "w+", np.uint8, shape).flush()
    np.save(tmp_path / "labels.npy", np.zeros(trial.images, np.int32))
    before = held_bytes()
    feed = iter(pipeline.array(trial, tmp_path))
    for _ in range(10):
        images, _ = pipeline.delivered(next(feed))
        assert not images.any()
    after = held_bytes()
    assert before is not None
    assert after is not None
    assert after - before < np.prod(shape) / 10


@pytest.mark.parametrize("source", SOURCES)
def test_the_harness_agrees_with_what_is_delivered(
    pipeline: Pipeline, asked: Asked, data: Dataset, source: Source
) -> None:
    trial = asked(source)
    opened = getattr(pipeline, source)(trial, enlarge(data, source, IMAGES, lambda _: None))
    scenario.check(islice(opened, scenario.checked(trial)), pipeline, trial, data)
