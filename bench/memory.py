"""Host memory of this process, as the kernel accounts it. Runs in the workers.

Not ``getrusage``: its ``ru_maxrss`` survives ``exec`` on Linux, so a worker started by a large
parent would report the parent's size. ``VmHWM`` belongs to the process's own memory.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def peak_resident_bytes() -> int | None:
    """The resident set at its highest so far, in bytes; None where the system does not tell."""
    return _status("VmHWM", 1024)


def resident_bytes() -> int | None:
    """The resident set at present, in bytes; None where the system does not tell."""
    return _status("VmRSS", 1024)


def held_bytes() -> int | None:
    """Anonymous memory of this process and its descendants; None where the system does not tell.

    What is mapped from files is not in it: the system may take that back whenever it likes.
    Processes that were forked count what they share each for itself.
    """
    held = [_status("RssAnon", 1024, process) for process in _family(os.getpid())]
    return sum(filter(None, held)) if held[0] is not None else None


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


def _family(process: int) -> Iterator[int]:
    """A process and its descendants (``/proc/PID/task/TID/children``, proc(5))."""
    yield process
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):  # it may have ended meanwhile
            for child in task.read_text(encoding="ascii").split():
                yield from _family(int(child))


def _status(key: str, unit: int, process: int | str = "self") -> int | None:
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(rf"^{key}:\s+(\d+)", status, re.MULTILINE)
    return int(found[1]) * unit if found else None
