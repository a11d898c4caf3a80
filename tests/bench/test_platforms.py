"""What is made of the package index' answers; the index itself is not asked."""

import subprocess
from collections.abc import Mapping, Sequence

import pytest

from bench import platforms
from bench.errors import UserError
from bench.platforms import PLATFORMS, resolved

Index = dict[tuple[str, str], Mapping[str, str]]


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Index:
    """Answers by what is asked for first, and platform; what is not in it does not install."""
    answers: Index = {}

    def resolve(names: Sequence[str], platform: str, pinned: Mapping[str, str]) -> dict[str, str]:
        found = dict(answers.get((names[0], platform), {}))
        # A release that is not there for a platform is no other release.
        return found if all(found.get(name) == v for name, v in pinned.items()) else {}

    monkeypatch.setattr(platforms, "resolve", resolve)
    return answers


def test_only_the_current_release_counts(index: Index) -> None:
    index["torch", "Linux x86-64"] = {"torch": "2.15", "nvidia-cublas": "13"}
    index["torch", "macOS arm64"] = {"torch": "2.15"}
    index["torch", "Windows x86-64"] = {"torch": "2.14", "nvidia-cublas": "13"}
    found = {(row.platform, row.cuda): dict(row.versions) for row in resolved("pytorch")}
    assert len(found) == 2 * len(PLATFORMS)
    assert {key for key, versions in found.items() if versions} == {
        ("Linux x86-64", False),
        ("Linux x86-64", True),
        ("macOS arm64", False),
    }
    assert found["macOS arm64", False] == {"torch": "2.15"}


def test_keras_installs_with_any_backend(index: Index) -> None:
    keras = {"keras": "3.15"}
    for name in ("tensorflow", "torch", "jax"):
        index[name, "Linux x86-64"] = {name: "1.0", **keras}
    index["jax", "Windows x86-64"] = {"jax": "1.0", **keras}
    found = {(row.platform, row.cuda): dict(row.versions) for row in resolved("keras")}
    assert found["Linux x86-64", False] == {"tensorflow": "1.0", **keras}
    assert found["Windows x86-64", False] == {"jax": "1.0", **keras}
    assert not found["macOS arm64", False]


@pytest.mark.usefixtures("index")
def test_a_release_that_is_nowhere_is_an_error() -> None:
    with pytest.raises(UserError, match="has nothing for Linux x86-64"):
        resolved("jax")


@pytest.mark.parametrize(
    ("status", "said", "found"),
    [
        (
            0,
            "torch==2.15.0\ntorch-x[a]==1.0 ; python_version < '4'\n",
            {"torch": "2.15.0", "torch-x": "1.0"},
        ),
        (1, "No solution found", {}),
    ],
)
def test_what_does_not_fit_is_an_answer(
    monkeypatch: pytest.MonkeyPatch, status: int, said: str, found: dict[str, str]
) -> None:
    answer_with(monkeypatch, status, said)
    assert platforms.resolve(["torch"], "Linux x86-64", {}) == found


def test_an_index_that_does_not_answer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of all questions it would look like a platform without a wheel."""
    answer_with(monkeypatch, 2, "error: it failed\n  cause: Connection refused")
    with pytest.raises(UserError, match="did not answer: cause: Connection refused"):
        platforms.resolve(["torch"], "Linux x86-64", {})


def answer_with(monkeypatch: pytest.MonkeyPatch, status: int, said: str) -> None:
    def run(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], status, stdout=said, stderr=said)

    monkeypatch.setattr(subprocess, "run", run)
