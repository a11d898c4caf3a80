"""Training steps, on images that are on the device."""

from math import isfinite

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.contract import Trainer, Trial
from bench.inputs import Inputs

STEPS = 10
"""Of a call: what a call costs around its steps, in Keras all that ``fit`` does, is shared."""


@pytest.mark.parametrize("workload", ["listing1", "listing3"])
def test_steps(benchmark: BenchmarkFixture, trial: Trial, trainer: Trainer, given: Inputs) -> None:
    trainer.load_data(given.images, given.labels)
    trainer.load_weights(given.weights)
    rows = given.epochs[0][:STEPS]
    trainer.train(rows)  # what it traces or compiles is not timed
    benchmark.group = f"{STEPS} training steps, {trial.workload.name}"
    benchmark.extra_info["steps"] = STEPS
    assert isfinite(benchmark(trainer.train, rows))
