"""What does a step cost, and what an image in it? Steps over batch sizes."""

from functools import partial
from types import ModuleType

import numpy as np

from bench.clock import LEAST_CHUNK, chunk, timed, without_collector
from bench.contract import Trainer, Trial
from bench.inputs import Inputs
from bench.memory import out_of_memory
from bench.records import Chunk, Rung, Sweep

BATCH_SIZES = (8, 16, 32, 64, 128, 256, 512, 1024)
LEAST_CHUNKS = 5


def measure(_module: ModuleType, trainer: Trainer, inputs: Inputs, trial: Trial) -> Sweep:
    """Time chunks of steps of each of ``BATCH_SIZES`` in turn, for ``trial.seconds`` at least.

    A batch size above the number of images is not measured; one for which memory does not suffice
    is the last.
    """
    trainer.load_data(inputs.of_epoch(0), inputs.labels)
    trainer.load_weights(inputs.weights)
    rungs: list[Rung] = []
    stopped = ""
    for size in BATCH_SIZES:
        if size > len(inputs.labels):
            stopped = f"{size} is more than the {len(inputs.labels)} images there are"
            break
        try:
            rungs.append(_rung(trainer, size, inputs, trial.seconds))
        except Exception as error:
            if not out_of_memory(error):
                raise
            stopped = f"out of memory at {size}"
            break
    return Sweep(rungs=tuple(rungs), stopped=stopped)


def _rung(trainer: Trainer, size: int, inputs: Inputs, seconds: float) -> Rung:
    order = np.resize(np.arange(len(inputs.labels), dtype=np.int32), (1, size))
    _, first = timed(lambda: trainer.train(order))
    _, once = timed(lambda: trainer.train(order))
    steps = max(1, round(LEAST_CHUNK / once.wall))
    batches = np.resize(order, (steps, size))
    trainer.train(batches)
    chunks: list[Chunk] = []
    with without_collector():
        while len(chunks) < LEAST_CHUNKS or sum(c.wall for c in chunks) < seconds:
            chunks.append(chunk(partial(trainer.train, batches), steps, trainer.compilations))
    return Rung(batch_size=size, first_step_seconds=first.wall, chunks=tuple(chunks))
