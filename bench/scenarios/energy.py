"""How much energy does training take? Of a GPU, by its own counter."""

import time
from collections.abc import Callable
from types import ModuleType

from bench.contract import Trainer, Trial
from bench.inputs import Inputs
from bench.nvml import joules
from bench.records import Energy
from bench.scenarios.step import batches

WINDOW = 5.0
"""Seconds at least: the counter moves every 20 to 100 ms, so an error of 2% at most."""
IDLE = 1.0
"""Seconds that the GPU rests before its idle power is taken."""


def measure(_module: ModuleType, trainer: Trainer, inputs: Inputs, trial: Trial) -> Energy:
    """Read the counter around a window of rest and one of training.

    Raises ``RuntimeError`` where there is no counter: a device without one has no energy, not zero.
    """
    trainer.load_data(inputs.of_epoch(0), inputs.labels)
    trainer.load_weights(inputs.weights)
    time.sleep(IDLE)
    idle, _ = _spent(lambda: time.sleep(WINDOW))
    rows = batches(inputs)
    window = max(WINDOW, trial.seconds)
    steps = 0

    def train() -> None:
        nonlocal steps
        end = time.perf_counter() + window
        while time.perf_counter() < end:
            trainer.train(rows(len(inputs.epochs[0])))
            steps += len(inputs.epochs[0])

    taken, seconds = _spent(train)
    return Energy(
        images=steps * trial.workload.batch_size,
        seconds=seconds,
        joules=taken,
        idle_watts=idle / WINDOW,
    )


def _spent(work: Callable[[], None]) -> tuple[float, float]:
    """Joules and seconds."""
    before, begin = joules(), time.perf_counter()
    work()
    seconds = time.perf_counter() - begin
    return joules() - before, seconds
