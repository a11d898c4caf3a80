"""What ``nox -s platforms`` keeps: where frameworks install. Standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Installable:
    """Whether a framework's current release installs, as the package index had it."""

    framework: str
    platform: str
    """Such as ``Linux x86-64``."""
    cuda: bool
    """With the libraries for CUDA from the same index."""
    versions: Mapping[str, str]
    """Of what was asked for; empty if it does not install."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The whole answer, and when and for what it was given."""

    date: str
    """``2026-11-25``, UTC."""
    python: str
    macos: str
    """The oldest macOS that wheels might ask for."""
    rows: tuple[Installable, ...]
