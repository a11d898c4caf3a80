"""Where frameworks install, as ``nox -s platforms`` last asked."""

from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from bench.installable import Resolved
from report import committed

PATH = committed.FOLDER / "platforms.json"

_RESOLVED: TypeAdapter[Resolved | None] = TypeAdapter(Resolved | None, config=committed.STRICT)


@cache
def load(path: Path = PATH) -> Resolved | None:
    """The committed answer; None if there is none. Raises ``UserError`` if it is broken."""
    return committed.load(path, _RESOLVED, "platforms")


def installs(found: Resolved, framework: str) -> int:
    """On how many platforms, with and without CUDA each counted, it installs."""
    return sum(row.framework == framework and bool(row.versions) for row in found.rows)


def asked(found: Resolved, framework: str) -> int:
    """Of how many."""
    return sum(row.framework == framework for row in found.rows)
