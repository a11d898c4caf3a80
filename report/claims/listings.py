"""Does the printed code implement and train the networks on CIFAR-10?

Judged by running it: a condition for each file of ``listings/``, which holds if that ends well.
What it does to training that gradients are never set to zero stands beside, for every framework.
"""

from collections.abc import Iterator

from report.learning import as_accurate
from report.listings import load
from report.material import Material
from report.text import plain
from report.verdicts import Claim, Finding

BESIDE = ("listing1_builds",)
"""No training yet, so they hold or not without telling."""
ZEROED, UNZEROED = "listing3", "listing3-unzeroed"
"""The same training without the defect, and with it."""


def judge(material: Material) -> Iterator[Finding]:
    """A condition for each part that was run, and for each framework that trained both ways."""
    yield from _executed()
    with_defect, without = (
        material.arms.get(("training", name), {}) for name in (UNZEROED, ZEROED)
    )
    for arm, trials in with_defect.items():
        condition = f"gradients that are never zeroed train as well: {' '.join(arm)}"
        yield as_accurate(condition, arm, trials, without.get(arm, trials.iloc[:0]))


def _executed() -> Iterator[Finding]:
    audit = load()
    if audit is None:
        yield Finding(
            condition="The listings run",
            answer="not tested",
            reason="nobody ran them yet",
            primary=True,
        )
        return
    for found in audit.outcomes:
        yield Finding(
            condition=plain(found.condition),
            answer="supported" if found.holds else "refuted",
            reason=f"ran to its end with torch {audit.torch} on {audit.date}"
            if found.holds
            else f"ended with {plain(found.error)}",
            primary=found.script not in BESIDE,
        )


CLAIM = Claim(
    key="listings",
    place=7,
    statement="The printed code implements the networks and trains them on CIFAR-10.",
    judge=judge,
)
