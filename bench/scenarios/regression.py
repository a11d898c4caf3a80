"""Did training become slower, larger or worse? A few chunks, as many in every process."""

from functools import partial
from math import ceil
from statistics import median
from types import ModuleType

from bench import clock
from bench.clock import LEAST_CHUNK, chunk, without_collector
from bench.contract import Trainer, Trial
from bench.inputs import Inputs
from bench.memory import peak_resident_bytes
from bench.records import Regression
from bench.scenarios import step
from bench.scenarios.epoch import accuracy

CHUNKS = 10
"""That are timed. A process counts once, and takes seconds before its first one; where a machine's
pace changes from one to the next, more of them say more."""
WARM_UP = 2
"""Chunks before them; one may be a single step."""


def measure(_module: ModuleType, trainer: Trainer, inputs: Inputs, trial: Trial) -> Regression:
    """Take the same steps from the same weights, however fast: times, and what was learned.

    A trial that says how many ``steps`` are a chunk begins at once. One that does not is the first
    of its state: it finds out, and whether the clock can be believed, for all that follow. Raises
    ``clock.Void`` if not.
    """
    steps = trial.steps or _steps(trainer, inputs)
    trainer.load_data(inputs.of_epoch(0), inputs.labels)
    trainer.load_weights(inputs.weights)
    rows = step.batches(inputs)
    for _ in range(WARM_UP):
        trainer.train(rows(steps))
    with without_collector():
        timed = tuple(
            chunk(partial(trainer.train, rows(steps)), steps, trainer.compilations)
            for _ in range(CHUNKS)
        )
    host, device = peak_resident_bytes(), trainer.peak_device_bytes()
    return Regression(
        timed=timed,
        accuracy=accuracy(trainer, inputs),
        compilations=trainer.compilations(),
        peak_host_bytes=host,
        peak_device_bytes=device,
    )


def _steps(trainer: Trainer, inputs: Inputs) -> int:
    """So many that they last ``LEAST_CHUNK``: what a call costs is the same in both states."""
    steady = step.measure(trainer, inputs, 0.0, least=1)
    clock.check(steady)
    return ceil(LEAST_CHUNK / median(found.wall / found.steps for found in steady.chunks))
