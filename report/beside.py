"""What takes seconds, in processes of their own: it is in the making while the rest of a report is.

One is Vega's, which draws charts, and does not let go of the interpreter; in the other Altair says
what is to be drawn, and the implementations' source is read. They start when they are first asked,
and end with the one that asked. What they import, and nobody else needs, is imported there.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from report.helpers import helpers

if TYPE_CHECKING:
    from report.figure import Drawable, Figure
    from report.source import Source

Name = Literal["vega", "altair"]


def begin() -> None:
    """Ask for what needs no records; once."""
    scripts()
    sources()
    _ready()


@cache
def scripts() -> Future[str]:
    """The scripts that a page draws its charts with; they are made once."""
    return _process("vega").submit(_scripts)


@cache
def sources() -> "Future[Mapping[str, Source]]":
    """What the implementations are, by framework; read once."""
    return _process("altair").submit(_sources)


@cache
def _ready() -> Future[None]:
    return _process("altair").submit(_import_altair)


def figures(drawable: "Drawable") -> "Future[tuple[Figure, ...]]":
    """What a section's tables can be drawn as."""
    return _process("altair").submit(_figures, drawable)


def drawn(specs: Sequence[dict[str, Any]]) -> Future[list[str]]:
    """Charts as SVG; ``specs`` are Vega-Lite."""
    return _process("vega").submit(_drawn, specs)


def _scripts() -> str:
    import vl_convert

    # The stub of vl-convert 1.9 asks for what it defaults to.
    return str(vl_convert.javascript_bundle())  # type: ignore[call-arg]


def _drawn(specs: Sequence[dict[str, Any]]) -> list[str]:
    import vl_convert

    return [str(vl_convert.vegalite_to_svg(spec)) for spec in specs]


def _sources() -> "Mapping[str, Source]":
    from report.source import PACKAGES, read

    return {framework: read(framework) for framework in PACKAGES}


def _import_altair() -> None:
    import report.figures  # noqa: F401 - for those that follow


def _figures(drawable: "Drawable") -> "tuple[Figure, ...]":
    from report.figures import figures

    return figures(drawable)


@cache
def _process(_name: Name) -> ProcessPoolExecutor:
    return helpers(1)
