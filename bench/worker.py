"""One trial in this process: ``python -P -m bench.worker DATASET REFERENCE PIPE < trial.json``.

The trial comes as JSON on standard input, the outcome goes as JSON to the inherited descriptor
``PIPE``: what a framework prints cannot corrupt it. ``-P`` keeps the working folder off the module
path, where ``impls/jax`` could be taken for JAX.
"""

import ctypes
import json
import os
import platform
import select
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib import import_module, metadata
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

from bench import certificate
from bench.calibration import calibrate
from bench.clock import Void, timed
from bench.contract import Implementation, Scenario, Trainer, Trial, trial_from_json
from bench.data import open_dataset
from bench.inputs import Inputs, inputs
from bench.memory import out_of_memory, resident_bytes, threads
from bench.records import Measurement, Result, Software
from bench.scenarios import (
    calibration,
    energy,
    example,
    first_step,
    inference,
    memory,
    mistakes,
    overhead,
    pipeline,
    regression,
    startup,
    sweep,
    training,
)

CALIBRATIONS = 20
"""Before the framework is imported; a tenth of a second."""

PR_SET_PDEATHSIG = 1
"""From ``linux/prctl.h``."""


def main(dataset: str, reference: str, pipe: str) -> None:
    """Run the trial and write what of it is known: measurement, certificate, status, message."""
    answer(int(pipe), lambda trial: run(trial, Path(dataset), Path(reference)))


def answer(pipe: int, work: Callable[[Trial], dict[str, Any]]) -> None:
    """Do ``work`` on the trial on standard input; write what it returns, or why it failed."""
    _die_with_parent(pipe)
    trial = trial_from_json(sys.stdin.read())
    try:
        outcome = work(trial)
    except Exception as error:  # noqa: BLE001 - whatever a framework raises becomes a record
        outcome = failure(error)
    with os.fdopen(pipe, "w", encoding="utf-8") as file:
        json.dump(outcome, file)
        file.write("\n")  # It is whole: the harness does not wait for the process to end.


def run(trial: Trial, dataset: Path, reference: Path) -> dict[str, Any]:
    """Import the framework, build the trainer, earn the certificate, measure."""
    ready = prepare(trial, dataset)
    module, trainer, given = ready.module, ready.trainer, ready.inputs
    # Memory is looked at before the certificate takes its own.
    taken = memory.measure(trainer, given, trial, ready.baseline) if trial.batch_size else None
    first_step_seconds = first_step.measure(trainer, given)
    earned = earn(trainer, module, trial, certificate.load(reference))
    if not earned.failure and ready.implementation.modes[trial.mode].multistep:
        earned = earn_together(trainer, trial, certificate.load(reference), earned)
    if earned.failure:
        return {
            "status": "not equivalent",
            "message": earned.failure,
            "certificate": asdict(earned),
        }
    try:
        result = taken or SCENARIOS[trial.scenario](module, trainer, given, trial)
    except Void as void:
        return {"status": "void", "message": str(void), "certificate": asdict(earned)}
    measurement = measured(ready, first_step_seconds, result)
    return {"measurement": asdict(measurement), "certificate": asdict(earned)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A trainer that was built just now, what it is given, and how long that took."""

    implementation: Implementation
    module: ModuleType
    trainer: Trainer
    inputs: Inputs
    calibration: float
    """As in ``bench.records.Measurement``."""
    import_seconds: float
    build_seconds: float
    baseline: int | None
    """Bytes resident after the framework was imported, before anything was built."""


def prepare(trial: Trial, dataset: Path) -> Ready:
    """Import the framework and build the trainer; take from the data set what the trial names."""
    implementation: Implementation = import_module(f"impls.{trial.framework}").IMPLEMENTATION
    calibration = median(calibrate() for _ in range(CALIBRATIONS))
    module, imported = timed(lambda: import_module(f"impls.{trial.framework}.trainer"))
    baseline = resident_bytes()
    trainer, built = timed(lambda: module.build(trial))
    return Ready(
        implementation=implementation,
        module=module,
        trainer=trainer,
        inputs=inputs(trial, open_dataset(dataset)),
        calibration=calibration,
        import_seconds=imported.wall,
        build_seconds=built.wall,
        baseline=baseline,
    )


def measured(ready: Ready, first_step_seconds: float, result: Result) -> Measurement:
    """All that is recorded of a trial that ran to its end."""
    return Measurement(
        software=software(ready.implementation, ready.module),
        inputs=ready.inputs.digest(),
        import_seconds=ready.import_seconds,
        build_seconds=ready.build_seconds,
        first_step_seconds=first_step_seconds,
        threads_used=threads(),
        calibration=ready.calibration,
        result=result,
    )


SCENARIOS: Mapping[Scenario, Callable[[ModuleType, Trainer, Inputs, Trial], Result]] = {
    "training": training.measure,
    "inference": inference.measure,
    "startup": startup.measure,
    "sweep": sweep.measure,
    "energy": energy.measure,
    "pipeline": pipeline.measure,
    "overhead": overhead.measure,
    "example": example.measure,
    "mistakes": mistakes.measure,
    "regression": regression.measure,
    "calibration": calibration.measure,
}
"""What is done with a trainer that has earned its certificate; a memory pass is done before."""


def earn(
    trainer: Trainer, module: ModuleType, trial: Trial, reference: certificate.Trace
) -> certificate.Certificate:
    """Certify ``trainer``, in the mode and with the batches that are timed.

    Where it has dropout, a second one without takes the steps, and of the first one only what it
    does in evaluation is compared.
    """
    workload = certificate.without_dropout(trial.workload)
    tolerance = certificate.tolerance(trial)
    if not trial.workload.dropout:
        found = certificate.trace(trainer, workload, trial.train_images)
        return certificate.certify(found, reference, workload, tolerance)
    plain = module.build(replace(trial, workload=workload))
    found = certificate.trace(plain, workload, trial.train_images)
    earned = certificate.certify(found, reference, workload, tolerance)
    trainer.load_weights(certificate.start(workload))
    pixels, _ = certificate.images(workload)
    logits = trainer.logits(pixels[: workload.batch_size])
    return certificate.certify_evaluation(logits, reference, earned)


def earn_together(
    trainer: Trainer, trial: Trial, reference: certificate.Trace, earned: certificate.Certificate
) -> certificate.Certificate:
    """Hold to the certificate also what a single call with all rows does, where that is compiled.

    With dropout this is left out: then the trainer that was certified is not this one.
    """
    if trial.workload.dropout:
        return earned
    found = certificate.trace(trainer, trial.workload, trial.train_images, together=True)
    return certificate.certify_together(found, reference, trial.workload, earned)


def failure(error: Exception) -> dict[str, str]:
    """Status and one-line message of a trial that raised ``error``."""
    status = "out of memory" if out_of_memory(error) else "error"
    return {"status": status, "message": f"{type(error).__name__}: {error}"}


def software(implementation: Implementation, module: ModuleType) -> Software:
    """What is loaded in this process; ``module`` is the implementation's trainer."""
    versions = {}
    for name in (*implementation.distributions, "numpy"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # one of two names for the same framework
            continue
    return Software(
        python=platform.python_version(), versions=versions, libraries=module.libraries()
    )


def _die_with_parent(pipe: int) -> None:
    """A killed harness takes its worker along: an orphan would slow the resumed run's trials."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The harness may have died before: then nobody holds the other end of the pipe.
    poll = select.poll()
    poll.register(pipe, 0)
    if poll.poll(0):
        sys.exit("the harness is gone")


if __name__ == "__main__":
    main(*sys.argv[1:])
