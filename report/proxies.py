"""Numbers that stand for style where style itself cannot be measured.

They are of our implementations, and say as much about us as about a framework. They cannot show
what it takes to find out what to write, how errors read, whether a beginner gets on, or what
programs other than convolutional networks look like.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

from report.source import Source

MARGIN = 0.10
"""Proxies closer than this, as a share of the smaller, are called equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """One number of a framework's implementation; the smaller, the better."""

    key: str
    title: str
    value: Callable[[Source], float]
    meaning: str
    digits: int = 0


CONSISTENCY = Proxy(
    key="spread",
    title="spread",
    value=lambda source: source.spread(),
    meaning="how unlike each other a framework's networks are written: the coefficient of "
    "variation of their lines, statements, complexity, names and modules, and of these the mean",
    digits=2,
)
NAMES = Proxy(
    key="names",
    title="names",
    value=lambda source: len(source.everything.names),
    meaning="of the framework that its networks and its trainer call",
)
MODULES = Proxy(
    key="modules",
    title="modules",
    value=lambda source: len(source.everything.modules),
    meaning="of the framework that these names are from",
)
LINES = Proxy(
    key="lines",
    title="lines",
    value=lambda source: sum(of.lines for of in source.networks.values()),
    meaning="of all networks, each with all that it needs, as formatted to 100 columns",
)
COMPLEXITY = Proxy(
    key="complexity",
    title="complexity",
    value=lambda source: sum(of.complexity for of in source.networks.values()),
    meaning="cyclomatic, of the same, by radon",
)
DIFFICULTY = Proxy(
    key="unmaintainable",
    title="100 - maintainability",
    value=lambda source: 100 - fmean(of.maintainability for of in source.networks.values()),
    meaning="radon's index of 0 to 100, mean over the networks, taken from 100",
    digits=1,
)
VOLUME = Proxy(
    key="volume",
    title="Halstead volume",
    value=lambda source: sum(of.volume for of in source.networks.values()),
    meaning="of the same, by radon, which counts Python's operators only: calls weigh nothing, so "
    "it is no part of a verdict",
)
CHANGED = Proxy(
    key="changed",
    title="lines changed",
    value=lambda source: source.changed,
    meaning="taken away or put in to make `listing3` of `listing1`",
)


def _statements(topic: str, beside: str = "") -> Proxy:
    return Proxy(
        key=f"{topic}_statements",
        title=f"{topic} statements",
        value=lambda source: source.statements[topic],
        meaning=f"of the trainer that have `{topic}` in a name: what it takes to let it be chosen"
        + beside,
    )


MODE = _statements("mode", "; no part of a verdict, for frameworks have more modes and fewer")
PRECISION = _statements("precision")
OPTIMIZER = _statements("optimizer")

PROXIES = (
    *(CONSISTENCY, NAMES, MODULES, LINES, COMPLEXITY, VOLUME, DIFFICULTY),
    *(CHANGED, MODE, PRECISION, OPTIMIZER),
)
"""In the order in which they are shown."""


def compare(proxy: Proxy, own: float, other: float) -> tuple[str, str]:
    """Whether ``own`` is ``better``, ``equal`` or ``worse``, and both numbers, as a clause."""
    shown = f"{own:.{proxy.digits}f} against {other:.{proxy.digits}f}"
    if own * (1 + MARGIN) < other:
        return "better", shown
    return "worse" if other * (1 + MARGIN) < own else "equal", shown
