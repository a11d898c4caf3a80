"""What takes seconds, in processes of their own: it is in the making while the rest of a report is.

One is Vega's, which draws charts, and does not let go of the interpreter; in another Altair says
what is to be drawn, and the implementations' source is read; others resample. They start when they
are first asked, and end with the one that asked. What they import, and nobody else needs, is
imported there.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from report.helpers import MOST, helpers, processors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from report.bootstrap import Replicates
    from report.figure import Drawable, Figure
    from report.source import Source

Name = Literal["vega", "altair"]


@cache
def begin() -> None:
    """Ask for what needs no records; once."""
    _process("vega").submit(_start_vega)
    scripts()
    sources()
    _process("altair").submit(_import_altair)


@cache
def scripts() -> Future[str]:
    """The scripts that a page draws its charts with; they are made once."""
    return _process("vega").submit(_scripts)


@cache
def sources() -> "Future[Mapping[str, Source]]":
    """What the implementations are, by framework; read once."""
    return _process("altair").submit(_sources)


def figures(drawable: "Drawable") -> "Future[tuple[Figure, ...]]":
    """What a section's tables can be drawn as."""
    return _process("altair").submit(_figures, drawable)


def drawn(specs: Sequence[dict[str, Any]]) -> Future[list[str]]:
    """Charts as SVG; ``specs`` are Vega-Lite."""
    return _process("vega").submit(_drawn, specs)


def resampled(
    arm: "Sequence[NDArray[np.float64]]", other: "Sequence[NDArray[np.float64]]", seed: int
) -> "Future[Replicates]":
    """What ``report.bootstrap.resample_log_ratios`` makes of two arms.

    Not in a thread: that would ask for the interpreter at every step, and wait 5 ms for it each
    time, while a table is made.
    """
    return _resampling().submit(_resampled, arm, other, seed)


def _start_vega() -> None:
    import vl_convert

    vl_convert.vegalite_to_svg({"mark": "point"})  # For those that follow.


def _scripts() -> str:
    from report.scripts import scripts

    return scripts()


def _resampled(
    arm: "Sequence[NDArray[np.float64]]", other: "Sequence[NDArray[np.float64]]", seed: int
) -> "Replicates":
    import numpy as np

    from report.bootstrap import resample_log_ratios

    return resample_log_ratios(arm, other, np.random.default_rng(seed))


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


@cache
def _resampling() -> ProcessPoolExecutor:
    return helpers(min(processors(), MOST))
