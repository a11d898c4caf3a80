"""Would a difference be found that is known to be there? Chunks with more steps than they count."""

from functools import partial
from types import ModuleType

import numpy as np

from bench.clock import chunk, without_collector
from bench.contract import Trainer, Trial
from bench.inputs import Inputs
from bench.records import Calibration, Chunk, Series

BATCH_SIZES = (3, 4, 5, 6)
"""Small, so that a chunk has steps enough for one more to be a few per cent."""
PLANTED = ((20, 0), (33, 1), (20, 1), (20, 2))
"""Steps counted, and steps beyond them: 0%, 3%, 5%, 10%. About as many in each: the first
step of a chunk is slower, which would pass for a difference between short chunks and long ones."""
CHUNKS = 2


def measure(_module: ModuleType, trainer: Trainer, inputs: Inputs, trial: Trial) -> Calibration:
    """Time chunks of each batch size and each slow-down, in turns, in another order every time.

    In one order the first of a batch size would always meet what the size before it left in the
    caches, and so would the calibration beside it: 2.7% of CPU time over calibration.
    """
    generator = np.random.default_rng(trial.seed)
    trainer.load_data(inputs.of_epoch(0), inputs.labels)
    trainer.load_weights(inputs.weights)
    rows = {
        (size, counted, planted): np.resize(
            np.arange(len(inputs.labels), dtype=np.int32), (counted + planted, size)
        )
        for size in BATCH_SIZES
        for counted, planted in PLANTED
    }
    chunks: dict[tuple[int, int, int], list[Chunk]] = {kind: [] for kind in rows}
    for given in rows.values():
        trainer.train(given[:2])
    with without_collector():
        for _ in range(CHUNKS):
            for place in generator.permutation(len(rows)):
                kind = tuple(rows)[place]
                chunks[kind].append(chunk(partial(trainer.train, rows[kind]), kind[1]))
    return Calibration(
        series=tuple(
            Series(batch_size=size, counted=counted, planted=planted, chunks=tuple(found))
            for (size, counted, planted), found in chunks.items()
        )
    )
