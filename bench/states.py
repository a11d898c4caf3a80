"""Two states of the suite to compare, each a tree of its own that nothing changes meanwhile.

Both have the present ``bench``: whatever else differs between them, they are measured alike. The
implementations and their locks are those of the state.
"""

import io
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

from bench.code import ROOT, describe, digest
from bench.contract import Device
from bench.environments import frameworks, requirements
from bench.errors import UserError
from bench.records import Code


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What was, or is to be, measured."""

    what: str
    """In words."""
    root: Path
    """Of the tree, which holds ``bench`` and ``impls``."""
    code: Code


def of_commit(ref: str, root: Path) -> State:
    """The implementations of a commit, written to ``root``. Raises ``UserError``."""
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if commit is None:
        raise UserError(f"--base {ref}: neither a commit of this checkout nor the folder of a run")
    sha = commit.decode().strip()
    archive = _git("archive", "--format=zip", sha, "impls")
    if archive is None:
        raise UserError(f"--base {ref}: that commit has no implementations (impls/)")
    root.mkdir(parents=True)
    with zipfile.ZipFile(io.BytesIO(archive)) as found:
        found.extractall(root)
    _copy("bench", root)
    return State(
        what=f"{ref} ({sha[:12]})" if ref != sha else sha[:12],
        root=root,
        code=Code(commit=sha, dirty=False, digest=digest(root)),
    )


def of_working_tree(root: Path) -> State:
    """What is in this checkout now, committed or not, copied to ``root``."""
    root.mkdir(parents=True)
    for folder in ("bench", "impls"):
        _copy(folder, root)
    found = describe()
    commit = found.commit[:12] if found.commit else "no commit"
    return State(
        what=f"the working tree ({commit}{', changed' if found.dirty else ''})",
        root=root,
        code=Code(commit=found.commit, dirty=found.dirty, digest=digest(root)),
    )


def with_lock(lock: Path, framework: str, environment: str, device: Device, root: Path) -> State:
    """This checkout, but with another lock of one environment. Raises ``UserError``."""
    try:
        content = lock.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{lock}: no lock can be read there ({_reason(error)})") from None
    if "--hash=" not in content:
        raise UserError(f"{lock}: not a lock with hashes, as `uv pip compile` writes them")
    state = of_working_tree(root)
    requirements(framework, device, environment, root).write_text(content, encoding="utf-8")
    return State(
        what=f"{state.what} with {lock.name}",
        root=root,
        code=Code(commit=state.code.commit, dirty=state.code.dirty, digest=digest(root)),
    )


def harness_differs(ref: str) -> bool:
    """Whether ``bench`` of a commit is another than this checkout's, which measures both."""
    return _git("diff", "--quiet", ref, "--", "bench") is None


def lacks(state: State, framework: str, mode: str, device: Device) -> str:
    """What ``state`` lacks of an arm, as a clause; empty if it has it. Raises ``UserError``."""
    try:
        known = frameworks(state.root)
    except UserError as error:
        raise UserError(f"{state.what}: {error}") from None
    if framework not in known:
        return f"has no {framework}"
    found = known[framework].modes.get(mode)
    if found is None:
        return f"has no mode {mode} of {framework}"
    return "" if device in found.devices else f"has {framework} {mode} not for {device}"


def _copy(folder: str, root: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / folder, root / folder, ignore=ignored)


def _git(*arguments: str) -> bytes | None:
    """What git says, or None where it refuses or is not there."""
    try:
        return subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return getattr(error, "strerror", None) or "not UTF-8"
