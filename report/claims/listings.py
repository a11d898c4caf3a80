"""Does the printed code implement and train the networks on CIFAR-10?

Judged by running it: a condition for each file of ``listings/``, which holds if that ends well.
"""

from collections.abc import Iterator

from report.listings import load
from report.material import Material
from report.text import plain
from report.verdicts import Claim, Finding

BESIDE = ("listing1_builds",)
"""No training yet, so they hold or not without telling."""


def judge(_material: Material) -> Iterator[Finding]:
    """A condition for each part that was run."""
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
