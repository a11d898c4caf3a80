"""Records: what is kept of every trial, as one line of JSON. Standard library only.

Schema history (raise ``SCHEMA`` with every change of a field or its meaning):

1   first.
2   ``certificate`` and status ``not equivalent``; workloads with Nesterov momentum, weight decay,
    schedule, dropout and augmentation.
3   Trials have a scenario, measurements its result: steady training in calibrated chunks beside the
    epochs, inference, batch sweeps, memory and energy passes, and the suite's measurements of
    itself. Status ``void``. The state of the GPU before and after.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from bench.certificate import Certificate
from bench.contract import Trial
from bench.data import DatasetInfo

SCHEMA = 3
RECORDS = "records.jsonl"

Status = Literal["ok", "error", "timeout", "out of memory", "not equivalent", "void"]
"""``void``: a self-test of the clock failed, so what it measured is not kept."""


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
class Chunk:
    """Consecutive steps (or calls) timed as one, and what the machine was like meanwhile."""

    steps: int
    wall: float
    """Seconds, from fence to fence."""
    cpu: float
    """CPU seconds of the worker, all threads."""
    calibration: float
    """CPU seconds of the calibration kernel (``bench.calibration``), mean of before and after."""
    switches: int
    """Times the worker was taken off a processor against its will."""
    stolen: float
    """Seconds that a hypervisor took from the worker's processors, of all of them together."""
    compilations: int | None
    """Traces or compilations of the training step meanwhile, where the framework counts them."""

    def __post_init__(self) -> None:
        if not (self.steps > 0 and self.wall > 0 and self.calibration > 0):
            raise ValueError("a chunk has steps, time and a calibration")


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """Training as it goes on: chunk after chunk, warm-up included, and the clock's self-tests."""

    chunks: tuple[Chunk, ...]
    doubled: tuple[Chunk, ...]
    """Chunks of twice the steps, each right after one of the last of ``chunks``, in order."""
    read_seconds: float
    """Reading an updated weight back after the fence, the shortest of several times."""

    def __post_init__(self) -> None:
        if not 0 < len(self.doubled) <= len(self.chunks):
            raise ValueError("steady training has chunks, and doubled ones after some of them")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The most the device gave this framework, seconds of the fastest of several calls."""

    matmul: float
    conv: float
    copy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How fast it trains, and whether it learns."""

    steady: Steady
    ceiling: Ceiling
    epochs: tuple[Epoch, ...]
    peak_host_bytes: int | None
    """The worker's resident set at its highest, as the kernel accounts it (VmHWM)."""
    peak_device_bytes: int | None
    """Device memory at its highest, as the framework accounts it."""

    def __post_init__(self) -> None:
        if not self.epochs:
            raise ValueError("a training has at least one epoch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """Logits in evaluation mode."""

    latencies: tuple[float, ...]
    """Seconds of calls with one image, one after the other."""
    batch_size: int
    chunks: tuple[Chunk, ...]
    """Of calls with ``batch_size`` images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Startup:
    """Seconds from a process's start to the end of its first training step."""

    cold_seconds: float
    cached_seconds: float
    """Of a second process, with what the first one's compilers kept on disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A batch size of a sweep."""

    batch_size: int
    first_step_seconds: float
    """The first step of this batch size, compilation included."""
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Steps over batch sizes, ascending; a batch size that did not fit ends it."""

    rungs: tuple[Rung, ...]
    stopped: str
    """Why a larger batch size was not measured; empty if all were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A pass of its own, of one batch size, in which nothing is timed."""

    batch_size: int
    baseline_host_bytes: int | None
    """Resident after the framework was imported, before anything was built."""
    peak_host_bytes: int | None
    """The highest while it trained (VmHWM)."""
    peak_device_bytes: int | None
    """The same by the framework's own account of the device's memory."""
    smallest_cap_bytes: int | None
    """The least device memory that it still trains with, to 2%; None where there is no such cap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Of a GPU, by its own counter."""

    images: int
    seconds: float
    joules: float
    idle_watts: float
    """Before the training, over a window of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The framework's own way from a data set on disk to batches; which one, says the trial."""

    first_batch_seconds: float
    """From opening the data set to its first batch."""
    alone: tuple[Chunk, ...]
    """Of batches that nobody trains on."""
    resident: tuple[Chunk, ...]
    """Of steps on images that are on the device already."""
    through: tuple[Chunk, ...]
    """Of steps on batches as the pipeline delivers them."""
    held_before_bytes: int | None
    """Anonymous memory of the worker and its children before the data set was opened: what a
    process has of its own, without the pages of files that are mapped into it."""
    held_bytes: int | None
    """The same while batches were read alone, in the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """The trainer and a bare hand-written loop, in turns: pairs of chunks of as many steps."""

    trainer: tuple[Chunk, ...]
    bare: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """The trainer and the loop of the framework's own example, in turns, likewise."""

    trainer: tuple[Chunk, ...]
    example: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistakes:
    """Chunks of as many steps of the trainer: as it is timed, and with a mistake, in turns."""

    right: tuple[Chunk, ...]
    fed: tuple[Chunk, ...]
    """The images come from host memory meanwhile."""
    scored: tuple[Chunk, ...]
    """The accuracy of each batch is computed, too."""
    unfenced: tuple[Chunk, ...]
    """Of the bare loop, which is not waited for."""
    tf32: tuple[Chunk, ...]
    """After the turns, with TF32; empty on a CPU, and where the trial itself is not float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """What two states of the code are compared by."""

    timed: tuple[Chunk, ...]
    accuracy: float
    """Share of the test images classified correctly after the last chunk, 0..1."""
    compilations: int | None
    """Of the training step, since the process began; None where nobody counts."""
    peak_host_bytes: int | None
    """The worker's resident set at its highest (VmHWM), before it evaluated."""
    peak_device_bytes: int | None
    """Device memory at its highest, as the framework accounts it, likewise."""

    def __post_init__(self) -> None:
        if not (self.timed and 0 <= self.accuracy <= 1):
            raise ValueError("a regression has timed chunks, and an accuracy of 0 to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Chunks into which steps were planted beyond those counted."""

    batch_size: int
    counted: int
    """Steps that a chunk passes for."""
    planted: int
    """Steps that it takes beyond them: a known slow-down of ``planted / counted``."""
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What the statistics are tested with."""

    series: tuple[Series, ...]


Result = (
    Training
    | Inference
    | Startup
    | Sweep
    | Memory
    | Energy
    | Pipeline
    | Overhead
    | Example
    | Mistakes
    | Regression
    | Calibration
)


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
    threads_used: int
    """Threads alive in the worker at the end."""
    calibration: float
    """CPU seconds of the calibration kernel before the framework was imported, the median of
    several times: an arm that disturbs its own calibrations shows against it."""
    result: Result
    """Of the trial's scenario."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuState:
    """A GPU at one moment, as NVML reports it."""

    clock_mhz: int | None
    """Of its multiprocessors."""
    celsius: int | None
    watts: float | None
    throttled: tuple[str, ...]
    """Why its clock is held down, if it is; being idle is no such reason."""
    processes: int | None
    """Processes that compute on it, of whomever."""


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
    gpu_before: GpuState | None
    gpu_after: GpuState | None

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
