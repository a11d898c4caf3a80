"""What ``nox -s listings`` keeps: how the article's listings ended. Standard library only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One condition, and whether it holds."""

    script: str
    """A file of ``listings/``, without its ending."""
    condition: str
    """The first line of the file's docstring."""
    holds: bool
    """The file ran to its end."""
    error: str
    """The last line of what it said when it did not; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """All of them, and with what they were run."""

    date: str
    """``2026-11-25``, UTC."""
    python: str
    torch: str
    outcomes: tuple[Outcome, ...]
