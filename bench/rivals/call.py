"""What is timed, whoever times it. Runs in the workers."""

import os
from collections.abc import Callable
from functools import partial
from importlib import import_module

import numpy as np

from bench.contract import Trainer, Trial
from bench.weights import initial_weights
from bench.workloads import WORKLOADS

STEPS = "FCB_STEPS"
"""Environment variable: steps that a call takes."""

TRIAL = Trial(
    framework="pytorch",
    mode="eager",
    workload=WORKLOADS["listing3"],
    device="cpu",
    precision="fp32",
    threads=1,
    block=0,
    seed=0,
    train_images=512,
    test_images=1,
    epochs=1,
)


def call() -> Callable[[], float]:
    """A call that trains ``STEPS`` steps of one image each."""
    trainer: Trainer = import_module(f"impls.{TRIAL.framework}.trainer").build(TRIAL)
    generator = np.random.default_rng(0)
    trainer.load_data(
        generator.integers(0, 256, (TRIAL.train_images, 32, 32, 3), dtype=np.uint8),
        generator.integers(0, 10, TRIAL.train_images, dtype=np.int32),
    )
    trainer.load_weights(initial_weights(TRIAL.workload.network, TRIAL.seed))
    return partial(trainer.train, np.arange(int(os.environ[STEPS]), dtype=np.int32)[:, np.newaxis])
