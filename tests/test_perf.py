"""``nox -s perf``: its timings are the tool's own, in one file that other tools read."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from bench.code import ROOT
from bench.environments import frameworks
from tests.perf import __main__ as perf
from tests.perf.merge import merged

Report = dict[str, Any]


def timing(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Of one image by the reference, which needs no framework."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "tests/perf/test_inference.py", "-k", "one"),
            *("--framework=reference", "--mode=numpy", *arguments),
        ],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    file = tmp_path_factory.mktemp("perf") / "timings.json"
    limits = ("--benchmark-min-rounds=3", "--benchmark-max-time=0.01")
    done = timing(*limits, f"--benchmark-json={file}")
    assert done.returncode == 0, done.stdout + done.stderr
    found: Report = json.loads(file.read_text())
    return found


@pytest.fixture
def other(report: Report) -> Report:
    """The same as another framework would have it, later."""
    copy = deepcopy(report)
    for benchmark in copy["benchmarks"]:
        benchmark["fullname"] = benchmark["fullname"].replace("reference-numpy", "jax-jit")
        benchmark["name"] = benchmark["name"].replace("reference-numpy", "jax-jit")
    return copy | {"datetime": "9999-01-01T00:00:00+00:00"}


def test_a_timing_says_what_was_timed_and_with_what(report: Report) -> None:
    first, second = report["benchmarks"]
    assert first["name"] == "test_logits[reference-numpy-listing1-one]"
    assert first["fullname"] == f"tests/perf/test_inference.py::{first['name']}"
    assert [of["group"] for of in (first, second)] == [
        "inference of 1, listing1",
        "inference of 1, listing3",
    ]
    assert first["params"] == {
        "framework": "reference",
        "mode": "numpy",
        "workload": "listing1",
        "images": 1,
    }
    told = first["extra_info"]
    assert (told["framework"], told["mode"], told["workload"]) == (
        "reference",
        "numpy",
        "listing1",
    )
    assert (told["batch_size"], told["threads"], told["dataset"]) == (128, 1, "synthetic")
    assert set(told["versions"]) == {"numpy"}


def test_a_file_of_several_is_of_the_same_form(report: Report, other: Report) -> None:
    together = merged([report, other])
    assert set(together) == set(report)
    assert together["benchmarks"] == report["benchmarks"] + other["benchmarks"]
    assert together["datetime"] == other["datetime"]
    assert {**together, "benchmarks": [], "datetime": ""} == {
        **report,
        "benchmarks": [],
        "datetime": "",
    }
    assert merged([report]) == report


def test_files_that_do_not_belong_together_are_refused(report: Report, other: Report) -> None:
    with pytest.raises(ValueError, match="there is no report"):
        merged([])
    with pytest.raises(ValueError, match=r"listing\d-one\] was timed 2 times"):
        merged([report, report])
    moved = other | {"machine_info": {**other["machine_info"], "node": "elsewhere"}}
    for strange in (moved, other | {"version": "1.0"}):
        with pytest.raises(ValueError, match="of different machines"):
            merged([report, strange])
    slower = {**other["machine_info"], "cpu": {"hz_actual_friendly": "1 Hz"}}
    assert merged([report, other | {"machine_info": slower}])


def test_pytest_benchmark_compares_it(report: Report, other: Report, tmp_path: Path) -> None:
    (tmp_path / "all.json").write_text(json.dumps(merged([report, other])))
    done = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", "all.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "benchmark 'inference of 1, listing1': 2 tests" in done.stdout
    for arm in ("reference-numpy", "jax-jit"):
        assert f"test_logits[{arm}-listing3-one]" in done.stdout


def test_github_action_benchmark_finds_its_fields(report: Report, other: Report) -> None:
    """What ``extractPytestResult`` of its ``src/extract.ts`` reads."""
    found = merged([report, other])["benchmarks"]
    assert len({of["fullname"] for of in found}) == len(found)
    for of in found:
        stats = of["stats"]
        assert stats["ops"] == pytest.approx(1 / stats["mean"])
        assert stats["stddev"] >= 0
        assert stats["rounds"] == len(stats["data"]) >= 3


def test_in_parallel_nothing_is_timed() -> None:
    done = timing(PYTEST_XDIST_WORKER="gw0")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "leave out xdist's -n" in done.stderr


PLAYED = """
import json, os, sys
given = dict(of.split("=", 1) for of in sys.argv if of.startswith("--") and "=" in of)
arm = f"{given['--framework']}-{given['--mode']}"
if "--nothing" in sys.argv:
    sys.exit(5)
