import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bench.errors import UserError
from bench.listings import condition, scripts
from report import listings as audits
from report.claims import listings
from report.listings import load
from report.material import Material
from report.verdicts import Finding, whole

Judge = Callable[[Path], list[Finding]]


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Judge:
    def found(path: Path) -> list[Finding]:
        monkeypatch.setattr(listings, "load", lambda: load(path))
        nothing = pd.DataFrame()
        material = Material(device="cpu", trials=nothing, counted=nothing, processes={})
        return list(listings.judge(material))

    return found


def audit(folder: Path, **holds: bool) -> Path:
    path = folder / "listings.json"
    outcomes = [
        {
            "script": name,
            "condition": name,
            "holds": held,
            "error": "" if held else "NameError: \u001b[2J",
        }
        for name, held in holds.items()
    ]
    answer = {"date": "2026-11-25", "python": "3.11", "torch": "2.15", "outcomes": outcomes}
    path.write_text(json.dumps(answer), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [(True, True, "supported"), (False, False, "refuted"), (True, False, "mixed")],
)
def test_what_runs_supports_and_what_fails_refutes(
    judge: Judge, tmp_path: Path, one: bool, other: bool, verdict: str
) -> None:
    findings = judge(audit(tmp_path, listing1_builds=True, one=one, other=other))
    assert [finding.primary for finding in findings] == [False, True, True]
    assert whole(findings)[0] == verdict
    assert all(finding.reason.isprintable() for finding in findings)


def test_what_nobody_ran_is_not_tested(judge: Judge, tmp_path: Path) -> None:
    assert whole(judge(tmp_path / "none.json"))[0] == "not tested"


def test_a_broken_audit_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text('{"date": []}', encoding="utf-8")
    with pytest.raises(UserError, match="make it anew: nox -s listings"):
        load(path)


def test_the_committed_audit_is_of_every_file_as_it_stands() -> None:
    found = load(audits.PATH)
    assert found is not None
    assert {of.script: of.condition for of in found.outcomes} == {
        path.stem: condition(path) for path in scripts()
    }
    assert set(listings.BESIDE) < {of.script for of in found.outcomes}
