"""Is PyTorch flexible and readable?

Judged by proxies (``report.proxies``) of this suite's own implementations: nothing is flexible in
itself, so PyTorch is held against the middle one of the other frameworks.
"""

from collections.abc import Iterator
from statistics import median

from report.beside import sources
from report.material import Material
from report.proxies import (
    CHANGED,
    COMPLEXITY,
    DIFFICULTY,
    LINES,
    OPTIMIZER,
    PRECISION,
    Proxy,
    compare,
)
from report.source import PACKAGES
from report.verdicts import Claim, Finding

FRAMEWORK = "pytorch"
READABLE = (LINES, COMPLEXITY, DIFFICULTY)
FLEXIBLE = (CHANGED, PRECISION, OPTIMIZER)


def judge(_material: Material) -> Iterator[Finding]:
    """A condition for each proxy."""
    for name, proxies in (("readable", READABLE), ("flexible", FLEXIBLE)):
        for proxy in proxies:
            yield _finding(name, proxy)


def _finding(name: str, proxy: Proxy) -> Finding:
    of = sources().result()
    own = proxy.value(of[FRAMEWORK])
    others = median(proxy.value(of[other]) for other in PACKAGES if other != FRAMEWORK)
    found, shown = compare(proxy, own, others)
    return Finding(
        condition=f"{name}, {proxy.title}, by proxy: {FRAMEWORK} no worse than the others' median",
        answer="refuted" if found == "worse" else "supported",
        reason=f"{shown}: {found}",
        primary=True,
    )


CLAIM = Claim(
    key="flexible-readable",
    place=5,
    statement="PyTorch is flexible and readable.",
    caveat="by proxy",
    judge=judge,
)
