"""Is the trainer as fast as the framework's own example? Both in turns, on the same network."""

from types import ModuleType

from bench.contract import Trainer, Trial
from bench.inputs import Inputs
from bench.records import Example
from bench.scenarios.overhead import in_turns, loop


def measure(_module: ModuleType, trainer: Trainer, inputs: Inputs, trial: Trial) -> Example:
    """Time chunks of both, for ``trial.seconds`` at least."""
    own, example = in_turns(trainer, loop("example", inputs, trial), inputs, trial.seconds)
    return Example(trainer=own, example=example)
