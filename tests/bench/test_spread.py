"""What is kept of a spread that is measured again."""

import tomllib
from pathlib import Path

import pytest

from bench import certificate, spread
from bench.certificate import QUANTITIES, Tolerance

SEEN = Tolerance(**dict(zip(QUANTITIES, (5e-7, 3e-8, 0.0, 1e-7, 1e-4, 7e-7), strict=True)))
BEFORE = Tolerance(**dict(zip(QUANTITIES, (4e-7, 4e-8, 0.0, 2e-7, 0.0, 6e-7), strict=True)))
CASE = ["--framework", "jax", "--workload", "listing3", "--dtype", "fp32"]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file, in the place of the suite's own; what is seen is known, nothing is measured."""
    path = tmp_path / "spread.toml"
    monkeypatch.setattr(spread, "SPREAD", path)
    other = certificate.Measured("listing1", "fp32", "jax")
    mine = certificate.Measured("listing3", "fp32", "jax")
    monkeypatch.setattr(certificate, "spread", lambda: {other: SEEN, mine: BEFORE})
    monkeypatch.setattr(spread, "measure", lambda *_: SEEN)
    return path


def stands(path: Path, network: str) -> Tolerance:
    return Tolerance(**tomllib.loads(path.read_text())[network]["fp32"]["jax"])


def test_what_is_measured_again_replaces_what_stood_there(written: Path) -> None:
    assert spread.main(CASE) == 0
    assert stands(written, "listing3") == SEEN
    assert stands(written, "listing1") == SEEN


def test_widened_it_is_the_larger_of_both_in_every_quantity(written: Path) -> None:
    assert spread.main([*CASE, "--widen"]) == 0
    both = (5e-7, 4e-8, 0.0, 2e-7, 1e-4, 7e-7)
    assert stands(written, "listing3") == Tolerance(**dict(zip(QUANTITIES, both, strict=True)))


def test_widened_where_nothing_stood_it_is_what_is_seen(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate, "spread", dict)
    assert spread.main([*CASE, "--widen"]) == 0
    assert stands(written, "listing3") == SEEN
