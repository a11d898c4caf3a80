"""How long until the first step is done, compilation included?"""

from bench.clock import timed
from bench.contract import Trainer
from bench.inputs import Inputs


def measure(trainer: Trainer, inputs: Inputs) -> float:
    """Seconds of the first step a freshly built trainer takes."""
    trainer.load_data(inputs.of_epoch(0), inputs.labels)
    trainer.load_weights(inputs.weights)
    _, elapsed = timed(lambda: trainer.train(inputs.epochs[0][:1]))
    return elapsed.wall
