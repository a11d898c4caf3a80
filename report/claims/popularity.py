"""How popular a framework is."""

from collections.abc import Iterator

from report.material import Material
from report.verdicts import Claim, Finding


def judge(_material: Material) -> Iterator[Finding]:
    """Say why it is not tested."""
    yield Finding(
        condition="pytorch among the most popular",
        answer="not tested",
        reason="who uses what cannot be measured by running code",
        primary=True,
    )


CLAIM = Claim(
    key="popularity",
    place=6,
    statement="PyTorch is among the most popular frameworks.",
    judge=judge,
)
