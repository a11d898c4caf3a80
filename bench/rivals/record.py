"""What is kept of every measurement by every tool. Standard library only."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

RIVALS = "rivals.jsonl"

Tool = Literal["ours", "pyperf", "pytest-benchmark"]
Arm = Literal["a", "b", "more"]
"""``a`` and ``b`` are the same; ``more`` takes one step more than they do."""

STEPS = 20
"""Steps of a call of ``a`` and ``b``: one more is 5%."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One timed call: seconds, and what only our own way measures beside them."""

    wall: float
    cpu: float | None = None
    calibration: float | None = None

    def __post_init__(self) -> None:
        if not self.wall > 0:
            raise ValueError("a value has time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What one tool found out about one arm within its budget."""

    round: int
    position: int
    """Place in the shuffled order of the round, from 0; of ours, whose arms take turns, shared."""
    tool: Tool
    arm: Arm
    steps: int
    """That a call took."""
    started: str
    """UTC, ISO 8601."""
    seconds: float
    """Wall time of all its processes, start to end."""
    processes: tuple[tuple[Value, ...], ...]
    """Values of each process; those of ours with the same number belong to one block."""

    def __post_init__(self) -> None:
        if not self.processes or not all(self.processes):
            raise ValueError("a session has processes, and these have values")


def append(folder: Path, sessions: list[Session]) -> None:
    """Add a line each, durably, in a single write: a round is kept whole for each tool."""
    lines = [json.dumps(asdict(of), separators=(",", ":"), allow_nan=False) for of in sessions]
    descriptor = os.open(folder / RIVALS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, ("\n".join(lines) + "\n").encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
