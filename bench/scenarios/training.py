"""How fast does it train, and does it learn? Steady steps, then epochs with their accuracy."""

from types import ModuleType

from bench import clock
from bench.contract import Trainer, Trial
from bench.inputs import Inputs
from bench.memory import peak_resident_bytes
from bench.records import Training
from bench.scenarios import ceiling, epoch, step


def measure(module: ModuleType, trainer: Trainer, inputs: Inputs, trial: Trial) -> Training:
    """Time steady steps for ``trial.seconds``, then its epochs, then what the device can do.

    Raises ``clock.Void`` when the clock cannot be believed.
    """
    steady = step.measure(trainer, inputs, trial.seconds)
    clock.check(steady)
    epochs = epoch.measure(trainer, inputs)
    peak = peak_resident_bytes()
    return Training(
        steady=steady,
        epochs=epochs,
        peak_host_bytes=peak,
        peak_device_bytes=trainer.peak_device_bytes(),
        ceiling=ceiling.measure(module.kernels(trial)),
    )
