"""Peak host memory of this process, as the kernel accounts it. Runs in the workers.

Not ``getrusage``: its ``ru_maxrss`` survives ``exec`` on Linux, so a worker started by a large
parent would report the parent's size. ``VmHWM`` belongs to the process's own memory.
"""

import re
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_resident_bytes() -> int | None:
    """The resident set at its highest so far, in bytes; None where the system does not tell."""
    return _status("VmHWM", 1024)


def resident_bytes() -> int | None:
    """The resident set at present, in bytes; None where the system does not tell."""
    return _status("VmRSS", 1024)


def reset_peak() -> None:
    """Start ``peak_resident_bytes`` anew from what is resident now, where the system can."""
    with suppress(OSError):  # 5: proc_pid_clear_refs(5), "reset the peak resident set size"
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def out_of_memory(error: Exception) -> bool:
    """Whether that is what ``error`` says, in the words of whatever framework."""
    message = str(error)
    return isinstance(error, MemoryError) or any(sign in message for sign in _EXHAUSTED)


_EXHAUSTED = ("out of memory", "OutOfMemory", "RESOURCE_EXHAUSTED", "OOM when", "can't allocate")
"""How PyTorch, XLA and TensorFlow say it."""


def threads() -> int:
    """Threads of this process that are alive, the framework's native ones included."""
    return _status("Threads", 1) or 1


def _status(key: str, unit: int) -> int | None:
    try:
        found = re.search(rf"^{key}:\s+(\d+)", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * unit if found else None
