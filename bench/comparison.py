"""What is compared with what: the file that says so, for who measures and for who judges."""

from dataclasses import dataclass
from typing import Literal

COMPARISON = "comparison.json"
PROOF = "proof"
"""Folder of a state's run that only earns certificates: a trial for each cell."""
PAIRS = "pairs"
"""Folder of a state's run that is compared; a block of it meets the same block of the other's."""
ITSELF = ("once", "again")
"""Labels of the processes in which the head meets itself."""

Kind = Literal["code", "locks", "stored"]
"""code: two states of the implementations. locks: the same with two locks. stored: records of an
earlier run against this state, measured now; machine and time of day are not shared then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What is compared: an arm of a workload."""

    workload: str
    framework: str
    mode: str

    def __str__(self) -> str:
        return f"{self.workload} {self.framework} {self.mode}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Pairs that are judged together."""

    first: int
    """Block it begins with."""
    planned: int
    """Pairs of processes, for each cell."""
    pairs: int
    """Those that are made of them: fewer if the budget was spent before."""
    cells: tuple[Cell, ...]
    itself: tuple[Cell, ...]
    """Those in which the head is measured twice as well, to see how far it is told from itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Kept as ``comparison.json`` in a folder of its own.

    Below it, for ``base`` and ``head``, lie a state's tree and its runs, ``proof`` and ``pairs``;
    a stored base is where it was.
    """

    schema: int
    kind: Kind
    base: str
    """In words."""
    head: str
    base_run: str
    """The run whose records are the base's: relative to the comparison's folder, or anywhere."""
    head_run: str
    budget: float
    """Seconds after which a round ends, if it has as many pairs as an interval needs."""
    threshold: float
    """Share by which a step may take longer, or memory be larger."""
    harness_differs: bool
    """The base has another ``bench``, which was not used."""
    rounds: tuple[Round, ...]
