"""Is the trainer as fast as the framework's own example? Both in turns, on the same network."""

from types import ModuleType

from bench.contract import Trainer, Trial
from bench.inputs import Inputs
from bench.records import Example
from bench.scenarios.overhead import beside, loop


def measure(_module: ModuleType, trainer: Trainer, inputs: Inputs, trial: Trial) -> Example:
    """Time chunks of both, of the trainer for ``trial.seconds`` at least."""
    own, example = beside(trainer, loop("example", inputs, trial), inputs, trial)
    return Example(trainer=own, example=example)
