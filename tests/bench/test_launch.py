import os
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bench.contract import Trial
from bench.launch import KEPT, Outcome, environment, launch
from bench.machine import usable_cpus
from bench.workloads import WORKLOADS

Launch = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, make_trial: Callable[..., Trial]) -> Launch:
    """Launch a trial whose framework does not exist, with this interpreter."""

    def run(
        python: Path = Path(sys.executable),
        timeout: float = 60,
        tick: Callable[[], None] = lambda: None,
    ) -> Outcome:
        return launch(
            make_trial(framework="nonesuch"),
            python=python,
            worker=("bench.worker", str(tmp_path), str(tmp_path / "reference.npz")),
            cpus=usable_cpus()[-1:],
            timeout=timeout,
            log=tmp_path / "log",
            tick=tick,
        )

    return run


def script(folder: Path, text: str) -> Path:
    """An "interpreter" that does what no framework should."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def alive(word: str) -> bool:
    """Whether any process has ``word`` on its command line."""
    return any(word in (p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"]))


def test_what_a_worker_raises_is_its_message(run: Launch) -> None:
    outcome = run()
    assert outcome.status == "error"
    assert outcome.message == "ModuleNotFoundError: No module named 'impls.nonesuch'"
    assert outcome.measurement is None


def test_a_worker_that_dies_is_an_error_with_its_last_words(run: Launch, tmp_path: Path) -> None:
    outcome = run(script(tmp_path, "echo first; echo 'last\033[31m words' >&2; exit 3"))
    assert (outcome.status, outcome.message) == (
        "error",
        "the worker exited with status 3 and no answer; last [31m words",
    )


def test_a_killed_worker_is_told_by_its_signal(run: Launch, tmp_path: Path) -> None:
    outcome = run(script(tmp_path, "kill -9 $$"))
    assert outcome.message.startswith("the worker was ended by SIGKILL (out of memory?)")


def test_a_worker_that_outlasts_its_time_is_ended_with_its_children(
    run: Launch, tmp_path: Path
) -> None:
    outcome = run(script(tmp_path, "sleep 77.25 & sleep 77.25"), timeout=0.5)
    assert (outcome.status, outcome.message) == ("timeout", "ended after 0.5 s")
    assert not alive("77.25")


def test_a_worker_that_closes_the_pipe_and_lingers_is_ended_too(
    run: Launch, tmp_path: Path
) -> None:
    outcome = run(
        script(tmp_path, 'for fd in 3 4 5 6 7 8 9; do eval "exec $fd>&-"; done\nexec sleep 78.25'),
        timeout=1.5,
    )
    assert outcome.status == "timeout"
    assert not alive("78.25")


def test_a_worker_that_has_answered_is_not_waited_for(run: Launch, tmp_path: Path) -> None:
    lingering = tmp_path / "lingering.py"
    lingering.write_text(
        "import os, sys, time\n"
        "sys.stdin.read()\n"
        "with os.fdopen(int(sys.argv[1]), 'w') as pipe:\n"
        """    print('{"status": "void", "message": "as said"}', file=pipe)\n"""
        "time.sleep(float(sys.argv[2]))\n"
    )
    outcome = run(script(tmp_path, f"exec {sys.executable} {lingering} $6 79.25"), timeout=30)
    assert (outcome.status, outcome.message) == ("void", "as said")
    assert not alive("79.25")


@pytest.mark.parametrize(
    "answer", ["{", "[]", '"x"', '{"measurement": {"epochs": []}}', '{"measurement": 7}', "\\377"]
)
def test_an_answer_that_cannot_be_read_is_an_error(
    run: Launch, tmp_path: Path, answer: str
) -> None:
    text = f"cat > /dev/null; printf '{answer}' > /dev/fd/$6"
    outcome = run(script(tmp_path, text))
    assert outcome.status == "error"
    assert outcome.measurement is None


def test_running_out_of_memory_is_a_status_of_its_own(run: Launch, tmp_path: Path) -> None:
    answer = '{"status": "out of memory", "message": "CUDA"}'
    text = f"cat > /dev/null; printf '%s' '{answer}' > /dev/fd/$6"
    outcome = run(script(tmp_path, text))
    assert (outcome.status, outcome.message) == ("out of memory", "CUDA")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity on this system")
def test_a_worker_is_bound_before_it_starts_and_the_harness_is_not(
    run: Launch, tmp_path: Path
) -> None:
    before = os.sched_getaffinity(0)
    run(script(tmp_path, "grep Cpus_allowed_list /proc/self/status; exit 1"))
    assert (tmp_path / "log").read_text().split() == ["Cpus_allowed_list:", str(max(before))]
    assert os.sched_getaffinity(0) == before


def test_an_exception_such_as_ctrl_c_ends_the_worker(run: Launch, tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(script(tmp_path, "sleep 79.25"), tick=interrupt)
    time.sleep(0.1)
    assert not alive("79.25")


def test_a_worker_has_an_empty_home_that_is_gone_afterwards(run: Launch, tmp_path: Path) -> None:
    run(script(tmp_path, 'ls -A "$HOME"; echo "home=$HOME"; touch "$HOME/cache"; exit 1'))
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert line.startswith("home=")
    assert not Path(line.removeprefix("home=")).exists()


def test_workers_get_only_the_variables_that_are_meant_for_them(
    make_trial: Callable[..., Trial],
) -> None:
    outside = {
        "PATH": "/bin",
        "HOME": "/home/user",
        "TMPDIR": "/shared",
        "XLA_FLAGS": "--fast",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "CUDA_VISIBLE_DEVICES": "3",
        "PYTHONPATH": "/elsewhere",
    }
    variables = environment(make_trial(threads=2), "/own", outside)
    assert variables["PATH"] == "/bin"
    assert variables["HOME"] == variables["TMPDIR"] == "/own"
    assert variables["OMP_NUM_THREADS"] == "2"
    assert variables["CUDA_VISIBLE_DEVICES"] == ""
    assert not variables.keys() & {"XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS"}
    assert variables["PYTHONPATH"] != "/elsewhere"
    assert not any(name.startswith("MALLOC") for name in variables)
    kept = environment(make_trial(threads=2, allocator="keep"), "/own", outside)
    assert kept == variables | KEPT
    assert environment(make_trial(device="cuda"), "/own", outside)["CUDA_VISIBLE_DEVICES"] == "3"
    assert "CUDA_VISIBLE_DEVICES" not in environment(make_trial(device="cuda"), "/own", {})


def test_every_framework_gets_the_same_variables(make_trial: Callable[..., Trial]) -> None:
    jax = make_trial(framework="jax", mode="jit")
    keras = make_trial(framework="keras", mode="fit", workload=WORKLOADS["listing1"])
    assert environment(jax, "/own", os.environ) == environment(keras, "/own", os.environ)


def test_a_mode_gets_its_own_variables(make_trial: Callable[..., Trial]) -> None:
    own = environment(make_trial(framework="keras", mode="fit-jax"), "/own", os.environ)
    assert own["KERAS_BACKEND"] == "jax"
