"""Peak host memory of this process, as the kernel accounts it. Runs in the workers.

Not ``getrusage``: its ``ru_maxrss`` survives ``exec`` on Linux, so a worker started by a large
parent would report the parent's size. ``VmHWM`` belongs to the process's own memory.
"""

import re
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_resident_bytes() -> int | None:
    """The resident set at its highest so far, in bytes; None where the system does not tell."""
    return _status("VmHWM", 1024)


def threads() -> int:
    """Threads of this process that are alive, the framework's native ones included."""
    return _status("Threads", 1) or 1


def _status(key: str, unit: int) -> int | None:
    try:
        found = re.search(rf"^{key}:\s+(\d+)", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * unit if found else None
