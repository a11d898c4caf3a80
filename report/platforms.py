"""Where frameworks install, as ``nox -s platforms`` last asked; reports need no network for it."""

from functools import cache
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError

from bench.errors import UserError
from bench.installable import Resolved

PATH = Path(__file__).resolve().parent.parent / "results" / "reference" / "platforms.json"

_RESOLVED: TypeAdapter[Resolved | None] = TypeAdapter(
    Resolved | None, config=ConfigDict(extra="forbid", strict=True)
)


@cache
def load(path: Path = PATH) -> Resolved | None:
    """The committed answer; None if there is none. Raises ``UserError`` if it is broken."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return _RESOLVED.validate_json(text)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise UserError(f"{path}: {where or 'not JSON'}; make it anew: nox -s platforms") from None


def installs(found: Resolved, framework: str) -> int:
    """On how many platforms, with and without CUDA each counted, it installs."""
    return sum(row.framework == framework and bool(row.versions) for row in found.rows)


def asked(found: Resolved, framework: str) -> int:
    """Of how many."""
    return sum(row.framework == framework for row in found.rows)
