"""The contract between the harness and the implementations. Standard library and NumPy only.

An implementation is a folder ``impls/<name>/`` with

- ``__init__.py``: ``IMPLEMENTATION``, an :class:`Implementation`; imports no framework;
- ``networks.py``: the networks, as that framework's tutorials write them;
- ``trainer.py``: ``build(trial) -> Trainer``, ``kernels(trial) -> dict[str, Callable[[], None]]``
  (see ``KERNELS``) and ``libraries() -> dict[str, str]``;
- ``pipeline.py``: a :class:`Pipeline`, the framework's own way from a data set on disk to batches;
- ``keep.py``, only where a mode has something ``kept``: a program that makes it.

Array conventions are those of ``bench.workloads``; weights are named and laid out as in
``bench.workloads.weight_shapes``.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.workloads import IMAGE_SHAPE, Optimizer, Workload

Device = Literal["cpu", "cuda"]
Precision = Literal["fp32", "tf32", "bf16", "fp64"]
"""What is computed with. Weights, running statistics, losses and logits are float32, or float64.

fp32: true float32, TF32 off. tf32: products of a GPU from operands with 10 bits of mantissa. bf16:
mixed, as the framework does it: layers compute in bfloat16 from float32 weights, the loss is
float32. fp64: for proofs.
"""

Allocator = Literal["default", "keep"]
"""What the C library does with memory that was freed. default: large pieces go back to the system,
and the next step gets them anew, page by page. keep: the process keeps them."""

Scenario = Literal[
    "training",
    "inference",
    "startup",
    "sweep",
    "memory",
    "energy",
    "pipeline",
    "overhead",
    "example",
    "mistakes",
    "regression",
    "calibration",
]
"""training: steady steps, and epochs with accuracy. inference: latency and throughput. startup:
from a process' start to its first step. sweep: steps over batch sizes. memory: a pass of its own,
over batch sizes. energy: of a GPU. pipeline: the framework's own way from a data set on disk to
batches, and training through it, over sizes of the data set. overhead: the trainer against a bare
loop. example: against the loop of the framework's own example. mistakes: steps as they should be
timed, and with what others did wrong. regression: a few chunks of steps, to compare two states
of the code. calibration: steps with more steps planted, to test the statistics with."""

Source = Literal["files", "array"]
"""What a pipeline reads. files: an image each, in a folder per class. array: all images in one,
mapped into memory."""

Floats = NDArray[np.float32] | NDArray[np.float64]


BASELINE = ("pytorch", "eager")
"""The arm that others are held against, and that is held against itself; chosen before any data:
the one the article calls slow. Where it is not run, the first arm."""

TWIN = "twin"
"""Label of the second of two trials of the same arm in a block: the sentinel's other half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """The most device memory that a framework may take. Some ask for bytes, some for the share."""

    bytes: int
    share: float
    """Of all the memory that the device has, 0..1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Everything that determines one measurement; runs in one fresh process, makes one record."""

    framework: str
    mode: str
    workload: Workload
    device: Device
    precision: Precision
    threads: int
    """How many CPU threads the framework may compute with."""
    block: int
    """Which repeat this is. A block holds every arm (framework and mode) of a workload once."""
    seed: int
    """Of the initial weights and the batch order: the same for every arm of a block."""
    train_images: int
    test_images: int
    epochs: int
    scenario: Scenario = "training"
    """What is asked: one file of ``bench.scenarios``."""
    seconds: float = 2.0
    """How long steady training, or whatever the scenario repeats, is timed at least."""
    batch_size: int = 0
    """Of a memory pass; elsewhere it is the workload's."""
    source: Source | None = None
    """Of a pipeline; None in every other scenario."""
    images: int = 0
    """How many there are for a pipeline to read: a multiple of the batch size."""
    steps: int = 0
    """Of a chunk, where two states that are compared take as many; 0: as the clock finds."""
    allocator: Allocator = "default"
    cap: Cap | None = None
    """Of a GPU's memory; None: all of it."""
    label: str = ""
    """Tells apart trials that are otherwise the same: the sentinel's two halves."""
    plain: str = ""
    """The mode's ``Mode.plain``, for readers of its record, who do not know implementations."""

    @property
    def name(self) -> str:
        """Unique within a run, and fit to be a file's name."""
        size = str(self.batch_size or self.images or "")
        arm = (self.workload.name, self.framework, self.mode)
        parts = (*arm, self.scenario, self.source, size, self.label)
        return "-".join((f"{self.block:02d}", *filter(None, parts)))


