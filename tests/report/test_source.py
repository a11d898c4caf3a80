from pathlib import Path

import pytest

from report.source import NETWORKS, PACKAGES, changed, read

NETWORKS_PY = '''"""Networks."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn


def helper(x):
    """Says nothing."""
    # Nor does this.
    return F.relu(x)


class Small(nn.Module):
    """One layer."""

    def forward(self, x):
        return helper(x)


class Large(nn.Module):
    def __init__(self, size):
        self.conv = nn.Conv2d(3, size, 3)

    def forward(self, x):
        if x.ndim == 4:
            x = torch.flatten(x, 1)
        return self.conv(x)


NETWORKS: dict[str, object] = {
    "listing1": Small,
    "listing3": Small,
    "rosetta": partial(Large, 8),
    "resnet20": partial(Large, 16),
}
'''
TRAINER_PY = '''"""Trainer."""

import torch


class Trainer:
    def __init__(self, trial):
        """Takes a precision, says this text."""
        self.model = None  # no mode
        if trial.precision == "bf16":
            self.dtype = torch.bfloat16
        self.optimizers = [torch.optim.SGD(trial.optimizer)]
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "impls" / "pytorch"
    folder.mkdir(parents=True)
    (folder / "networks.py").write_text(NETWORKS_PY, encoding="utf-8")
    (folder / "trainer.py").write_text(TRAINER_PY, encoding="utf-8")
    return tmp_path


def test_a_network_is_what_it_needs_without_prose(root: Path) -> None:
    source = read("pytorch", root)
    small, large = source.networks["listing1"], source.networks["resnet20"]
    # Two definitions of two lines, and a class around one of them.
    assert (small.lines, small.statements, small.complexity) == (5, 5, 2)
    assert (large.lines, large.complexity) == (7, 3)
    assert large.maintainability < small.maintainability


def test_names_are_those_of_the_framework_spelled_out(root: Path) -> None:
    source = read("pytorch", root)
    assert source.networks["listing1"].names == {"torch.nn.functional.relu", "torch.nn.Module"}
    assert source.networks["listing1"].modules == {"torch.nn.functional", "torch.nn"}
    assert source.networks["resnet20"].names == {
        "torch.nn.Module",
        "torch.nn.Conv2d",
        "torch.flatten",
    }
    assert source.everything.names >= {"torch.bfloat16", "torch.optim.SGD"}
    assert not any(name.startswith("functools") for name in source.everything.names)


def test_statements_speak_of_a_topic_by_names_alone(root: Path) -> None:
    """Not by what they hold, by texts, or by `model`, which has `mode` in it."""
    assert read("pytorch", root).statements == {"mode": 0, "precision": 1, "optimizer": 1}


def test_networks_that_are_the_same_do_not_spread(root: Path) -> None:
    path = root / "impls" / "pytorch" / "networks.py"
    path.write_text(NETWORKS_PY.replace("partial(Large, 8)", "Small"), encoding="utf-8")
    some = read("pytorch", root).spread()
    assert some > 0
    same = root / "same"
    folder = same / "impls" / "pytorch"
    folder.mkdir(parents=True)
    text = NETWORKS_PY.replace("partial(Large, 8)", "Small").replace("partial(Large, 16)", "Small")
    (folder / "networks.py").write_text(text, encoding="utf-8")
    (folder / "trainer.py").write_text(TRAINER_PY, encoding="utf-8")
    assert read("pytorch", same).spread() == 0


def test_lines_taken_away_and_put_in_are_counted() -> None:
    assert changed(["a", "b", "c"], ["a", "x", "y", "c"]) == 3
    assert changed(["a"], ["a"]) == 0


def test_a_network_that_is_missing_is_named(root: Path) -> None:
    path = root / "impls" / "pytorch" / "networks.py"
    path.write_text(NETWORKS_PY.replace("rosetta", "roseta"), encoding="utf-8")
    with pytest.raises(KeyError, match="rosetta"):
        read("pytorch", root)


@pytest.mark.parametrize("framework", PACKAGES)
def test_every_implementation_can_be_read(framework: str) -> None:
    source = read(framework)
    assert tuple(source.networks) == NETWORKS
    assert all(of.lines > 5 and of.names for of in source.networks.values())
    # The residual network is more to write than the first one, in every framework.
    assert source.networks["resnet20"].lines > source.networks["listing1"].lines
    assert source.changed > 0
    assert source.everything.names > source.networks["resnet20"].names
