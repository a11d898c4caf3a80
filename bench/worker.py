"""One trial in this process: ``python -P -m bench.worker DATASET PIPE < trial.json``.

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
from dataclasses import asdict
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.clock import timed
from bench.contract import Implementation, Trial
from bench.data import open_dataset
from bench.memory import peak_resident_bytes, threads
from bench.records import Measurement, Software
from bench.scenarios import training
from bench.workloads import Optimizer, Workload

PR_SET_PDEATHSIG = 1
"""From ``linux/prctl.h``."""

OUT_OF_MEMORY = ("out of memory", "OutOfMemory", "RESOURCE_EXHAUSTED", "OOM when", "can't allocate")
"""How PyTorch, XLA and TensorFlow say it."""


def main(dataset: str, pipe: str) -> None:
    """Run the trial and write ``{"measurement": ...}`` or ``{"status": ..., "message": ...}``."""
    _die_with_parent(int(pipe))
    trial = trial_from_json(sys.stdin.read())
    try:
        outcome: dict[str, Any] = {"measurement": asdict(run(trial, Path(dataset)))}
    except Exception as error:  # noqa: BLE001 - whatever a framework raises becomes a record
        outcome = failure(error)
    with os.fdopen(int(pipe), "w", encoding="utf-8") as file:
        json.dump(outcome, file)


def run(trial: Trial, dataset: Path) -> Measurement:
    """Import the framework, build the trainer, measure."""
    implementation: Implementation = import_module(f"impls.{trial.framework}").IMPLEMENTATION
    module, imported = timed(lambda: import_module(f"impls.{trial.framework}.trainer"))
    trainer, built = timed(lambda: module.build(trial))
    result = training.measure(trainer, trial, open_dataset(dataset))
    return Measurement(
        software=_software(implementation, module),
        inputs=result.inputs,
        import_seconds=imported.wall,
        build_seconds=built.wall,
        first_step_seconds=result.first_step_seconds,
        epochs=result.epochs,
        peak_host_bytes=peak_resident_bytes(),
        peak_device_bytes=trainer.peak_device_bytes(),
        threads_used=threads(),
    )


def trial_from_json(text: str) -> Trial:
    """The inverse of ``json.dumps(asdict(trial))``. Raises ``TypeError`` for other fields."""
    fields = json.loads(text)
    workload = fields.pop("workload")
    optimizer = Optimizer(**workload.pop("optimizer"))
    return Trial(workload=Workload(optimizer=optimizer, **workload), **fields)


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
