"""Are TensorFlow and Keras written more consistently, and more easily, than PyTorch?

Judged by proxies (``report.proxies``) of this suite's own implementations.
"""

from collections.abc import Iterator

from report.beside import sources
from report.material import Material
from report.proxies import CONSISTENCY, LINES, MODULES, NAMES, Proxy, compare
from report.verdicts import Claim, Finding

CLAIMED = ("tensorflow", "keras")
BESIDE = ("jax",)
AGAINST = "pytorch"
PROXIES = (CONSISTENCY, NAMES, MODULES, LINES)
"""Consistency, and what there is to know and to write."""


def judge(_material: Material) -> Iterator[Finding]:
    """A condition for each framework and proxy."""
    for framework in (*CLAIMED, *BESIDE):
        for proxy in PROXIES:
            yield _finding(framework, proxy)


def _finding(framework: str, proxy: Proxy) -> Finding:
    own, other = (proxy.value(sources().result()[name]) for name in (framework, AGAINST))
    found, shown = compare(proxy, own, other)
    return Finding(
        condition=f"{proxy.title}, by proxy: {framework} below {AGAINST}",
        answer="supported" if found == "better" else "refuted",
        reason=f"{shown}: {found}",
        primary=framework in CLAIMED,
    )


CLAIM = Claim(
    key="style",
    place=4,
    statement="TensorFlow and Keras are consistent and easy to write, PyTorch less so.",
    caveat="by proxy",
    judge=judge,
)
