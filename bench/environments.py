"""Locked environments, one or more per framework: in one, their CUDA stacks would contradict."""

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module, util
from pathlib import Path

from bench.arguments import chosen
from bench.code import ROOT
from bench.contract import Device, Implementation
from bench.errors import UserError, last_line

ENVIRONMENTS = ROOT / ".environments"

_STAMP = "lock.sha256"


def frameworks(root: Path = ROOT) -> dict[str, Implementation]:
    """Every implementation that is compared, by name: the folders of ``impls`` with requirements.

    The reference has none: it is the judge. Those of another tree than this one are asked in a
    process of its own, because two of a name cannot be imported into one. Raises ``UserError``
    where they cannot be read with that tree's ``bench``.
    """
    if root != ROOT:
        return dict(_told(root))
    names = sorted(path.parent.name for path in (ROOT / "impls").glob("*/requirements.cpu.in"))
    return {name: import_module(f"impls.{name}").IMPLEMENTATION for name in names}


@cache
def _told(root: Path) -> Mapping[str, Implementation]:
    # Not at the top: where implementations are only examined, it is not installed.
    from pydantic import TypeAdapter, ValidationError

    asked = subprocess.run(
        [sys.executable, "-P", "-m", "bench.outline"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return TypeAdapter(dict[str, Implementation]).validate_json(asked.stdout)
    except ValidationError:
        said = last_line(asked.stderr)[:200]
        raise UserError(
            f"its implementations do not fit this harness ({said}); compare with a state that "
            "they fit"
        ) from None


def arms(
    names: Sequence[str],
    modes: Sequence[str] | None,
    device: Device,
    unnamed: Callable[[Implementation], Sequence[str]],
) -> list[tuple[str, str]]:
    """Framework and mode, of frameworks ``names``: the ``modes`` that are named, on ``device``.

    Where none is named, those that ``unnamed`` gives. Raises ``UserError`` for modes that there are
    not, and where nothing is left.
    """
    known = {name: frameworks()[name] for name in names}
    chosen("mode", modes, sorted({mode for found in known.values() for mode in found.modes}))
    found = [
        (name, mode)
        for name, of in known.items()
        for mode in of.modes
        if mode in (modes or unnamed(of)) and device in of.modes[mode].devices
    ]
    if not found:
        raise UserError(f"--mode {' '.join(modes or ())}: not on this device ({device})")
    return found


def requirements(framework: str, device: Device, environment: str = "", root: Path = ROOT) -> Path:
    """The hash-pinned lock of a framework for a device; ``environment`` as in ``Mode``."""
    parts = filter(None, ("requirements", environment, device, "txt"))
    return root / "impls" / framework / ".".join(parts)


def environment(
    framework: str, mode: str, device: Device, report: Callable[[str], None], root: Path = ROOT
) -> Path:
    """The interpreter of the environment for a mode, made first where it is missing or outdated.

    An environment is kept until its lock or this Python's minor version changes; what another tree
    locks otherwise has one of its own. Needs no network when it exists. Raises ``UserError`` when
    it cannot be made.
    """
    wanted = frameworks(root)[framework].modes[mode].environment
    name = "-".join(filter(None, (framework, wanted, device)))
    lock, ours = (requirements(framework, device, wanted, of) for of in (root, ROOT))
    try:
        content = lock.read_bytes()
    except OSError:
        raise UserError(f"{lock}: there is no such lock, so no environment for {name}") from None
    if not ours.exists() or content != ours.read_bytes():
        name = f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"
    return install(
        ENVIRONMENTS / name,
        lock,
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
        # Else the first trial that imports a module compiles it, and has that in its start-up.
        "--compile-bytecode",
        *("--require-hashes", "--requirement", str(lock)),
    )
    stamp.write_text(wanted, encoding="utf-8")
    return python


def present(
    arms: Sequence[tuple[str, str]], report: Callable[[str], None], *, demanded: bool
) -> list[tuple[str, str]]:
    """Those of ``arms``, framework and mode, that can run in this very interpreter.

    ``report`` gets a line for each of the others, unless they were ``demanded``. Raises
    ``UserError`` then, and where none is left.
    """
    found = []
    for framework, mode in arms:
        if not (lacking := missing(frameworks()[framework], mode)):
            found.append((framework, mode))
            continue
        line = f"{framework} {mode} cannot run in {sys.executable}: no module {', '.join(lacking)}"
        if demanded:
            raise UserError(f"{line}; install it or leave out --interpreter current")
        report(f"left out: {line}")
    if not found:
        raise UserError(f"{sys.executable} has none of the frameworks; install one")
    return found


def missing(implementation: Implementation, mode: str) -> list[str]:
    """What of a framework's mode the running interpreter lacks: names of modules."""
    wanted = (*implementation.modules, *implementation.modes[mode].modules)
    return [name for name in wanted if util.find_spec(name) is None]


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
