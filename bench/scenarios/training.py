"""How fast does it train, and does it learn? Steady steps, then epochs with their accuracy."""

from statistics import median
from types import ModuleType

from bench import clock
from bench.contract import Trainer, Trial
from bench.inputs import Inputs
from bench.memory import peak_resident_bytes
from bench.records import Steady, Training
from bench.scenarios import ceiling, epoch, step
from bench.workloads import training_operations


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
        ceiling=ceiling.measure(module.kernels(trial), trial.device, achieved(steady, trial)),
    )


def achieved(steady: Steady, trial: Trial) -> float:
    """Floating-point operations per second of steady steps (``workloads.training_operations``)."""
    per_step = median(chunk.wall / chunk.steps for chunk in steady.chunks)
    return training_operations(trial.workload.network) * trial.workload.batch_size / per_step
