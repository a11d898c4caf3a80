"""Read files of records part by part, on several processors.

Parsing is half of what a report of 100,000 records takes, and one line has nothing to do with
another. A part leaves its process as frames; its records stay there. It leaves in a file: through a
pipe it would wait for this process, which is parsing, at every 64 KiB.

Standard library only: helpers begin before this process has imported what it needs itself, which
takes seconds.
"""

import pickle
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import TYPE_CHECKING

from report.helpers import MOST, helpers, processors

if TYPE_CHECKING:
    from report.part import Part

LARGEST = 2**24
"""Bytes of a part, about: thousands of records."""
SMALLEST = 2**22
"""Of one where those who read from both ends meet: there everybody waits for who is last."""
ALONE = 2**27
"""Bytes that are read without help: that takes two seconds, as long as helpers need to start."""

Span = tuple[Path, int, int]
"""A part: the file, and the places in it, in bytes, where it begins and ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Files of records that are being read."""

    spans: tuple[Span, ...]
    """In the order of files and lines."""
    theirs: dict[Span, Future[Path]]
    """What helpers read, unless it is read here first."""
    troubles: Mapping[Path, OSError]
    """With files that cannot be read."""
    _taken: set[Span] = field(default_factory=set, init=False)
    """From helpers, to be read here."""
    _ours: "dict[Span, Part]" = field(default_factory=dict, init=False)
    """Of them those that nobody asked for yet."""

    def parts(self, path: Path) -> "Iterator[Part]":
        """Those of a file, in their order. Raises ``OSError``."""
        if path in self.troubles:
            raise self.troubles[path]
        # From the end, until all is taken: helpers begin with the first ones.
        for span, future in reversed(self.theirs.items()):
            if span not in self._taken and future.cancel():
                self._taken.add(span)
                self._ours[span] = _read(*span)
        for span in self.spans:
            if span[0] != path:
                continue
            if span in self._ours:
                yield self._ours.pop(span)
            elif span in self.theirs and span not in self._taken:
                yield _of_helper(span, self.theirs[span])
            else:
                yield _read(*span)


@contextmanager
def reading(paths: Sequence[Path]) -> Generator[Reading]:
    """Have files read from now on, by helpers where they are large; one that is not has no parts.

    What a helper is at when this is left is done first, what waits is not begun.
    """
    sizes, troubles = _sizes(paths)
    whole = sum(sizes.values())
    others = min(processors(), MOST) - 1 if whole > ALONE else 0
    spans: list[Span] = []
    # Where those who read from both ends will meet; from the beginning of the next file on.
    meeting = whole * others // (others + 1)
    for path, size in sizes.items():
        try:
            spans += _spans(path, size, meeting)
        except OSError as error:
            troubles[path] = error
        meeting -= size
    if not others:
        yield Reading(spans=tuple(spans), theirs={}, troubles=troubles)
        return
    pool = helpers(others)
    with TemporaryDirectory(prefix="report-") as folder:
        try:
            theirs = {span: pool.submit(_read_for_others, span, Path(folder)) for span in spans}
            yield Reading(spans=tuple(spans), theirs=theirs, troubles=troubles)
        finally:
            pool.shutdown(cancel_futures=True)


def _sizes(paths: Sequence[Path]) -> tuple[dict[Path, int], dict[Path, OSError]]:
    """Of each file, in bytes, or what is the matter with it."""
    sizes = {}
    troubles = {}
    for path in dict.fromkeys(paths):
        try:
            sizes[path] = path.stat().st_size
        except OSError as error:
            troubles[path] = error
    return sizes, troubles


def _spans(path: Path, size: int, meeting: int) -> Iterator[Span]:
    """The parts of a file, whole lines each: the smaller, the nearer to where readers meet."""
    with path.open("rb") as file:
        start = 0
        while start < size:
            file.seek(start + max(SMALLEST, min(LARGEST, abs(meeting - start) // 4)))
            file.readline()
            end = min(file.tell(), size)
            yield path, start, end
            start = end


def _read(path: Path, start: int, end: int) -> "Part":
    from report.part import read  # What takes seconds: see above.

    return read(path, start, end)


def _read_for_others(span: Span, folder: Path) -> Path:
    """Leave a part in a file of its own in ``folder``."""
    with NamedTemporaryFile(dir=folder, delete=False) as left:
        pickle.dump(_read(*span), left, protocol=pickle.HIGHEST_PROTOCOL)
    return Path(left.name)


def _of_helper(span: Span, theirs: Future[Path]) -> "Part":
    """What a helper left; where it could not, be it for want of memory or room, it is read here."""
    try:
        left = theirs.result()
        with left.open("rb") as file:
            part: Part = pickle.load(file)  # noqa: S301 - of a helper of this process
        left.unlink()
    except (BrokenExecutor, OSError):
        return _read(*span)
    return part
