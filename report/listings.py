"""How the article's listings ended, as ``nox -s listings`` last ran them."""

from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from bench.outcomes import Audit
from report import committed

PATH = committed.FOLDER / "listings.json"

_AUDIT: TypeAdapter[Audit | None] = TypeAdapter(Audit | None, config=committed.STRICT)


@cache
def load(path: Path = PATH) -> Audit | None:
    """The committed audit; None if there is none. Raises ``UserError`` if it is broken."""
    return committed.load(path, _AUDIT, "listings")
