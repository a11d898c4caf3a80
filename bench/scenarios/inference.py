"""How fast does it answer? One image at a time, and many."""

from types import ModuleType

from bench.clock import LEAST_CHUNK, chunk, timed, without_collector
from bench.contract import Trainer, Trial
from bench.inputs import Inputs
from bench.records import Chunk, Inference

LATENCIES = 200
"""Calls with one image; the 99th percentile of them is made of the two slowest."""
WARM_UP = 20
BATCH = 256
LEAST_CHUNKS = 10


def measure(_module: ModuleType, trainer: Trainer, inputs: Inputs, trial: Trial) -> Inference:
    """Time calls with one image, each alone, then chunks of calls with ``BATCH`` images.

    The way of the images to the device, and of the logits back, is part of a call.
    """
    one = inputs.test_images[:1]
    for _ in range(WARM_UP):
        trainer.logits(one)
    with without_collector():
        latencies = tuple(timed(lambda: trainer.logits(one))[1].wall for _ in range(LATENCIES))
    many = inputs.test_images[:BATCH]
    trainer.logits(many)
    _, once = timed(lambda: trainer.logits(many))
    calls = max(1, round(LEAST_CHUNK / once.wall))

    def answer() -> None:
        for _ in range(calls):
            trainer.logits(many)

    chunks: list[Chunk] = []
    with without_collector():
        while len(chunks) < LEAST_CHUNKS or sum(c.wall for c in chunks) < trial.seconds:
            chunks.append(chunk(answer, calls))
    return Inference(latencies=latencies, batch_size=len(many), chunks=tuple(chunks))
