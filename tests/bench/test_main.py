"""The command line: bad input is one line and leaves nothing; real runs leave what they should."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench import certificate, reference
from bench.code import ROOT
from bench.environments import frameworks
from bench.plan import PLAN
from bench.records import RECORDS, SCHEMA
from bench.workloads import WORKLOADS

ARCHIVE = ROOT.parent / "shared" / "data" / "cifar10-images.tar.xz"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of its own: prepared data sets of the user's are neither used nor touched."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bench", *arguments]


def variables(cache: Path) -> dict[str, str]:
    return {**os.environ, "FCB_CACHE": str(cache), "COLUMNS": "80"}


def bench(cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env=variables(cache),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--framework", "torch"], "unknown framework 'torch'; there are: jax, keras, pytorch, "),
        (
            ["--workload", "vgg"],
            "unknown workload 'vgg'; there are: listing1, listing3, listing3-unzeroed, ",
        ),
        (["--mode", "graph", "--framework", "jax"], "unknown mode 'graph'; there are: jit"),
        (
            ["--profile", "fast"],
            "unknown profile 'fast'; there are: smoke, quick, standard, full, article",
        ),
        (["--repeats", "0"], "--repeats 0: must be at least 1"),
        (["--epochs", "-1"], "--epochs -1: must be at least 1"),
        (["--images", "0"], "--images 0: must be at least 1"),
        (
            ["--scenario", "pipeline", "--images", "1000"],
            "; ask for a multiple of that",
        ),
        (["--train-images", "60"], "needs at least 64 training images, not 60"),
        (["--repeats", "many"], "invalid int value: 'many'"),
        (["--precision", "3"], "argument --precision: '3': must be within 0 and 1, as 0.03, or"),
        (["--seed", "-1"], "--seed -1: must not be negative"),
        (["--threads", "4096"], "--threads 4096: must be 1 to"),
        (["--nonsense"], "unrecognized arguments: --nonsense; --help explains"),
        (["--dataset", "no/such/place"], "no/such/place"),
        (["--resume", "no/such/run"], "no/such/run holds no run"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    cache: Path, out: Path, arguments: Sequence[str], problem: str
) -> None:
    done = bench(cache, "--dataset", "synthetic", "--out", str(out), *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    *said, line = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert problem in line
    assert not any("Traceback" in other for other in said)
    assert not out.exists()


@pytest.mark.skipif(
    subprocess.run(
        [sys.executable, "-c", "import pynvml; pynvml.nvmlInit()"], check=False, capture_output=True
    ).returncode
    == 0,
    reason="there is a CUDA device here",
)
def test_cuda_without_a_device_is_refused(cache: Path, out: Path) -> None:
    done = bench(cache, "--device", "cuda", "--out", str(out))
    assert done.returncode == 2
    assert done.stderr == (
        "error: --device cuda: no CUDA device is visible here; use --device cpu or auto\n"
    )


def test_a_folder_that_holds_something_is_not_overwritten(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    done = bench(cache, "--dataset", "synthetic", "--out", str(tmp_path))
    assert done.returncode == 2
    assert f"--out {tmp_path} exists; name another folder" in done.stderr


def test_a_run_of_a_newer_version_is_not_resumed(cache: Path, tmp_path: Path) -> None:
    (tmp_path / PLAN).write_text(json.dumps({"schema": SCHEMA + 1}))
    done = bench(cache, "--resume", str(tmp_path))
    assert done.returncode == 2
    assert "was written by a newer version of the suite" in done.stderr


def test_frameworks_this_python_lacks_are_left_out_or_refused(cache: Path, out: Path) -> None:
    done = bench(cache, "--interpreter", "current", "--framework", "jax", "--out", str(out))
    assert done.returncode == 2
    assert "no module jax, flax, optax; install it or leave out" in done.stderr
    done = bench(cache, "--interpreter", "current", "--out", str(out))
    assert done.returncode == 2
    assert done.stderr.count("left out: ") == 6  # a line for each mode
    assert "has none of the frameworks; install one" in done.stderr.splitlines()[-1]
    assert not out.exists()


def test_a_run_is_exported(cache: Path, tmp_path: Path) -> None:
    reference = ROOT / "results" / "reference" / "cpu" / "standard"
    said = bench(cache, "export", str(reference), "--to", "mllog")
    assert (said.returncode, said.stderr) == (0, "")
    assert all(line.startswith(":::MLLOG {") for line in said.stdout.splitlines())
    file = tmp_path / "steps.json"
    done = bench(cache, "export", str(reference), "--to", "pytest-benchmark", "--output", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    names = [benchmark["name"] for benchmark in json.loads(file.read_text())["benchmarks"]]
    assert "step[pytorch-eager-listing3]" in names
    missing = bench(cache, "export", "no/such", "--to", "mllog")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == "error: no/such: no such folder; give the folder of a run\n"


def test_help_names_every_option_profile_framework_and_mode(cache: Path) -> None:
    done = bench(cache, "--help")
    assert done.returncode == 0
    for word in (
        *("--profile", "--framework", "--workload", "--mode", "--device", "--dataset"),
        *("--repeats", "--seed", "--threads", "--out", "--resume", "--interpreter"),
        *("smoke", "quick", "article", *frameworks()),
        *(mode for implementation in frameworks().values() for mode in implementation.modes),
    ):
        assert word in done.stdout


def records(folder: Path) -> list[Any]:
    return [json.loads(line) for line in (folder / RECORDS).read_text().splitlines()]


SMALL = ("--profile", "smoke", "--dataset", "synthetic", "--train-images", "384")


def test_every_framework_trains_for_real_in_its_own_environment(cache: Path, out: Path) -> None:
    done = bench(cache, *SMALL, "--out", str(out))
    found = records(out)
    # A machine that is shared with much else may be too restless for the clock's self-tests.
    assert {record["status"] for record in found} <= {"ok", "void"}, done.stderr
    assert done.returncode == int(any(record["status"] == "void" for record in found))
    arms = {(r["trial"]["framework"], r["trial"]["mode"]) for r in found}
    assert arms == {(name, mode) for name, of in frameworks().items() for mode in of.usual()}
    by_workload: dict[str, list[Any]] = {}
    for record in found:
        if record["status"] == "void":
            continue
        measurement = record["measurement"]
        (epoch,) = measurement["result"]["epochs"]
        assert epoch["cpu_seconds"] <= 1.1 * epoch["seconds"] + 0.05  # one thread, as asked
        by_workload.setdefault(record["trial"]["workload"]["name"], []).append(measurement)
    for measurements in by_workload.values():
        # The same weights, images and order; so the same mean loss, up to rounding.
        assert len({m["inputs"] for m in measurements}) == 1
        losses = [m["result"]["epochs"][0]["loss"] for m in measurements]
        assert max(losses) - min(losses) < 1e-4
    page = (out / "report.md").read_text()
    assert "synthetic, generated images" in page
    assert all(f"| {framework} (" in page for framework in frameworks())
    assert "12 of 12 trials recorded" in done.stdout


def test_what_is_not_equivalent_is_recorded_and_not_timed(cache: Path, out: Path) -> None:
    """Against another reference: the framework is right, so the judge has to be wrong."""
    trace = reference.trace(WORKLOADS["listing3"], cache=cache, report=lambda _: None)
    right = certificate.load(trace)
    try:
        certificate.save(trace, replace(right, losses=right.losses * 1.01))
        done = bench(cache, *ONE_ARM[:-1], "1", "--out", str(out))
    finally:
        certificate.save(trace, right)
    assert done.returncode == 1, done.stderr
    (record,) = records(out)
    assert record["status"] == "not equivalent"
    assert record["measurement"] is None
    assert record["message"].startswith("the loss of step 1 deviates by 9.9e-03")
    assert "not equivalent" in (out / "report.md").read_text()


ONE_ARM = (
    *(*SMALL, "--framework", "tensorflow", "--mode", "graph"),
    *("--workload", "listing3", "--repeats", "3"),
)


def start(cache: Path, out: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*arguments, "--out", str(out)),
        cwd=ROOT,
        env=variables(cache),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def wait_for_end(workers: Sequence[psutil.Process]) -> None:
    """What workers started is killed with them, and gone once the system has noticed."""
    wait_for(lambda: not any(w.is_running() and w.status() != "zombie" for w in workers), 10)


def in_second_trial(process: subprocess.Popen[str], out: Path) -> list[psutil.Process]:
    """Wait until one trial is recorded and the next runs; return the workers running."""
    workers: list[psutil.Process] = []

    def reached() -> bool:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        workers[:] = psutil.Process(process.pid).children(recursive=True)
        return (out / RECORDS).exists() and bool(workers)

    wait_for(reached)
    return workers


def test_killing_and_resuming_loses_and_repeats_no_trial(cache: Path, out: Path) -> None:
    process = start(cache, out, *ONE_ARM)
    workers = in_second_trial(process, out)
    process.kill()
    process.communicate()
    assert len(records(out)) == 1
    wait_for_end(workers)
    with (out / RECORDS).open("ab") as file:
        file.write(b'{"schema":1,"run":"cut of')  # as if killed while writing
    done = bench(cache, "--resume", str(out))
    assert done.returncode == 0, done.stderr
    planned = [trial["block"] for trial in json.loads((out / PLAN).read_text())["trials"]]
    assert [r["trial"]["block"] for r in records(out)] == planned == [0, 1, 2]
    again = bench(cache, "--resume", str(out))
    assert again.returncode == 0
    assert len(records(out)) == 3


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(cache: Path, out: Path) -> None:
    process = start(cache, out, *ONE_ARM)
    workers = in_second_trial(process, out)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert f"1 of 3 trials are kept. Continue with: nox -s bench -- --resume {out}" in said
    wait_for_end(workers)
    assert len(records(out)) == 1


def test_a_run_is_not_resumed_with_other_code_or_data(cache: Path, out: Path) -> None:
    process = start(cache, out, *ONE_ARM)
    wait_for((out / PLAN).exists)
    process.kill()
    process.communicate()
    fields = json.loads((out / PLAN).read_text())
    for part, name, value, problem in (
        ("code", "digest", "0" * 64, "bench/ or impls/ changed since run was started"),
        ("machine", "cpu", "abacus", "run was started on another machine"),
        ("dataset", "digest", "0" * 64, "the data set of run has changed"),
    ):
        changed = {**fields, part: {**fields[part], name: value}}
        (out / PLAN).write_text(json.dumps(changed))
        done = bench(cache, "--resume", str(out))
        assert done.returncode == 2
        assert problem in done.stderr


@pytest.mark.skipif(not ARCHIVE.exists(), reason="the archive of CIFAR-10 images is not here")
def test_real_images_are_named_for_what_they_are(cache: Path, out: Path) -> None:
    done = bench(
        cache,
        *ONE_ARM[:-1],
        "1",
        "--dataset",
        str(ARCHIVE),
        "--out",
        str(out),
    )
    assert done.returncode == 0, done.stderr
    assert {r["dataset"]["name"] for r in records(out)} == {"cifar10-jpeg"}
    assert "lossy re-encoding" in (out / "report.md").read_text()
