import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest

from bench.errors import UserError
from bench.listings import condition, scripts
from bench.records import Record
from report import listings as audits
from report.claims import listings
from report.listings import load
from report.load import load_run
from report.material import Material
from report.sections import build_sections
from report.verdicts import Finding, whole

Judge = Callable[[Path], list[Finding]]


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Judge:
    def found(path: Path) -> list[Finding]:
        monkeypatch.setattr(listings, "load", lambda: load(path))
        nothing = pd.DataFrame(columns=["label", "scenario", "workload", "framework", "mode"])
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


@pytest.mark.parametrize(
    ("zeroed", "unzeroed", "expected"),
    [
        ((0.60, 0.61, 0.62), (0.40, 0.41, 0.42), "refuted"),
        ((0.60, 0.61, 0.62), (0.601, 0.611, 0.621), "supported"),
        ((0.60, 0.61, 0.62), (0.70, 0.71, 0.72), "supported"),
        ((0.60, 0.61, 0.62), (0.40, 0.61, 0.80), "inconclusive"),
        ((0.60,), (0.40,), "not tested"),
    ],
)
def test_training_with_the_defect_is_held_against_training_without(
    make_record: Callable[..., Record],
    write_run: Callable[..., Path],
    zeroed: Sequence[float],
    unzeroed: Sequence[float],
    expected: str,
) -> None:
    accuracies = {"listing3": zeroed, "listing3-unzeroed": unzeroed}
    records = [
        make_record(workload=workload, block=block, inputs=str(block), test_accuracy=accuracy)
        for workload, values in accuracies.items()
        for block, accuracy in enumerate(values)
    ]
    (section,) = build_sections(load_run(write_run(records)))
    rows = section["conditions"].rows
    (row,) = rows[rows["condition"].str.contains("never zeroed train")].to_dict("records")
    assert row["condition"].endswith(": pytorch eager")
    assert row["verdict"] == expected
    assert row["primary"] == "no"
    if expected != "not tested":
        assert row["reason"].startswith(f"ends at {100 * sorted(unzeroed)[1]:.1f}% of the test")


def test_without_the_defect_nothing_is_said_of_it(
    make_record: Callable[..., Record], write_run: Callable[..., Path]
) -> None:
    (section,) = build_sections(load_run(write_run([make_record(workload="listing3")])))
    assert not section["conditions"].rows["condition"].str.contains("never zeroed train").any()
