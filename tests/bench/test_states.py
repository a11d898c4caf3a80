"""Two states of a checkout, each in a tree of its own."""

import shutil
import subprocess
from pathlib import Path

import pytest

from bench import code, states
from bench.code import ROOT
from bench.errors import UserError
from bench.states import State, harness_differs, lacks, of_commit, of_working_tree, with_lock


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=maintainers", "-c", "user.email=maintainers@localhost")
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of its own, with one commit, in the place of ours."""
    folder = tmp_path / "checkout"
    for name in ("bench", "impls"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=first")
    for module in (states, code):
        monkeypatch.setattr(module, "ROOT", folder)
    return folder


def change(path: Path) -> str:
    path.write_text(path.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    return path.read_text(encoding="utf-8")


def test_a_commit_has_its_own_implementations_and_the_present_harness(
    checkout: Path, tmp_path: Path
) -> None:
    before = (checkout / "impls/jax/trainer.py").read_text(encoding="utf-8")
    change(checkout / "impls/jax/trainer.py")
    clock = change(checkout / "bench/clock.py")
    state = of_commit("main", tmp_path / "base")
    assert (state.root / "impls/jax/trainer.py").read_text(encoding="utf-8") == before
    assert (state.root / "bench/clock.py").read_text(encoding="utf-8") == clock
    assert state.code.commit == git(checkout, "rev-parse", "main")
    assert state.what == f"main ({state.code.commit[:12]})"
    assert not state.code.dirty
    assert state.code.digest == code.digest(state.root)
    assert harness_differs("main")


def test_the_working_tree_is_taken_as_it_is_and_stays_so(checkout: Path, tmp_path: Path) -> None:
    assert of_working_tree(tmp_path / "clean").what.endswith(f"({head(checkout)})")
    changed = change(checkout / "impls/jax/trainer.py")
    (checkout / "impls/jax/new.py").write_text("")
    state = of_working_tree(tmp_path / "changed")
    assert state.code.dirty
    assert state.what == f"the working tree ({head(checkout)}, changed)"
    change(checkout / "impls/jax/trainer.py")
    assert (state.root / "impls/jax/trainer.py").read_text(encoding="utf-8") == changed
    assert (state.root / "impls/jax/new.py").exists()
    assert not harness_differs("main")


def head(checkout: Path) -> str:
    return git(checkout, "rev-parse", "HEAD")[:12]


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("ref", ["nonesuch", "--output=x", "", "HEAD:bench", "main~7"])
def test_an_unknown_commit_is_one_line(tmp_path: Path, ref: str) -> None:
    with pytest.raises(UserError, match=r"^--base .*: neither a commit .* nor .*$"):
        of_commit(ref, tmp_path / "base")
    assert not (tmp_path / "base").exists()


def test_a_commit_without_implementations_is_one_line(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "rm", "-r", "--quiet", "impls")
    git(checkout, "commit", "--quiet", "--message=second")
    with pytest.raises(UserError, match=r"^--base HEAD: that commit has no implementations"):
        of_commit("HEAD", tmp_path / "base")


def test_a_lock_takes_the_place_of_one_environment_only(checkout: Path, tmp_path: Path) -> None:
    lock = tmp_path / "older.txt"
    lock.write_text("numpy==2.0.0 --hash=sha256:00\n", encoding="utf-8")
    state = with_lock(lock, "keras", "jax", "cpu", tmp_path / "base")
    changed = {
        path.relative_to(checkout).as_posix()
        for path in (checkout / "impls").rglob("*.txt")
        if path.read_bytes() != (state.root / path.relative_to(checkout)).read_bytes()
    }
    assert changed == {"impls/keras/requirements.jax.cpu.txt"}
    assert state.what.endswith(" with older.txt")
    assert state.code.digest == code.digest(state.root) != code.digest(checkout)


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("content", [None, b"numpy\n", b"\xff --hash="])
def test_what_is_no_lock_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    lock = tmp_path / "lock.txt"
    if content is not None:
        lock.write_bytes(content)
    with pytest.raises(UserError, match=r"^.*lock.txt: (no lock can be read|not a lock).*$"):
        with_lock(lock, "jax", "", "cpu", tmp_path / "base")
    assert not (tmp_path / "base").exists()


def test_what_a_state_lacks_is_said(checkout: Path, tmp_path: Path) -> None:
    outline = checkout / "impls/jax/__init__.py"
    text = outline.read_text(encoding="utf-8")
    outline.write_text(text.replace('"jit-xla-conv"', '"another"'), encoding="utf-8")
    git(checkout, "commit", "--quiet", "--all", "--message=second")
    state = of_commit("HEAD", tmp_path / "base")
    assert lacks(state, "jax", "jit", "cpu") == ""
    assert lacks(state, "jax", "another", "cpu") == ""
    assert lacks(state, "jax", "jit-xla-conv", "cpu") == "has no mode jit-xla-conv of jax"
    assert lacks(state, "jax", "scan", "cpu") == "has jax scan not for cpu"
    assert lacks(state, "torch", "eager", "cpu") == "has no torch"


def test_implementations_that_the_harness_cannot_read_are_one_line(
    checkout: Path, tmp_path: Path
) -> None:
    outline = checkout / "impls/jax/__init__.py"
    text = outline.read_text(encoding="utf-8")
    outline.write_text(text.replace("Mode(about=", "Mode(purpose="), encoding="utf-8")
    state: State = of_working_tree(tmp_path / "head")
    said = r"^the working tree .*: its implementations do not fit this harness \(TypeError: .*pur"
    with pytest.raises(UserError, match=said) as error:
        lacks(state, "jax", "jit", "cpu")
    assert "\n" not in str(error.value)
    assert str(tmp_path) not in str(error.value)