if "--spoilt" in sys.argv and arm == "tensorflow-xla":
    sys.exit(1)
told = {"argv": sys.argv, "env": dict(os.environ), "cpus": len(os.sched_getaffinity(0))}
benchmark = {"fullname": arm, "extra_info": told}
report = {"machine_info": {}, "commit_info": {}, "datetime": "", "version": "5"}
with open(given["--benchmark-json"], "w") as file:
    json.dump({**report, "benchmarks": [benchmark]}, file)
"""
"""In the place of an environment's interpreter: a timing that tells how it was asked for."""

Driven = Callable[..., tuple[int, Report]]


@pytest.fixture
def locks() -> list[str]:
    """Those that environments were asked to be made of."""
    return []


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, locks: list[str]) -> Driven:
    """Exit status, and what is in the file; nothing if there is none."""
    played = tmp_path / "python"
    played.write_text(f"#!{sys.executable}\n{PLAYED}")
    played.chmod(0o755)

    def install(_folder: Path, lock: Path, _begin: Callable[[], None]) -> Path:
        locks.append(lock.name)
        assert lock.exists()
        return played

    monkeypatch.setattr(perf, "install", install)
    output = tmp_path / "all.json"

    def main(*arguments: str) -> tuple[int, Report]:
        status = perf.main(["--output", str(output), *arguments])
        return status, json.loads(output.read_text()) if output.exists() else {}

    return main


def told(report: Report) -> dict[str, Report]:
    return {of["fullname"]: of["extra_info"] for of in report["benchmarks"]}


def test_every_mode_has_a_process_in_its_environment(drive: Driven, locks: list[str]) -> None:
    status, report = drive("-k", "steps", "--benchmark-save=today")
    assert status == 0
    found = told(report)
    assert list(found) == [
        f"{name}-{mode}"
        for name, implementation in frameworks().items()
        for mode, of in implementation.modes.items()
        if "cpu" in of.devices
    ]
    assert len(locks) == len(found)
    assert set(locks) == {path.name for path in ROOT.glob("locks/conformance-*.txt")}
    for of in found.values():
        assert of["cpus"] == 1
        assert of["env"]["OMP_NUM_THREADS"] == "1"
        assert not Path(of["env"]["HOME"]).exists()
        assert of["argv"][-3:] == ["-k", "steps", "--benchmark-save=today"]
    assert found["keras-fit-torch"]["env"]["KERAS_BACKEND"] == "torch"
    assert "XLA_FLAGS" in found["jax-jit-xla-conv"]["env"]
    assert "XLA_FLAGS" not in found["jax-jit"]["env"]


def test_frameworks_and_modes_are_chosen(drive: Driven) -> None:
    status, report = drive("--framework", "pytorch", "--mode", "eager", "--framework", "tensorflow")
    assert status == 0
    assert list(told(report)) == ["pytorch-eager", "tensorflow-eager"]


def test_one_that_fails_spoils_no_other(drive: Driven, capsys: pytest.CaptureFixture[str]) -> None:
    status, report = drive("--framework", "tensorflow", "--spoilt")
    assert status == 1
    assert list(told(report)) == ["tensorflow-graph", "tensorflow-eager"]
    assert capsys.readouterr().err == "failed: tensorflow xla\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--framework", "torch"], "invalid choice: 'torch'"),
        (["--mode", "scan"], "--mode scan: not on this device (cpu)"),
        (["--framework", "jax", "--mode", "eager"], "unknown mode 'eager'; there are: jit,"),
        (["--benchmark-json=mine.json"], "name it by --output"),
        (["--output", "no/such/all.json"], "--output no/such/all.json: no file can be there"),
        (["--nothing"], "none of the tests in tests/perf was chosen"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    drive: Driven, capsys: pytest.CaptureFixture[str], arguments: Sequence[str], problem: str
) -> None:
    assert drive(*arguments) == (2, {})
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("error: ")
    assert problem in line


@pytest.mark.usefixtures("drive")
def test_a_file_has_a_name_without_being_given_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(perf, "PERF", tmp_path / "results" / "perf")
    assert perf.main(["--framework", "jax", "--mode", "jit"]) == 0
    (file,) = (tmp_path / "results" / "perf").iterdir()
    assert list(told(json.loads(file.read_text()))) == ["jax-jit"]
