import gc
import subprocess
import sys
import threading
import time

import pytest

from bench.calibration import calibrate
from bench.clock import timed
from bench.machine import chosen_device
from bench.memory import (
    out_of_memory,
    peak_resident_bytes,
    reset_peak,
    resident_bytes,
    threads,
)
from bench.nvml import device_bytes, joules

linux = pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")


def test_wall_and_cpu_time_are_told_apart() -> None:
    _, asleep = timed(lambda: time.sleep(0.1))
    assert asleep.wall >= 0.1
    assert asleep.cpu < asleep.wall
    result, busy = timed(lambda: sum(range(300_000)))
    assert result == sum(range(300_000))
    assert busy.cpu > 0


def test_the_collector_is_off_while_timing_and_on_afterwards_even_after_an_error() -> None:
    during, _ = timed(gc.isenabled)
    assert not during
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        timed(lambda: 1 / 0)
    assert gc.isenabled()


@linux
def test_the_peak_is_this_process_own_and_not_its_parents() -> None:
    """``ru_maxrss`` would report the parent's size here."""
    ballast = b"x" * 300_000_000
    code = "from bench.memory import peak_resident_bytes as p; print(p())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    own = peak_resident_bytes()
    assert own is not None
    assert int(done.stdout) < len(ballast) < own


@linux
def test_the_peak_starts_anew_from_what_is_resident() -> None:
    ballast = b"x" * 200_000_000
    high = peak_resident_bytes()
    del ballast
    reset_peak()
    low, resident = peak_resident_bytes(), resident_bytes()
    assert high is not None
    assert low is not None
    assert resident is not None
    assert low < high - 150_000_000
    assert abs(low - resident) < 50_000_000


@pytest.mark.parametrize(
    ("error", "exhausted"),
    [
        (MemoryError("no"), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"), True),
        (ValueError("weight x is missing"), False),
    ],
)
def test_running_out_of_memory_is_told_from_other_errors(
    error: Exception, *, exhausted: bool
) -> None:
    assert out_of_memory(error) == exhausted


def test_the_calibration_kernel_takes_time() -> None:
    assert calibrate() > 0


def test_energy_and_memory_without_a_gpu_are_errors_and_not_zero() -> None:
    if chosen_device("auto") == "cpu":
        with pytest.raises(RuntimeError, match=r"energy"):
            joules()
        with pytest.raises(RuntimeError, match=r"memory"):
            device_bytes()


@linux
def test_threads_are_counted() -> None:
    before, done = threads(), threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    assert threads() == before + 1
    done.set()
    thread.join()
