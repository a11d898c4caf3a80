"""What a mode keeps on a machine: where it lies, how a process finds it. Also in the workers."""

from pathlib import Path

from bench.contract import Mode

FOLDER = "kept"
"""In an environment."""


def held(python: Path, mode: Mode) -> Path:
    """Where what ``mode`` keeps lies beside an environment's interpreter; it need not be there."""
    return python.parent.parent / FOLDER / mode.kept


def lend(mode: Mode, found: Path, home: Path) -> None:
    """Let a process whose temporary folder is ``home`` find what ``mode`` keeps, if it is there."""
    if mode.kept and found.is_dir():
        place = home / mode.kept
        place.parent.mkdir(parents=True)
        place.symlink_to(found.resolve(), target_is_directory=True)
