"""Files that are whole at any time: the old one or the new one. Standard library only."""

import os
from pathlib import Path


def replace(path: Path, text: str) -> None:
    """Write ``text`` in UTF-8. Raises ``OSError``; then the old file is still there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
