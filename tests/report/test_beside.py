"""What other processes do for a report is what this one would do."""

import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import vl_convert

from report import beside
from report.bootstrap import MOST, resample_log_ratios
from report.scripts import scripts


@pytest.mark.parametrize("blocks", [1, 3, MOST + 1])
def test_resamples_do_not_depend_on_where_they_are_drawn(blocks: int) -> None:
    generator = np.random.default_rng(0)
    arm, other = (
        [generator.lognormal(size=1 + block % 4) for block in range(blocks)] for _ in range(2)
    )
    there = beside.resampled(arm, other, 7).result()
    here = resample_log_ratios(arm, other, np.random.default_rng(7))
    assert (there.estimate, there.spread, there.n) == (here.estimate, here.spread, here.n)
    np.testing.assert_array_equal(there.deviations, here.deviations)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One for each time that scripts are bundled."""
    bundled: list[str] = []

    def bundle() -> str:
        bundled.append("now")
        return "'é';"

    monkeypatch.setattr(vl_convert, "javascript_bundle", bundle)
    return bundled


def test_an_environment_keeps_its_scripts(
    tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert [scripts(), scripts()] == ["'é';", "'é';"]
    assert len(made) == 1
    monkeypatch.setattr(metadata, "version", lambda _: "another")
    assert scripts() == "'é';"
    assert len(made) == 2


def test_nothing_is_kept_in_a_system(
    tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("prefix", "base_prefix"):
        monkeypatch.setattr(sys, name, str(tmp_path))
    assert scripts() == scripts()
    assert len(made) == 2
    assert not list(tmp_path.iterdir())


def test_an_environment_that_is_not_ours_to_write_to_keeps_nothing(
    tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept").touch()  # No folder can be made there, whoever one is.
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert scripts() == scripts()
    assert len(made) == 2
