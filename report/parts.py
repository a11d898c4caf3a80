"""Read a file of records part by part, on several processors.

Parsing is half of what a report of 100,000 records takes, and one line has nothing to do with
another. A part leaves its process as frames; its records stay there.
"""

import gc
import json
import os
from collections.abc import Generator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path

from bench.errors import UserError
from report.frames import Frames, Tidy, joined
from report.parse import parse_record

PART = 2**24
"""Bytes of a part, about: thousands of records."""
ALONE = 8
"""Parts that are read without help: that takes two seconds, as long as helpers need to start."""
MOST = 4
"""Processes: each holds what it has imported, and a part, in a fifth of a gigabyte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What is in a part of a file, as far as it could be read."""

    tidy: Tidy
    lines: int
    """That are records."""
    problem: str = ""
    """With the next one; empty if there is none."""
    cut: bool = False
    """The next one was cut off while being written."""


def read(path: Path) -> tuple[Tidy, bool]:
    """All records of a file, and whether its last line was cut off, and is left out.

    A file that is not there has none. Raises ``UserError`` for a line that is no valid record.
    """
    parts: list[Tidy] = []
    cut = False
    lines = 0
    try:
        with closing(_parts(path)) as found:
            for part in found:
                lines += part.lines
                if part.problem:
                    raise UserError(f"{path} line {lines + 1}: {part.problem}")
                parts.append(part.tidy)
                cut = part.cut
    except FileNotFoundError:
        pass  # Nothing recorded yet.
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    return joined(parts or [Frames().tidy()]), cut


def _parts(path: Path) -> Generator[_Part]:
    """In their order."""
    spans = list(_spans(path))
    helpers = min(len(spans), _processors(), MOST) - 1 if len(spans) > ALONE else 0
    if not helpers:
        yield from map(partial(_read, path), spans)
        return
    # Not forked: that is not safe in a process that has threads, as NumPy's is.
    with ProcessPoolExecutor(helpers, mp_context=get_context("spawn")) as pool:
        theirs = {span: pool.submit(_read, path, span) for span in spans}
        # From the end, until all is taken: helpers begin with the first ones, once they are there.
        ours = {span: _read(path, span) for span in reversed(spans) if theirs[span].cancel()}
        for span in spans:
            yield ours[span] if span in ours else theirs[span].result()


def _spans(path: Path) -> Iterator[tuple[int, int]]:
    """Where parts of whole lines begin and end, in bytes."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = 0
        while start < size:
            file.seek(start + PART)
            file.readline()
            end = min(file.tell(), size)
            yield start, end
            start = end


def _read(path: Path, span: tuple[int, int]) -> _Part:
    start, end = span
    with path.open("rb") as file:
        file.seek(start)
        text = file.read(end - start)
    # Records have no cycles, and looking for some takes an eighth of the time.
    gc.disable()
    try:
        return _parse(BytesIO(text))
    finally:
        gc.enable()


def _parse(text: BytesIO) -> _Part:
    frames = Frames()
    lines = 0
    for line in text:
        try:
            frames.append(parse_record(line))
        except ValueError as error:
            cut = not line.endswith(b"\n") and not _is_json(line)
            problem = "" if cut else str(error)
            return _Part(tidy=frames.tidy(), lines=lines, problem=problem, cut=cut)
        lines += 1
    return _Part(tidy=frames.tidy(), lines=lines)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _processors() -> int:
    """How many this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
