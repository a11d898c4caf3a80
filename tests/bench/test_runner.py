import io
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from bench.contract import Trial
from bench.machine import usable_cpus
from bench.plan import Plan
from bench.records import RECORDS
from bench.runner import Task, carry_out, interrupts
from tests.bench.test_launch import alive, script


class InterruptedWhileCollected:
    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_is_heard_even_where_its_exception_is_lost() -> None:
    with interrupts() as check:
        check()
        thing = InterruptedWhileCollected()
        del thing
        with pytest.raises(KeyboardInterrupt):
            check()


def test_afterwards_ctrl_c_means_what_it_meant_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interrupts(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


@pytest.fixture
def pair(
    tmp_path: Path, make_plan: Callable[..., Plan], make_trial: Callable[..., Trial]
) -> Callable[[str], list[Task]]:
    """Two tasks of one trial, each with a run of its own, of "interpreters" that do ``text``."""

    def make(text: str) -> list[Task]:
        (tmp_path / "interpreter").mkdir()
        python = script(tmp_path / "interpreter", f"cd {tmp_path}; {text}")
        tasks = []
        for side in ("base", "head"):
            (tmp_path / side).mkdir()
            tasks.append(
                Task(
                    folder=tmp_path / side,
                    plan=make_plan(run=side, trials=(make_trial(),), timeout=60.0),
                    position=0,
                    python=python,
                    worker=("some.module", side),
                    side=side,
                )
            )
        return tasks

    return make


two_processors = pytest.mark.skipif(len(usable_cpus()) < 2, reason="one processor")


@two_processors
def test_what_is_of_one_turn_runs_at_once_on_processors_of_its_own(
    pair: Callable[[str], list[Task]],
) -> None:
    """Each waits until the other is there, and tells on which processor it may run."""
    meet = 'touch "$4-is-here"; until [ -e base-is-here ] && [ -e head-is-here ]; do :; done'
    tasks = pair(f"{meet}; grep Cpus_allowed_list /proc/self/status; exit 1")
    output = io.StringIO()
    assert carry_out([tasks], Console(file=output, width=200)) == {"error": 2}
    messages = [
        json.loads((task.folder / RECORDS).read_text())["message"].split()[-1] for task in tasks
    ]
    assert messages == [str(number) for number in usable_cpus()[-2:]]
    first, _, second, _ = output.getvalue().splitlines()
    assert first.startswith("1/2 listing3 jax jit, repeat 1 (base): error (")
    assert second.startswith("2/2 listing3 jax jit, repeat 1 (head): error (")


@two_processors
def test_ctrl_c_ends_all_that_runs_and_leaves_no_record(pair: Callable[[str], list[Task]]) -> None:
    tasks = pair('touch "$4-is-here"; sleep 76.25')

    def press() -> None:
        here = [task.folder.parent / f"{task.side}-is-here" for task in tasks]
        for _ in range(200):
            if all(path.exists() for path in here):
                break
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        carry_out([tasks], Console(file=io.StringIO()))
    presser.join()
    assert not alive("76.25")
    assert not any((task.folder / RECORDS).exists() for task in tasks)
