import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.platforms import PLATFORMS, REQUIREMENTS
from report import platforms
from report.claims import portability
from report.platforms import asked, installs, load
from report.tables.platforms import table
from report.verdicts import Finding

Answer = Callable[..., Path]


@pytest.fixture
def answer(tmp_path: Path) -> Answer:
    def write(**where: set[str]) -> Path:
        rows = [
            {
                "framework": framework,
                "platform": platform,
                "cuda": cuda,
                "versions": {framework: "1.0"} if platform in places and not cuda else {},
            }
            for framework, places in where.items()
            for platform in PLATFORMS
            for cuda in (False, True)
        ]
        path = tmp_path / "platforms.json"
        answered = {"date": "2026-11-25", "python": "3.12", "macos": "15.0", "rows": rows}
        path.write_text(json.dumps(answered), encoding="utf-8")
        return path

    return write


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], dict[str, Finding]]:
    def judge(path: Path) -> dict[str, Finding]:
        monkeypatch.setattr(portability, "load", lambda: load(path))
        names = ("pytorch", "keras", "jax")
        return {name: portability.installs_more_widely(name) for name in names}

    return judge


def test_more_platforms_support_the_claim_and_as_many_refute_it(
    answer: Answer, findings: Callable[[Path], dict[str, Finding]]
) -> None:
    every, some = set(PLATFORMS), {"Linux x86-64"}
    found = findings(answer(tensorflow=every, pytorch=some, keras=every, jax=every))
    assert {name: of.answer for name, of in found.items()} == {
        "pytorch": "supported",
        "keras": "refuted",
        "jax": "refuted",
    }
    assert found["pytorch"].reason == "on 4 against 1 of 8, asked on 2026-11-25"
    assert [of.primary for of in found.values()] == [True, True, False]


def test_an_answer_that_was_never_asked_for_is_no_answer(
    tmp_path: Path, findings: Callable[[Path], dict[str, Finding]]
) -> None:
    assert {of.answer for of in findings(tmp_path / "none.json").values()} == {"not tested"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"date": 1, "python": "", "macos": "", "rows": []}',
        '{"evil": "\\u001b[2J"}',
        "[]",
    ],
)
def test_a_broken_answer_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="make it anew: nox -s platforms") as caught:
        load(path)
    assert str(caught.value).isprintable()


def test_the_committed_answer_is_of_every_framework_and_platform() -> None:
    found = load(platforms.PATH)
    assert found is not None
    rows = {(row.framework, row.platform, row.cuda) for row in found.rows}
    assert rows == {
        (framework, platform, cuda)
        for framework in REQUIREMENTS
        for platform in PLATFORMS
        for cuda in (False, True)
    }
    for framework in REQUIREMENTS:
        assert asked(found, framework) == 8
        # The suite itself runs on Linux: what does not install there was not asked for rightly.
        assert installs(found, framework) > 0


def test_the_table_is_of_the_frameworks_asked_for() -> None:
    rows = table(frozenset({"pytorch", "other"})).rows
    assert set(rows["framework"]) == {"pytorch"}
    assert set(rows["platform"]) == set(PLATFORMS)
    linux = rows[rows["platform"] == "Linux x86-64"].iloc[0]
    assert linux["plain"].startswith("torch ")
