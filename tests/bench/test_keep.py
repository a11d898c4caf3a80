"""What a mode keeps on a machine: made once, lent to every trial."""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from unittest.mock import ANY

import pytest

from bench import launch
from bench.contract import Implementation, Mode, Trial
from bench.keep import keep
from bench.kept import FOLDER, held
from bench.scenarios import startup

KEEPS = Implementation(
    name="plain",
    title="Plain",
    modules=(),
    distributions=(),
    modes={"loop": Mode(about="a loop", kept="for/all", variables=(("WORD", "headers"),))},
    compiled="loop",
)

MAKES = """
import os
from pathlib import Path

folder = Path(os.environ["TMPDIR"], "for/all")
folder.mkdir(parents=True)
(folder / "made").write_text(os.environ["WORD"])
Path(os.environ["TMPDIR"], "rest").touch()
"""


@pytest.fixture
def trial(make_trial: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch) -> Trial:
    for module in ("bench.keep", "bench.launch"):
        monkeypatch.setattr(f"{module}.frameworks", lambda _root: {"plain": KEEPS})
    return make_trial(framework="plain", mode="loop")


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An interpreter in an environment of its own."""
    python = tmp_path / "environment" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(Path(sys.executable).resolve())
    return python


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[str], Path]:
    """A tree whose implementation has that program."""

    def make(program: str) -> Path:
        path = tmp_path / "tree" / "impls" / "plain" / "keep.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(program)
        return tmp_path / "tree"

    return make


def test_it_is_made_once_and_found_by_every_trial(
    trial: Trial, python: Path, tree: Callable[[str], Path], tmp_path: Path
) -> None:
    told: list[str] = []
    root = tree(MAKES)
    for _ in range(2):
        keep(trial, python, told.append, root)
    assert told == ["making what plain loop keeps on a machine (takes a minute)"]
    assert {path.name for path in (python.parent.parent / FOLDER / "for").iterdir()} == {"all"}
    place = held(python, KEEPS.modes["loop"])
    script = python.with_name("script")
    script.write_text('#!/bin/sh\ncat "$TMPDIR/for/all/made"; ls "$TMPDIR"; exit 1\n')
    script.chmod(0o755)
    for _ in range(2):
        launch.launch(
            trial,
            python=script,
            worker=("bench.worker",),
            cpus=[0],
            timeout=60,
            log=tmp_path / "log",
            tick=lambda: None,
            root=root,
        )
        assert (tmp_path / "log").read_text() == "headersfor\n"
    assert [path.name for path in place.iterdir()] == ["made"]


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("raise OSError('no compiler')", "OSError: no compiler"),
        (MAKES + "raise OSError", "OSError"),
    ],
)
def test_where_it_cannot_be_made_nothing_is_left_of_it(
    trial: Trial, python: Path, tree: Callable[[str], Path], program: str, said: str
) -> None:
    told: list[str] = []
    keep(trial, python, told.append, tree(program))
    assert said in told[1]
    assert told[1].endswith(": each trial of plain loop makes its own")
    assert not list((python.parent.parent / FOLDER / "for").iterdir())


def test_a_mode_that_keeps_nothing_runs_nothing(
    make_trial: Callable[..., Trial], python: Path
) -> None:
    keep(make_trial(framework="pytorch", mode="eager"), python, pytest.fail)
    assert [path.name for path in python.parent.parent.iterdir()] == ["bin"]


def test_a_cold_start_finds_it_in_its_empty_home(
    make_trial: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trial = make_trial(framework="pytorch", mode="compile")
    wanted = import_module("impls.pytorch").IMPLEMENTATION.modes["compile"].kept
    (tmp_path / wanted).mkdir(parents=True)
    (tmp_path / "compiled").touch()
    homes: list[Path] = []

    def ask(_worker: str, _trial: Trial, variables: dict[str, str]) -> tuple[str, int]:
        home = Path(variables["TMPDIR"])
        homes.append(home)
        assert (home / wanted).resolve() == (tmp_path / wanted).resolve()
        assert not (home / "compiled").exists()
        return "1.0", 0

    monkeypatch.setattr(startup, "ask", ask)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    startup.measure(ANY, ANY, ANY, trial)
    assert len(homes) == 2
