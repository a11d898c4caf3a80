"""How the article's listings ended, as ``nox -s listings`` last ran them."""

from functools import cache
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError

from bench.errors import UserError
from bench.outcomes import Audit

PATH = Path(__file__).resolve().parent.parent / "results" / "reference" / "listings.json"

_AUDIT: TypeAdapter[Audit | None] = TypeAdapter(
    Audit | None, config=ConfigDict(extra="forbid", strict=True)
)


@cache
def load(path: Path = PATH) -> Audit | None:
    """The committed audit; None if there is none. Raises ``UserError`` if it is broken."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return _AUDIT.validate_json(text)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise UserError(f"{path}: {where or 'not JSON'}; make it anew: nox -s listings") from None
