"""What changes the answer: the run's own comparisons, made with mistakes that are published.

Each mistake is switched on alone, on the records of this run, and nothing else is changed. It is
data and a function; those that need other measurements than a run of this suite has are not here.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from report.claims.efficiency import AGAINST, BESIDE, CLAIMED, TAUGHT
from report.contrasts import Arm, Contrast, Judged, decide, pair, sentinels
from report.verdicts import Material

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
    printed: Printed
    arm: Arm
    against: Arm
    """What the mistake held it against."""
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
    training = material.counted[material.counted["scenario"] == "training"]
    itself = {of.workload: of for of in sentinels(training, material.processes)}
    for workload, group in training[training["label"] == ""].groupby("workload", sort=True):
        arms = {
            (str(framework), str(mode)): own
            for (framework, mode), own in group.groupby(["framework", "mode"], sort=True)
        }
        sentinel = itself.get(str(workload))
        taught = {
            name: found
            for name in (*CLAIMED, *BESIDE)
            if (found := _pair(arms, (name, TAUGHT[name]), (AGAINST, TAUGHT[AGAINST]), material))
        }
        judged = decide([(found, sentinel) for found in taught.values()], material.device)
        for found, ours in zip(taught.values(), judged, strict=True):
            for mistake in (ONE_RUN, POOLED):
                yield _changed(mistake, found, ours)
        compiled = [
            (wrong, right)
            for name in (*CLAIMED, *BESIDE)
            if name in COMPILED
            and (arm := (name, COMPILED[name]))
            and (wrong := _pair(arms, arm, (AGAINST, TAUGHT[AGAINST]), material))
            and (right := _pair(arms, arm, (AGAINST, COMPILED[AGAINST]), material))
        ]
        judged = decide([(right, sentinel) for _, right in compiled], material.device)
        for (wrong, _), ours in zip(compiled, judged, strict=True):
            yield _changed(UNEQUAL, wrong, ours)


def _pair(
    arms: Mapping[Arm, pd.DataFrame], arm: Arm, against: Arm, material: Material
) -> Contrast | None:
    if arm not in arms or against not in arms:
        return None
    return pair(arms[arm], arms[against], material.processes)


def _changed(mistake: Mistake, found: Contrast, ours: Judged) -> Changed:
    return Changed(
        mistake=mistake,
        printed=mistake.make(found),
        arm=found.arm,
        against=found.against,
        ours=ours,
    )
