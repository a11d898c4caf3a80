"""What changes the answer: the run's own comparisons, made with mistakes that are published.

Each mistake is switched on alone and nothing else is changed: in how records of ordinary training
are read, or in what was timed (scenario ``mistakes``), and then in the arm that is named, not in
the one it is held against. What cannot be made of a run says why, and how it could.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bench.contract import Device
from report.contrasts import Contrast, Judged, decide, pair
from report.material import Material
from report.processes import Process, Processes
from report.speeds import AGAINST, COMPILED, TAUGHT

ALPHA = 0.05
"""At which tests of those who publish call a difference one."""
ROUNDING = 1e-9
"""Scatter, as a share, that is none: a test of it would be one of rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """What the mistake would have said."""

    ratio: float
    """How many times as fast."""
    says: str
    """In a word or two, as its author would have put it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One way to be wrong, and who was."""

    name: str
    example: str
    """Published, by name."""
    link: str
    command: str = "nox -s bench"
    """That measures what it is made of."""
    impossible: Mapping[Device, str] = field(default_factory=dict)
    """Why that is not to be had on a device; not there where it is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Changed:
    """A comparison with a mistake beside the one without."""

    mistake: Mistake
    printed: Printed
    made_on: Contrast
    """What the mistake compares; what it should have is ``ours``."""
    ours: Judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmade:
    """A mistake that these records do not let one make."""

    mistake: Mistake
    reason: str


def _first_run(contrast: Contrast) -> Printed:
    return _printed(float(np.exp(contrast.wall.differences[0])))


def _pooled_steps(contrast: Contrast) -> Printed:
    """Student's t test of all chunks of all processes, as if each were a run of its own."""
    own, other = (np.concatenate(side) for side in (contrast.wall.arm, contrast.wall.other))
    ratio = float(other.mean() / own.mean())
    if any(len(side) < 2 or side.std() < ROUNDING * side.mean() for side in (own, other)):
        return Printed(ratio=ratio, says="no test")
    if student_p(own, other) < ALPHA:
        return _printed(ratio)
    return Printed(ratio=ratio, says="no significant difference")


