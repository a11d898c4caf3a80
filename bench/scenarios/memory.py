"""How much memory does training take? A pass of its own, of one batch size; nothing is timed."""

import numpy as np

from bench.contract import Trainer, Trial
from bench.inputs import Inputs
from bench.memory import peak_resident_bytes, reset_peak
from bench.records import Memory

STEPS = 5
"""After the first few steps no framework was seen to take more."""


def measure(trainer: Trainer, inputs: Inputs, trial: Trial, baseline: int | None) -> Memory:
    """Train a few steps of ``trial.batch_size`` with a trainer that has done nothing yet.

    ``baseline`` is what was resident before it was built. In a fresh process, because allocators
    keep what they once had, and before the certificate, whose batches have another size.
    """
    reset_peak()
    trainer.load_data(inputs.of_epoch(0), inputs.labels)
    trainer.load_weights(inputs.weights)
    rows = np.arange(STEPS * trial.batch_size, dtype=np.int32) % len(inputs.labels)
    for batch in rows.reshape(STEPS, 1, trial.batch_size):
        trainer.train(batch)
    return Memory(
        batch_size=trial.batch_size,
        baseline_host_bytes=baseline,
        peak_host_bytes=peak_resident_bytes(),
        peak_device_bytes=trainer.peak_device_bytes(),
    )
