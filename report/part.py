"""Read a part of a file of records into frames; its records are not kept."""

import gc
import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from report.frames import Frames, Tidy
from report.parse import parse_record


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is in a part of a file, as far as it could be read."""

    tidy: Tidy
    lines: int
    """That are records."""
    problem: str = ""
    """With the next one; empty if there is none."""
    cut: bool = False
    """The next one was cut off while being written."""


def read(path: Path, start: int, end: int) -> Part:
    """The lines between two places of a file, in bytes. Raises ``OSError``."""
    with path.open("rb") as file:
        file.seek(start)
        text = file.read(end - start)
    # Records have no cycles, and looking for some takes an eighth of the time.
    collected = gc.isenabled()
    gc.disable()
    try:
        return _parse(BytesIO(text))
    finally:
        if collected:
            gc.enable()


def _parse(text: BytesIO) -> Part:
    frames = Frames()
    lines = 0
    for line in text:
        try:
            frames.append(parse_record(line))
        except ValueError as error:
            cut = not line.endswith(b"\n") and not _is_json(line)
            problem = "" if cut else str(error)
            return Part(tidy=frames.tidy(), lines=lines, problem=problem, cut=cut)
        lines += 1
    return Part(tidy=frames.tidy(), lines=lines)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
