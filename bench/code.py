"""Which version of the suite this is, as data."""

import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.records import Code

ROOT = Path(__file__).resolve().parent.parent


def describe() -> Code:
    """The checkout's commit, whether it was changed since, and a digest of the sources."""
    commit = _git("rev-parse", "HEAD")
    return Code(
        commit=commit,
        dirty=commit is not None and bool(_git("status", "--porcelain")),
        digest=digest(ROOT),
    )


def digest(root: Path, folders: Sequence[str] = ("bench", "impls")) -> str:
    """SHA-256 over names and contents of what determines a measurement, under ``root``."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in {".py", ".txt", ".toml"}:
                content = path.read_bytes()
                digest.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode())
                digest.update(content)
    return digest.hexdigest()


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