def student_p(own: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Two-sided p value of Student's t test of two samples, ``[N]`` and ``[M]``, that scatter.

    That of ``scipy.stats.ttest_ind``, whose module takes half a second to import: a tenth of most
    reports, for this alone.
    """
    freedom = len(own) + len(other) - 2
    pooled = (own.var() * len(own) + other.var() * len(other)) / freedom
    t = (own.mean() - other.mean()) / np.sqrt(pooled * (1 / len(own) + 1 / len(other)))
    return float(2 * special.stdtr(freedom, -abs(t)))


def _one_after_the_other(contrast: Contrast) -> Printed | None:
    """The arm's first half of the blocks, the other's last: whatever drifted between is in it."""
    half = len(contrast.wall.arm) // 2
    if not half:
        return None
    own = [np.median(chunks) for chunks in contrast.wall.arm[:half]]
    other = [np.median(chunks) for chunks in contrast.wall.other[-half:]]
    return _printed(float(np.median(other) / np.median(own)))


def _median(contrast: Contrast) -> Printed:
    return _printed(float(np.exp(np.median(contrast.wall.differences))))


def _printed(ratio: float) -> Printed:
    return Printed(ratio=ratio, says="faster" if ratio > 1 else "slower")


_TIMED = "nox -s bench -- --scenario mistakes"
_DEEPGREEN = (
    "https://github.com/Pampaj7/DeepGreen/blob/0afb929267a16854c28c2768cf8cc1ffef5392aa/"
    "python/jax/models/resnet18.py"
)

ONE_RUN = Mistake(
    name="one run only",
    example="ilkarman/DeepLearningFrameworks, README: one number for each framework",
    link="https://github.com/ilkarman/DeepLearningFrameworks",
)
POOLED = Mistake(
    name="steps counted as runs",
    example="pyperf, is_significant: values of all processes in one t test",
    link="https://github.com/psf/pyperf/blob/main/pyperf/_utils.py",
)
FIXED_ORDER = Mistake(
    name="fixed order",
    example="keras-benchmarks, run.sh: framework after framework, each once, always in this order",
    link="https://github.com/haifeng-jin/keras-benchmarks/blob/"
    "00bef5a53895d7ade74f5ad70c2b3bd91fbe2450/shell/run.sh",
)
FIRST_STEP = Mistake(
    name="first step included",
    example="DeepGreen, ResNet-18 in JAX: the first epoch is measured with its compilation",
    link=_DEEPGREEN,
)
UNEQUAL = Mistake(
    name="compiled against eager",
    example="keras-benchmarks, issue 1: XLA in one arm, nothing compiled in the other",
    link="https://github.com/haifeng-jin/keras-benchmarks/issues/1",
)
FED = Mistake(
    name="fed from the host",
    example="ilkarman/DeepLearningFrameworks, issue 2: the difference is in how data are fed",
    link="https://github.com/ilkarman/DeepLearningFrameworks/issues/2",
    command=_TIMED,
)
SCORED = Mistake(
    name="an extra metric pass",
    example="ilkarman/DeepLearningFrameworks: Tensorflow_CNN times accuracy, PyTorch_CNN does not",
    link="https://github.com/ilkarman/DeepLearningFrameworks/blob/"
    "a11c3846c1e6c5a23ea7b586bd1325c2ad5402b8/notebooks/Tensorflow_CNN.ipynb",
    command=_TIMED,
)
UNFENCED = Mistake(
    name="no fence",
    example="mlx-benchmark, pull request 21: operations on CUDA were not waited for",
    link="https://github.com/TristanBilot/mlx-benchmark/pull/21",
    command=_TIMED,
)
TF32 = Mistake(
    name="TF32 in one arm",
    example="keras-benchmarks, issue 2: on by default in JAX and TensorFlow, off in PyTorch",
    link="https://github.com/haifeng-jin/keras-benchmarks/issues/2",
    command="nox -s bench -- --device cuda --scenario mistakes",
    impossible={"cpu": "a CPU has no TF32"},
)
PREALLOCATED = Mistake(
    name="memory taken in advance read as use",
    example="convnet-benchmarks, issue 79: nvidia-smi shows all of the GPU's memory for TensorFlow",
    link="https://github.com/soumith/convnet-benchmarks/issues/79",
    command="nox -s bench -- --device cuda --scenario memory",
    impossible={
        "cpu": "only of a GPU is memory taken in advance",
        "cuda": "no trial takes memory in advance; what frameworks use is measured instead",
    },
)
MISTAKES = (
    *(ONE_RUN, POOLED, FIXED_ORDER, FIRST_STEP, UNEQUAL),
    *(FED, SCORED, UNFENCED, TF32, PREALLOCATED),
)
"""In the order of reading."""

_READ: tuple[tuple[Mistake, Callable[[Contrast], Printed | None]], ...] = (
    (ONE_RUN, _first_run),
    (POOLED, _pooled_steps),
    (FIXED_ORDER, _one_after_the_other),
)
"""Mistakes in reading the records of a comparison, and what each prints."""
_WAYS = (
    (FED, "fed"),
    (SCORED, "scored"),
    (UNFENCED, "unfenced"),
    (TF32, "tf32"),
)
"""Mistakes that were timed, and the field of ``bench.records.Mistakes``."""


def changed(material: Material) -> Iterator[Changed]:
    """Each mistake on every comparison that it can be made on, workload by workload."""
    for scenario, workload in material.arms:
        if scenario == "training":
            yield from _of_training(workload, material)
        elif scenario == "mistakes":
            for ours in _judged(TAUGHT, scenario, workload, material):
                arm = material.arms[scenario, workload][ours.contrast.arm].index
                for mistake, way in _WAYS:
                    processes = material.mistaken[way]
                    own = {trial: processes[trial] for trial in arm.intersection([*processes])}
                    yield from _retimed(mistake, ours, material, scenario, own)


def unmade(made: Iterable[Changed], device: Device) -> Iterator[Unmade]:
    """The mistakes that are not among those made, each with the reason."""
    names = {found.mistake.name for found in made}
    for mistake in MISTAKES:
        if mistake.name not in names:
            reason = mistake.impossible.get(device, "what it needs is not among these records")
            yield Unmade(mistake=mistake, reason=reason)


def _of_training(workload: str, material: Material) -> Iterator[Changed]:
    with_first_step = _with_first_step(workload, material)
    for ours in _judged(TAUGHT, "training", workload, material):
        for mistake, read in _READ:
            printed = read(ours.contrast)
            if printed is not None:
                yield Changed(mistake=mistake, printed=printed, made_on=ours.contrast, ours=ours)
        yield from _retimed(FIRST_STEP, ours, material, "training", with_first_step)
    for ours in _judged(COMPILED, "training", workload, material):
        eager = (AGAINST, TAUGHT[AGAINST])
        made_on = material.pair("training", workload, ours.contrast.arm, eager)
        if made_on is not None:
            printed = _median(made_on)
            yield Changed(mistake=UNEQUAL, printed=printed, made_on=made_on, ours=ours)


def _retimed(
    mistake: Mistake, ours: Judged, material: Material, scenario: str, processes: Processes
) -> Iterator[Changed]:
    """The same two arms with other times where ``processes`` has them; nothing if it is empty."""
    if not processes:
        return
    contrast = ours.contrast
    arms = material.arms[scenario, contrast.workload]
    times = {**material.processes, **processes}
    made_on = pair(arms[contrast.arm], arms[contrast.against], times)
    if made_on is not None:
        yield Changed(mistake=mistake, printed=_median(made_on), made_on=made_on, ours=ours)


def _with_first_step(workload: str, material: Material) -> dict[int, Process]:
    """Processes of training whose steps are those of an epoch, its first as long as it was."""
    trials = material.counted
    trials = trials[(trials["scenario"] == "training") & (trials["workload"] == workload)]
    steps = trials["train_images"] // trials["batch_size"]
    return {
        trial: _mean_of(material.processes[trial], first, count)
        for trial, first, count in zip(
            trials.index.to_list(), trials["first_step_seconds"], steps, strict=True
        )
    }


def _mean_of(process: Process, first: float, steps: int) -> Process:
    return replace(process, wall=(first + (steps - 1) * process.wall) / steps)


def _judged(
    modes: Mapping[str, str], scenario: str, workload: str, material: Material
) -> list[Judged]:
    """Every framework against PyTorch, each in its one of ``modes``."""
    against = (AGAINST, modes[AGAINST])
    found = [
        material.pair(scenario, workload, arm, against) for arm in modes.items() if arm != against
    ]
    sentinel = material.sentinels.get(workload) if scenario == "training" else None
    family = [(contrast, sentinel) for contrast in found if contrast is not None]
    return decide(family, material.device)
