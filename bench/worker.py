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
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from bench import certificate
from bench.clock import timed
from bench.contract import Implementation, Trainer, Trial, trial_from_json
from bench.data import open_dataset
from bench.inputs import inputs
from bench.memory import peak_resident_bytes, threads
from bench.records import Measurement, Software
from bench.scenarios import startup, training

PR_SET_PDEATHSIG = 1
"""From ``linux/prctl.h``."""

OUT_OF_MEMORY = ("out of memory", "OutOfMemory", "RESOURCE_EXHAUSTED", "OOM when", "can't allocate")
"""How PyTorch, XLA and TensorFlow say it."""


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


def run(trial: Trial, dataset: Path, reference: Path) -> dict[str, Any]:
    """Import the framework, build the trainer, earn the certificate, measure."""
    implementation: Implementation = import_module(f"impls.{trial.framework}").IMPLEMENTATION
    module, imported = timed(lambda: import_module(f"impls.{trial.framework}.trainer"))
    trainer, built = timed(lambda: module.build(trial))
    given = inputs(trial, open_dataset(dataset))
    first_step = startup.measure(trainer, given)
    earned = earn(trainer, module, trial, certificate.load(reference))
    if earned.failure:
        return {
            "status": "not equivalent",
            "message": earned.failure,
            "certificate": asdict(earned),
        }
    measurement = Measurement(
        software=_software(implementation, module),
        inputs=given.digest(),
        import_seconds=imported.wall,
        build_seconds=built.wall,
        first_step_seconds=first_step,
        epochs=training.measure(trainer, given),
        peak_host_bytes=peak_resident_bytes(),
        peak_device_bytes=trainer.peak_device_bytes(),
        threads_used=threads(),
    )
    return {"measurement": asdict(measurement), "certificate": asdict(earned)}


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
    pixels, _ = certificate.images(workload, 0)
    logits = trainer.logits(pixels[: workload.batch_size])
    return certificate.certify_evaluation(logits, reference, earned)


def failure(error: Exception) -> dict[str, str]:
    """Status and one-line message of a trial that raised ``error``."""
    message = f"{type(error).__name__}: {error}"
    exhausted = isinstance(error, MemoryError) or any(sign in message for sign in OUT_OF_MEMORY)
    return {"status": "out of memory" if exhausted else "error", "message": message}


def _software(implementation: Implementation, module: ModuleType) -> Software:
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
