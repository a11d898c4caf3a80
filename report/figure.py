"""What is drawn of a section's tables, and what a drawing is; ``report.figures`` makes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

WIDTH = 520
"""Of an SVG; on the page a chart is as wide as its column."""

KINDS = ("conditions", "ratios", "accuracy", "losses", "steps", "memory", "pipeline")
"""What names of figures begin with."""

DRAWN = ("conditions", "ratios", "epochs", "batch-sizes", "sweep", "memory", "pipeline")
"""Keys of the tables that figures are made of."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawable:
    """All that the figures of a section are made of."""

    margin: float
    """Of the ratio of speeds: what is within it counts as equal."""
    rows: Mapping[str, pd.DataFrame]
    """Of the tables that are ``DRAWN``."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Figure:
    """One chart."""

    key: str
    """Fit to be part of a file's name; no other figure of the section has it."""
    title: str
    about: str
    """What marks are, for who did not make it."""
    spec: dict[str, Any] = field(repr=False)
    """Vega-Lite, its data included."""

    @property
    def alone(self) -> dict[str, Any]:
        """As it is drawn without a page: on white."""
        config = {"axis": {"labelLimit": WIDTH}}
        return {**self.spec, "background": "white", "config": config}
