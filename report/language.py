"""The page in a second language: patterns of its English texts, and what they become.

The report is written in English wherever it is made; ``texts/zh.toml`` holds every text of the page
in Chinese, by its English pattern. ``{name}`` in a pattern stands for anything, which is translated
in turn if the catalogue knows it and is left as it is if not: numbers, and names of frameworks.
``{name:number}`` stands for a number only, ``{name:list}`` for several things joined by ``, ``, and
``{name:clauses}`` for several joined by ``; ``.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.resources import files
from typing import final

_PLACE = re.compile(r"\{(\w+)(?::(number|list|clauses))?\}")
_NUMBER = r"[-+]?[\d.,]+(?:e[-+]?\d+)?%?|inf"
_JOINED = {"list": ", ", "clauses": "; "}
"""What several are joined by in English."""


@final
class Pattern:
    """One English text with places, and its translation. Raises ``ValueError`` if places differ."""

    def __init__(self, english: str, translated: str) -> None:
        self.translated = translated
        self.kinds = dict(_PLACE.findall(english))
        places = [name for name, _ in _PLACE.findall(translated)]
        if sorted(places) != sorted(self.kinds):
            raise ValueError(f"{english!r} and {translated!r} do not have the same places")
        literals = _PLACE.split(english)[::3]
        self.literal = sum(map(len, literals))
        """How much of it stands for itself."""
        names = [
            f"(?P<{name}>{_NUMBER if kind == 'number' else '.+?'})"
            for name, kind in self.kinds.items()
        ]
        pairs = zip(map(re.escape, literals), [*names, ""], strict=True)
        self.expression = re.compile("".join(map("".join, pairs)), re.DOTALL)

    def filled(self, values: Mapping[str, str]) -> str:
        """The translation with ``values`` in its places."""
        return _PLACE.sub(lambda place: values[place[1]], self.translated)


@final
class Catalogue:
    """All patterns of one language."""

    def __init__(self, texts: Mapping[str, str], joined: Mapping[str, str]) -> None:
        self.texts = texts
        self.joined = joined
        self.known: dict[str, str | None] = {}
        self.missing: set[str] = set()
        """Texts of the report's own that it was asked for and does not know."""

    @classmethod
    def load(cls, language: str) -> "Catalogue":
        """Read a language's catalogue: ``zh`` for Chinese."""
        path = files("report").joinpath("texts", f"{language}.toml")
        return cls(**tomllib.loads(path.read_text(encoding="utf-8")))

    @cached_property
    def patterns(self) -> tuple[Pattern, ...]:
        """Those with places; the one that says most itself first."""
        found = [Pattern(*pair) for pair in self.texts.items() if _PLACE.search(pair[0])]
        return tuple(sorted(found, key=lambda pattern: -pattern.literal))

    def translate(self, text: str) -> str | None:
        """A text in this language; None if no pattern fits."""
        if text not in self.known:
            self.known[text] = self.texts.get(text) or next(self._fitting(text), None)
        return self.known[text]

    def _fitting(self, text: str) -> Iterator[str]:
        for pattern in self.patterns:
            if found := pattern.expression.fullmatch(text):
                yield pattern.filled(
                    {
                        name: self._value(value, pattern.kinds[name])
                        for name, value in found.groupdict().items()
                    }
                )

    def _value(self, value: str, kind: str) -> str:
        if kind not in _JOINED:
            return self.translate(value) or value
        parts = value.split(_JOINED[kind])
        return self.joined[kind].join(self.translate(part) or part for part in parts)
