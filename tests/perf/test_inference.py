"""Logits of images in the host's memory: of one, as a service has it, and of many."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.contract import Trainer, Trial
from bench.inputs import Inputs
from bench.workloads import CLASSES


@pytest.mark.parametrize("images", [1, 256], ids=["one", "many"])
@pytest.mark.parametrize("workload", ["listing1", "listing3"])
def test_logits(
    benchmark: BenchmarkFixture, trial: Trial, trainer: Trainer, given: Inputs, images: int
) -> None:
    trainer.load_weights(given.weights)
    pixels = given.test_images[:images]
    trainer.logits(pixels)  # what it traces or compiles is not timed
    benchmark.group = f"inference of {images}, {trial.workload.name}"
    benchmark.extra_info["images"] = images
    assert benchmark(trainer.logits, pixels).shape == (images, CLASSES)
