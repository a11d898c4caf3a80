"""What the suite says of the machine, of itself and of its environments."""

import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench import code, environments, machine
from bench.errors import UserError


def test_the_machine_is_described_and_stays_the_same() -> None:
    described = machine.describe()
    assert described == machine.describe()
    assert described.cores == len(machine.usable_cpus()) >= 1
    assert described.memory_bytes > 2**28
    assert described.cpu != "unknown"
    assert (described.gpu is None) == (machine.device_bytes_in_use() is None)


def test_the_digest_is_of_the_sources_and_nothing_else(tmp_path: Path) -> None:
    for name in ("bench", "impls", "report"):
        shutil.copytree(code.ROOT / name, tmp_path / name)
    same = code.digest(code.ROOT)
    assert code.digest(tmp_path) == same
    (tmp_path / "report" / "page.py").write_text("")
    (tmp_path / "bench" / "notes.md").write_text("")
    assert code.digest(tmp_path) == same
    (tmp_path / "impls" / "jax" / "requirements.cpu.txt").write_text("jax==0\n")
    changed = code.digest(tmp_path)
    (tmp_path / "bench" / "clock.py").rename(tmp_path / "bench" / "watch.py")
    assert len({same, changed, code.digest(tmp_path)}) == 3


def test_every_implementation_is_found_with_its_locks() -> None:
    found = environments.frameworks()
    assert list(found) == ["jax", "keras", "pytorch", "tensorflow"]
    for name, implementation in found.items():
        assert implementation.name == name
        for device in ("cpu", "cuda"):
            for mode in implementation.modes.values():
                lock = environments.requirements(name, device, mode.environment).read_text()
                assert "--hash=sha256:" in lock


def test_what_an_interpreter_lacks_is_named() -> None:
    jax = environments.frameworks()["jax"]
    here = replace(jax, modules=("json", "no_such_module"))
    assert environments.missing(here, "jit") == ["no_such_module"]
    assert environments.missing(replace(jax, modules=("json",)), "jit") == []


def test_a_mode_may_need_more_than_its_framework() -> None:
    keras = replace(environments.frameworks()["keras"], modules=("json",))
    lacking = {mode: environments.missing(keras, mode) for mode in keras.modes}
    assert lacking == {"fit": ["tensorflow"], "fit-jax": ["jax"], "fit-torch": ["torch"]}


@pytest.fixture
def begun() -> list[str]:
    return []


def test_an_environment_is_made_once_and_anew_when_its_lock_changes(
    tmp_path: Path, begun: list[str]
) -> None:
    lock, folder = tmp_path / "lock.txt", tmp_path / "environment"
    lock.write_text("# nothing\n")

    def install() -> Path:
        return environments.install(folder, lock, lambda: begun.append("now"))

    python = install()
    assert python.exists()
    assert python.resolve() == Path(sys.executable).resolve()
    (folder / "witness").touch()
    assert install() == python
    assert (folder / "witness").exists()
    assert len(begun) == 1
    lock.write_text("# nothing else\n")
    install()
    assert not (folder / "witness").exists()
    assert len(begun) == 2


def test_no_trial_compiles_what_its_environment_holds(tmp_path: Path, begun: list[str]) -> None:
    pinned = (code.ROOT / "locks" / "tests.txt").read_text()
    found = re.search(r"^iniconfig==(?:.*\\\n)+.*\n", pinned, re.MULTILINE)
    assert found
    lock = tmp_path / "lock.txt"
    lock.write_text(found[0])
    environments.install(tmp_path / "environment", lock, lambda: begun.append("now"))
    (package,) = (tmp_path / "environment").glob("**/site-packages/iniconfig")
    compiled = {path.name.partition(".")[0] for path in package.glob("__pycache__/*.pyc")}
    assert compiled == {path.stem for path in package.glob("*.py")}


def test_an_environment_that_cannot_be_made_is_no_environment(
    tmp_path: Path, begun: list[str]
) -> None:
    lock, folder = tmp_path / "lock.txt", tmp_path / "environment"
    lock.write_text("numpy==1.0 --hash=sha256:zzz\n")
    for _ in range(2):
        with pytest.raises(UserError, match=r"^`uv pip install` failed: .*$"):
            environments.install(folder, lock, lambda: begun.append("now"))
    assert len(begun) == 2
