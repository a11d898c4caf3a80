"""Files and folders that are whole at any time, or not there. Standard library only."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def replace(path: Path, text: str) -> None:
    """Write ``text`` in UTF-8. Raises ``OSError``; then the old file is still there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder to fill, which becomes ``target`` when that is done: nobody ever sees half of it.

    If another process was quicker, its folder stays. Raises ``OSError``; then nothing is left.
    """
    with tempfile.TemporaryDirectory(prefix=".unfinished", dir=target.parent) as scratch:
        unfinished = Path(scratch, target.name)
        unfinished.mkdir()
        yield unfinished
        try:
            unfinished.rename(target)
        except OSError:
            if not target.is_dir():
                raise
