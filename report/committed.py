"""Dated answers that are committed beside the results, so that reports need nothing to be run."""

from pathlib import Path
from typing import TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from bench.errors import UserError

FOLDER = Path(__file__).resolve().parent.parent / "results" / "reference"
STRICT = ConfigDict(extra="forbid", strict=True)
"""For adapters of ``Answer | None``: of a union the settings reach every dataclass below."""

Answer = TypeVar("Answer")


def load(path: Path, adapter: TypeAdapter[Answer | None], session: str) -> Answer | None:
    """What ``nox -s SESSION`` wrote; None if it never did. Raises ``UserError`` if it is broken."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        problem = where if where.isprintable() and where else "not what it should be"
        raise UserError(f"{path}: {problem}; make it anew: nox -s {session}") from None
