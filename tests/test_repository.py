"""What a stranger reads first is true, and nothing private or unpinned is in the files."""

import json
import re
import shutil
import subprocess
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

from bench.records import RECORDS
from report import calibration
from report.load import load_runs
from report.overview import arrange
from report.write import PAGE, REPORT, write_report

ROOT = Path(__file__).resolve().parent.parent
LOCKS = [*ROOT.glob("locks/*.txt"), *ROOT.glob("impls/*/requirements.*.txt")]


def code_blocks(page: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


def test_the_readme_opens_with_two_commands_and_ci_runs_the_second() -> None:
    first, second, *_ = (block.strip() for block in code_blocks("README.md"))
    assert first.endswith("nox -s bench")
    assert second.endswith("nox -s tests")
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    prepares = ("#", "set ", "command -v chromium")
    assert [line for line in lines if line and not line.startswith(prepares)] == [second]


SESSIONS = {
    "bench": ("bench/__main__.py", "bench/arguments.py", "report/export.py"),
    "regress": ("bench/regress.py", "bench/arguments.py"),
}
"""Sessions whose options the pages name, and where they are defined."""


def test_the_readme_names_only_sessions_and_options_that_exist() -> None:
    noxfile = (ROOT / "noxfile.py").read_text()
    sessions = set(re.findall(r"^def (\w+)\(session", noxfile, re.MULTILINE))
    for page in (ROOT / "README.md", *ROOT.glob("docs/*.md"), ROOT / "impls" / "README.md"):
        text = page.read_text()
        assert set(re.findall(r"nox -s \"?(\w+)", text)) <= sessions
        for session, files in SESSIONS.items():
            sources = [(ROOT / name).read_text() for name in files]
            options = {o for source in sources for o in re.findall(r'"(--[a-z-]+)"', source)}
            named = re.findall(rf"nox -s {session} --(.*?)(?:`|#|$)", text, re.MULTILINE)
            asked = {o for line in named for o in re.findall(r"--[a-z-]+", line)}
            assert asked <= options | {"--help"}


@pytest.mark.parametrize("machine", ["cpu", "h200"])
def test_the_committed_report_comes_from_the_committed_records(
    tmp_path: Path, machine: str
) -> None:
    reference = ROOT / "results" / "reference" / machine
    made = tmp_path / machine
    runs = [made / path.parent.name for path in sorted(reference.glob(f"*/{RECORDS}"))]
    for run in runs:
        run.mkdir(parents=True)
        shutil.copy(reference / run.name / RECORDS, run)
    write_report(arrange(load_runs(runs)), made)
    (made / PAGE).unlink()  # not committed: most of it is the libraries that draw it
    names = {path.relative_to(made) for path in made.rglob("*.*")}
    committed = {path.relative_to(reference) for path in reference.rglob("*.*")}
    assert names == committed - {Path(PAGE)}
    for name in names:
        # Where text ends in a figure depends on the fonts there are.
        if name.suffix != ".svg":
            text = (reference / name).read_text()
            text = text.replace(f"results/reference/{machine}/", "")
            assert (made / name).read_text() == text, name


def test_the_readmes_results_are_the_committed_reports() -> None:
    committed = (ROOT / "results" / "reference" / "cpu" / REPORT).read_text()
    readme = (ROOT / "README.md").read_text()
    tables = re.findall(r"^\| (?:claim|workload) .*?\n\n", readme, re.MULTILINE | re.DOTALL)
    assert len(tables) == 4
    assert all(table in committed for table in tables)
    ratios, known = (
        set(re.findall(r"\d\.\d\d \(\d\.\d\d to \d\.\d\d\)", " ".join(text.split())))
        for text in (readme, committed)
    )
    assert ratios <= known


def test_in_all_blocks_but_one_every_run_classifies_the_same_share() -> None:
    """And in that one it is one image of 500, as the README says."""
    differing = []
    for run in ("standard", "keep"):
        shares = defaultdict(set)
        lines = (ROOT / "results" / "reference" / "cpu" / run / RECORDS).read_text().splitlines()
        for record in map(json.loads, lines):
            trial, result = record["trial"], record["measurement"]["result"]
            images = round(trial["test_images"] * result["epochs"][-1]["test_accuracy"])
            shares[trial["workload"]["name"], trial["block"]].add(images)
        assert len(shares) == 20
        differing += [(where, max(of) - min(of)) for where, of in shares.items() if len(of) > 1]
    assert differing == [(("listing3", 8), 1)] * 2


@pytest.mark.parametrize("name", ["calibration", "calibration-keep"])
def test_the_calibration_comes_from_the_committed_records(name: str) -> None:
    reference = ROOT / "results" / "reference"
    runs = sorted(path.parent for path in reference.glob(f"{name}/*/{RECORDS}"))
    assert runs
    assert calibration.page(runs) == (reference / f"{name}.md").read_text()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_locks_pin_versions_and_hashes_and_name_no_index(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    requirements = re.split(r"\n(?=\S)", text.strip())
    for requirement in requirements:
        assert re.match(r"[a-z0-9-]+(\[[a-z0-9,-]+\])?==", requirement), requirement
        assert "--hash=sha256:" in requirement


def test_frameworks_have_one_version_whatever_they_are_locked_for() -> None:
    versions: dict[str, set[str]] = {}
    for lock in LOCKS:
        for name, version in re.findall(
            r"^(torch|tensorflow(?:-cpu)?|keras|jax|flax|optax|numpy)==([\w.]+)",
            lock.read_text(),
            re.MULTILINE,
        ):
            versions.setdefault(name.removesuffix("-cpu"), set()).add(version)
    assert {name: len(found) for name, found in versions.items()} == dict.fromkeys(versions, 1)


def test_the_changelog_has_the_present_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text()
    assert project["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")


def test_no_file_of_the_project_is_large_or_names_this_machine() -> None:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=False
    ).stdout.decode()
    if not listed:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if not path.exists():
            continue
        content = path.read_bytes()
        assert len(content) < 2_000_000, name
        assert str(ROOT).encode() not in content, name


def test_workflows_pin_what_they_use_and_run_the_readmes_second_command() -> None:
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    assert [path.name for path in workflows] == ["ci.yml", "regress.yml"]
    for path in workflows:
        used = re.findall(r"uses: (.*)", path.read_text())
        assert used
        assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", use) for use in used)
    _, second, *_ = (block.strip() for block in code_blocks("README.md"))
    setup, tests = second.rsplit(" && ", 1)
    ci = workflows[0].read_text()
    assert f"run: {setup}\n" in ci
    assert f"run: {tests}\n" in ci


def test_pre_commit_has_the_locked_ruff() -> None:
    (locked,) = re.findall(r"^ruff==\S+", (ROOT / "locks" / "lint.txt").read_text(), re.MULTILINE)
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    assert set(re.findall(r"ruff==[^\]\s]+", hooks)) == {locked}
