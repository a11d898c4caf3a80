"""Records: what is kept of every trial, as one line of JSON. Standard library only.

Schema history (raise ``SCHEMA`` with every change of a field or its meaning):

1   first.
2   ``certificate`` and status ``not equivalent``; workloads with Nesterov momentum, weight decay,
    schedule, dropout and augmentation.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from bench.certificate import Certificate
from bench.contract import Trial
from bench.data import DatasetInfo

SCHEMA = 2
RECORDS = "records.jsonl"

Status = Literal["ok", "error", "timeout", "out of memory", "not equivalent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where a run took place."""

    system: str
    """Operating system and kernel."""
    cpu: str
    cores: int
    """Logical processors this process may use."""
    memory_bytes: int
    gpu: str | None
    gpu_driver: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Which version of the suite measured. ``commit`` is None outside a git checkout."""

    commit: str | None
    dirty: bool
    digest: str
    """SHA-256 over the sources of ``bench`` and ``impls``: equal digests are equal suites."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Software:
    """What a worker found loaded in its own process."""

    python: str
    versions: dict[str, str]
    """Version of each of the implementation's distributions, and of NumPy."""
    libraries: dict[str, str]
    """Native libraries under the framework: oneDNN, CUDA, cuDNN, XLA... as it reports them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One timed pass over the training images; evaluation is outside ``seconds``."""

    steps: int
    images: int
    seconds: float
    cpu_seconds: float
    """CPU time of the worker, all threads, over the same interval."""
    loss: float | None
    """Mean training loss of the epoch's steps; None when it is no finite number (diverged)."""
    test_accuracy: float
    """Share of the test images classified correctly after the epoch, 0..1."""

    def __post_init__(self) -> None:
        if not (self.steps > 0 and self.images > 0 and self.seconds > 0):
            raise ValueError("an epoch has steps, images and seconds")
        if not 0 <= self.test_accuracy <= 1:
            raise ValueError("a test accuracy is a share, 0 to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What a worker measured in one trial that ran to its end."""

    software: Software
    inputs: str
    """SHA-256 of initial weights, batch order and images: equal digests, equal training."""
    import_seconds: float
    build_seconds: float
    first_step_seconds: float
    """The first training step, compilation included."""
    epochs: tuple[Epoch, ...]
    peak_host_bytes: int | None
    """The worker's resident set at its highest, as the kernel accounts it (VmHWM)."""
    peak_device_bytes: int | None
    """Device memory at its highest, as the framework accounts it."""
    threads_used: int
    """Threads alive in the worker at the end."""

    def __post_init__(self) -> None:
        if not self.epochs:
            raise ValueError("a measurement has at least one epoch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One trial and how it ended. A failure is a record too, never a gap."""

    schema: int
    run: str
    trial: Trial
    position: int
    """The trial's place in the run's shuffled order, from 0."""
    started: str
    """UTC, ISO 8601."""
    seconds: float
    """Wall time of the whole process, start to end."""
    status: Status
    message: str
    """Empty when ``ok``, else one line that says why. Text from outside: show it as text."""
    dataset: DatasetInfo
    machine: Machine
    code: Code
    certificate: Certificate | None
    """Of a trial that came so far; passed where ``ok``, failed where ``not equivalent``."""
    measurement: Measurement | None
    sampled_host_bytes: int | None
    """Resident sets of the worker and its children, summed, the highest of the samples taken."""
    sampled_device_bytes: int | None
    """Device memory in use beyond what was before the trial (NVML), the highest of the samples."""

    def __post_init__(self) -> None:
        if (self.status == "ok") != (self.measurement is not None):
            raise ValueError("a record has a measurement exactly when its status is ok")
        failed = self.certificate is not None and self.certificate.failure != ""
        if (self.status == "ok" and (self.certificate is None or failed)) or (
            (self.status == "not equivalent") != failed
        ):
            raise ValueError(
                "a record is ok with a passed certificate, not equivalent with a failed"
            )


def append_record(folder: Path, record: Record) -> None:
    """Add one line to the run's records, durably, in a single write."""
    line = json.dumps(asdict(record), separators=(",", ":"), allow_nan=False) + "\n"
    descriptor = os.open(folder / RECORDS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
