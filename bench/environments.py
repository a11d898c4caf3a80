"""Locked environments, one or more per framework: in one, their CUDA stacks would contradict."""

import hashlib
import platform
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module, util
from pathlib import Path

from bench.code import ROOT
from bench.contract import Device, Implementation
from bench.errors import UserError

ENVIRONMENTS = ROOT / ".environments"

_STAMP = "lock.sha256"


def frameworks() -> dict[str, Implementation]:
    """Every implementation that is compared, by name: the folders of ``impls`` with requirements.

    The reference has none: it is the judge.
    """
    names = sorted(path.parent.name for path in (ROOT / "impls").glob("*/requirements.cpu.in"))
    return {name: import_module(f"impls.{name}").IMPLEMENTATION for name in names}


def requirements(framework: str, device: Device, environment: str = "") -> Path:
    """The hash-pinned lock of a framework for a device; ``environment`` as in ``Mode``."""
    parts = filter(None, ("requirements", environment, device, "txt"))
    return ROOT / "impls" / framework / ".".join(parts)


def environment(framework: str, mode: str, device: Device, report: Callable[[str], None]) -> Path:
    """The interpreter of the environment for a mode, made first where it is missing or outdated.

    An environment is kept until its lock or this Python's minor version changes. Needs no network
    when it exists. Raises ``UserError`` when it cannot be made.
    """
    wanted = frameworks()[framework].modes[mode].environment
    name = "-".join(filter(None, (framework, wanted, device)))
    return install(
        ENVIRONMENTS / name,
        requirements(framework, device, wanted),
        lambda: report(f"making the environment {name} (takes minutes the first time)"),
    )


def install(folder: Path, lock: Path, begin: Callable[[], None]) -> Path:
    """The interpreter of an environment in ``folder`` that holds exactly what ``lock`` pins.

    ``begin`` is called when there is something to be done. Raises ``UserError`` when uv fails.
    """
    version = ".".join(platform.python_version_tuple()[:2])
    wanted = f"{hashlib.sha256(lock.read_bytes()).hexdigest()} python {version}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    stamp = folder / _STAMP
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    begin()
    stamp.unlink(missing_ok=True)
    _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
    _uv(
        *("pip", "install", "--quiet", "--python", str(python)),
        *("--require-hashes", "--requirement", str(lock)),
    )
    stamp.write_text(wanted, encoding="utf-8")
    return python


def missing(implementation: Implementation) -> list[str]:
    """What of a framework the running interpreter lacks: names of modules."""
    return [name for name in implementation.modules if util.find_spec(name) is None]


def _uv(*arguments: str) -> None:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "uv", *arguments], stderr=subprocess.PIPE, text=True, check=False
        )
    except OSError as error:
        raise UserError(f"uv cannot be started: {error}") from None
    if done.returncode:
        reason = " ".join(done.stderr.split())[-300:]
        raise UserError(f"`uv {' '.join(arguments[:2])}` failed: {reason}")
