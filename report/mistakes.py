"""What changes the answer: the run's own comparisons, made with mistakes that are published.

Each mistake is switched on alone, on the records of this run, and nothing else is changed. It is
data and a function; those that need other measurements than a run of this suite has are not here.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from report.claims.efficiency import AGAINST
from report.contrasts import Contrast, Judged, decide
from report.material import Material
from report.speeds import TAUGHT

ALPHA = 0.05
"""At which tests of those who publish call a difference one."""
ROUNDING = 1e-9
"""Scatter, as a share, that is none: SciPy's test does not trust itself with it."""


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
    make: Callable[[Contrast], Printed]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Changed:
    """A comparison with a mistake beside the one without."""

    mistake: Mistake
    made_on: Contrast
    """What the mistake compares; what it should have is ``ours``."""
    ours: Judged


def _first_run(contrast: Contrast) -> Printed:
    return _printed(float(np.exp(contrast.wall.differences[0])))


def _pooled_steps(contrast: Contrast) -> Printed:
    """Student's t test of all chunks of all processes, as if each were a run of its own."""
    own, other = (np.concatenate(side) for side in (contrast.wall.arm, contrast.wall.other))
    ratio = float(other.mean() / own.mean())
    if any(len(side) < 2 or side.std() < ROUNDING * side.mean() for side in (own, other)):
        return Printed(ratio=ratio, says="no test")
    p = float(stats.ttest_ind(own, other).pvalue)
    return _printed(ratio) if p < ALPHA else Printed(ratio=ratio, says="no significant difference")


def _eager_against_compiled(contrast: Contrast) -> Printed:
    return _printed(float(np.exp(np.median(contrast.wall.differences))))


def _printed(ratio: float) -> Printed:
    return Printed(ratio=ratio, says="faster" if ratio > 1 else "slower")


ONE_RUN = Mistake(
    name="one run only",
    example="ilkarman/DeepLearningFrameworks, README: one number for each framework",
    link="https://github.com/ilkarman/DeepLearningFrameworks",
    make=_first_run,
)
POOLED = Mistake(
    name="steps counted as runs",
    example="pyperf, is_significant: values of all processes in one t test",
    link="https://github.com/psf/pyperf/blob/main/pyperf/_utils.py",
    make=_pooled_steps,
)
UNEQUAL = Mistake(
    name="compiled against eager",
    example="keras-benchmarks, issue 1: XLA in one arm, nothing compiled in the other",
    link="https://github.com/haifeng-jin/keras-benchmarks/issues/1",
    make=_eager_against_compiled,
)
MISTAKES = (ONE_RUN, POOLED, UNEQUAL)
COMPILED: Mapping[str, str] = {"tensorflow": "xla", "jax": "jit", "pytorch": "compile"}
"""The compiled mode of frameworks that have one beside, or as, the one that is taught."""


def changed(material: Material) -> Iterator[Changed]:
    """Each mistake on every comparison that it can be made on, workload by workload."""
    for scenario, workload in material.arms:
        if scenario != "training":
            continue
        for ours in _judged(TAUGHT, workload, material):
            for mistake in (ONE_RUN, POOLED):
                yield Changed(mistake=mistake, made_on=ours.contrast, ours=ours)
        for ours in _judged(COMPILED, workload, material):
            eager = (AGAINST, TAUGHT[AGAINST])
            made_on = material.pair(scenario, workload, ours.contrast.arm, eager)
            if made_on is not None:
                yield Changed(mistake=UNEQUAL, made_on=made_on, ours=ours)


def _judged(modes: Mapping[str, str], workload: str, material: Material) -> list[Judged]:
    """Every framework against PyTorch, each in its one of ``modes``."""
    against = (AGAINST, modes[AGAINST])
    found = [
        material.pair("training", workload, arm, against) for arm in modes.items() if arm != against
    ]
    sentinel = material.sentinels.get(workload)
    family = [(contrast, sentinel) for contrast in found if contrast is not None]
    return decide(family, material.device)
