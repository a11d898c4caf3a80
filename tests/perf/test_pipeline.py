"""The framework's own way from a data set on disk to batches, which nobody trains on."""

from collections import deque
from dataclasses import replace
from importlib import import_module
from itertools import islice
from typing import get_args

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.contract import Pipeline, Source, Trial
from bench.data import Dataset
from bench.enlarge import enlarge
from bench.workloads import IMAGE_SHAPE
from tests.perf.trial import TRAIN_IMAGES


@pytest.mark.usefixtures("trainer")  # as in a worker: it makes the process' settings
@pytest.mark.parametrize("source", get_args(Source))
@pytest.mark.parametrize("workload", ["listing1"])
def test_batches(benchmark: BenchmarkFixture, trial: Trial, data: Dataset, source: Source) -> None:
    asked = replace(trial, source=source, images=TRAIN_IMAGES)
    pipeline: Pipeline = import_module(f"impls.{trial.framework}.pipeline")
    folder = enlarge(data, source, asked.images, lambda _: None)
    feed = iter(getattr(pipeline, source)(asked, folder))
    size = asked.workload.batch_size

    def epoch() -> object:
        """All batches of one; the last of them."""
        return deque(islice(feed, asked.images // size), maxlen=1).pop()

    epoch()  # its threads start, and read ahead
    benchmark.group = f"epoch of {asked.images} images from {source}"
    benchmark.extra_info["images"] = asked.images
    images, _ = pipeline.delivered(benchmark(epoch))
    assert images.shape == (size, *IMAGE_SHAPE)