def trial_from_json(text: str) -> Trial:
    """The inverse of ``json.dumps(asdict(trial))``. Raises ``TypeError`` for other fields."""
    fields = json.loads(text)
    workload, cap = fields.pop("workload"), fields.pop("cap")
    optimizer = workload.pop("optimizer")
    schedule = tuple((step, factor) for step, factor in optimizer.pop("schedule"))
    optimizer = Optimizer(schedule=schedule, **optimizer)
    return Trial(
        workload=Workload(optimizer=optimizer, **workload),
        cap=Cap(**cap) if cap else None,
        **fields,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """One way in which a framework's users run a training."""

    about: str
    """One line."""
    plain: str | None = None
    """The framework's mode that does the same without this one's compilation; None where there is
    no such mode or nothing is compiled. What compiling costs is set against it."""
    modules: tuple[str, ...] = ()
    """What must be importable for it to run, beyond what all modes need."""
    environment: str = ""
    """Part of the name of its requirements, ``requirements[.ENVIRONMENT].cpu.txt``."""
    variables: tuple[tuple[str, str], ...] = ()
    """Environment variables that its process must start with, beyond those all workers get."""
    kept: str = ""
    """Folder, under the temporary one, that the framework keeps on a machine for all its programs.
    Made once in an environment, by ``impls/NAME/keep.py``, which starts with the same variables;
    found there by every trial. Nothing if empty."""
    devices: tuple[Device, ...] = ("cpu", "cuda")
    """Where it can run."""
    multistep: bool = False
    """Whether ``train`` takes its rows in one compiled call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Implementation:
    """What the harness must know of a framework before anything of it is imported."""

    name: str
    title: str
    """As the framework writes its own name."""
    modules: tuple[str, ...]
    """What must be importable for any of its modes to run."""
    distributions: tuple[str, ...]
    """Distributions whose versions identify what was measured; those not installed are left out."""
    modes: Mapping[str, Mode]
    """The first is what the framework's tutorial teaches."""
    compiled: str
    """The mode in which its users have their training compiled; may be the first."""

    def usual(self) -> list[str]:
        """What is run where no mode is named: as the tutorial has it, and compiled."""
        return list(dict.fromkeys((next(iter(self.modes)), self.compiled)))


class Trainer(Protocol):
    """One network on one device. Every method returns only when the device has finished."""

    def load_data(self, images: NDArray[np.uint8], labels: NDArray[np.int32], /) -> None:
        """Take the training set, images ``[N, 32, 32, 3]`` and labels ``[N]``, to the device."""

    def load_weights(self, weights: Mapping[str, Floats], /) -> None:
        """Start anew from ``weights`` (canonical names and layouts), running statistics included.

        Clears optimizer state and starts the schedule of the learning rate from its step 0.

        Raises ``ValueError`` naming a weight that is missing, unknown or of another shape.
        """

    def weights(self) -> dict[str, Floats]:
        """The present weights, as ``load_weights`` takes them."""

    def train(self, batches: NDArray[np.int32], /) -> float:
        """Update the weights once for each row of ``batches``; return the mean loss of the rows.

        ``batches`` is ``[steps, batch]``, indices into the loaded data. The last update is done on
        return. Pixels are scaled to 0..1 inside, as ``float(pixel) * (1 / 255)``.
        """

    def logits(self, images: NDArray[np.uint8], /) -> Floats:
        """Logits ``[N, 10]`` of images ``[N, 32, 32, 3]``, in evaluation mode."""

    def peak_device_bytes(self) -> int | None:
        """The most device memory held so far by the framework's own account, where it keeps one."""

    def compilations(self) -> int | None:
        """How often the training step was traced or compiled so far; None where nobody counts."""


Images = tuple[NDArray[np.uint8], NDArray[np.int32]]
"""Images ``[batch, 32, 32, 3]`` and their labels ``[batch]``."""


class Pipeline(Protocol):
    """The module ``impls.<name>.pipeline``. Batches are whatever the framework delivers.

    ``files`` and ``array`` open what ``bench.enlarged`` keeps in a folder, and give batches of the
    workload's size without end: every image once an epoch, in an order that was shuffled over the
    whole data set once at least.
    """

    def files(self, trial: Trial, folder: Path, /) -> Iterable[object]:
        """From ``folder/<label>/<image>.png``."""

    def array(self, trial: Trial, folder: Path, /) -> Iterable[object]:
        """From ``folder/images.npy`` and ``folder/labels.npy``, of which no copy is made."""

    def delivered(self, batch: object, /) -> Images:
        """What a batch holds; the images are exactly those of the data set."""

    def train(
        self, trainer: Trainer, batches: Iterable[object], steps: int, lap: Callable[[], bool], /
    ) -> None:
        """Update the weights of the framework's ``trainer`` once for each of ``batches``.

        After every so many ``steps``, with the last update done, ``lap`` is called; False ends it.
        """


KERNELS: Mapping[Device, Mapping[str, int]] = {
    "cpu": {"matmul": 1024, "conv": 16, "copy": 2**26},
    "cuda": {"matmul": 8192, "conv": 1024, "copy": 2**30},
}
"""What ``kernels(trial)`` gives, by name, for measuring the device's ceiling: functions that do the
work once and return when it is done, on data that is on the device, in the trial's precision and
threads. By device, the size:

- ``matmul``: the product of two square matrices with so many rows;
- ``conv``: a 3x3 convolution with padding 1 from ``CONV_CHANNELS`` to as many, on so many images of
  32x32;
- ``copy``: a copy of so many bytes.
"""

CONV_CHANNELS = 128


def work(device: Device) -> dict[str, int]:
    """What each of ``KERNELS`` does: floating-point operations, and bytes copied."""
    sizes = KERNELS[device]
    pixels = sizes["conv"] * prod(IMAGE_SHAPE[:2])
    return {
        "matmul": 2 * sizes["matmul"] ** 3,
        "conv": 2 * 9 * CONV_CHANNELS**2 * pixels,
        "copy": sizes["copy"],
    }


def check_weights(weights: Mapping[str, Floats], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise ``ValueError`` naming the first weight that is missing, unknown or of another shape."""
    for name, shape in shapes.items():
        if name not in weights:
            raise ValueError(f"weight {name} is missing")
        if weights[name].shape != shape:
            raise ValueError(f"weight {name} has shape {weights[name].shape}, not {shape}")
    for name in weights:
        if name not in shapes:
            raise ValueError(f"weight {name} is unknown; the network has {', '.join(shapes)}")
