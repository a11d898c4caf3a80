"""The clock: how long calls of a trainer took. Standard library and NumPy only; in the workers.

There is no fence here: that the work is done on return is the promise of every method of
``bench.contract.Trainer``. ``faults`` tells whether it was kept.
"""

import gc
import os
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeVar

from bench.calibration import calibrate
from bench.records import Chunk, Steady

Result = TypeVar("Result")

LEAST_CHUNK = 0.1
"""Seconds that a chunk lasts at least."""
LONGEST_CHUNK = 2.0
"""Seconds that its steps may take, where that is what dwarfs the cost of a call."""
LARGEST_COST = 0.02
"""Share of a chunk that the cost of the call itself, as opposed to its steps, may have."""
COST_PAIRS = 6
"""Times that have to agree on a cost: noise passes for one of 2% in one of three, and makes chunks
several times as long."""
LARGEST_READ = 0.01
"""Share of a chunk that reading a weight back may take: what is done is there to be read."""
LARGEST_REST = 0.1
"""Share of a single step that it may take, if that is more. A step that was not waited for takes
all of its time; giving memory back, a few hundredths, and more on a busy machine."""
LARGEST_DEVIATION = 0.05
"""By which twice the steps may take more or less than twice the time."""


class Elapsed(NamedTuple):
    """Wall time and CPU time (all threads of this process) of the same interval, in seconds."""

    wall: float
    cpu: float


@contextmanager
def without_collector() -> Iterator[None]:
    """Nothing is collected meanwhile.

    What there is by now is never looked at again: to go through all that a framework has imported
    takes 0.2 s, each time.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def timed(call: Callable[[], Result]) -> tuple[Result, Elapsed]:
    """Run ``call`` with the garbage collector switched off; return its result and its time."""
    with without_collector():
        wall, cpu = time.perf_counter(), time.process_time()
        result = call()
        elapsed = Elapsed(time.perf_counter() - wall, time.process_time() - cpu)
    return result, elapsed


class Begun(NamedTuple):
    """A chunk that is being timed: what the counters and clocks were when it began."""

    calibration: float
    compilations: int | None
    switches: int
    stolen: float
    wall: float
    cpu: float


Compilations = Callable[[], int | None]


def chunk(
    call: Callable[[], object], steps: int, compilations: Compilations = lambda: None
) -> Chunk:
    """Time ``call``, which takes ``steps`` steps, between two runs of the calibration kernel.

    To be called ``without_collector``.
    """
    begun = begin(compilations)
    call()
    return end(begun, steps, compilations)


def begin(compilations: Compilations = lambda: None) -> Begun:
    """Begin a chunk, after a run of the calibration kernel."""
    before = calibrate()
    compiled, switches, stolen = compilations(), _switches(), _stolen()
    return Begun(before, compiled, switches, stolen, time.perf_counter(), time.process_time())


def end(begun: Begun, steps: int, compilations: Compilations = lambda: None) -> Chunk:
    """End a chunk of ``steps`` steps, and run the calibration kernel again."""
    wall, cpu = time.perf_counter(), time.process_time()
    compiled, switches, stolen = compilations(), _switches(), _stolen()
    return Chunk(
        steps=steps,
        wall=wall - begun.wall,
        cpu=cpu - begun.cpu,
        calibration=(begun.calibration + calibrate()) / 2,
        switches=switches - begun.switches,
        stolen=stolen - begun.stolen,
        compilations=(
            None
            if begun.compilations is None or compiled is None
            else compiled - begun.compilations
        ),
    )


def chunk_steps(train: Callable[[int], object]) -> int:
    """How many steps make a chunk; ``train`` takes so many, and has been called before.

    So many that they last ``LEAST_CHUNK``, and that the cost of a call (a fence; in Keras all that
    ``fit`` does around an epoch) is no more than ``LARGEST_COST`` of it, unless that took longer
    than ``LONGEST_CHUNK``.
    """
    steps = 1
    while (once := _seconds(train, steps)) < LEAST_CHUNK:
        # Never past the goal by much: what is timed once is not known well.
        steps = min(4 * steps, int(1.2 * steps * LEAST_CHUNK / once) + 1)
        train(steps)  # a framework may compile for each number of steps
    if once > LONGEST_CHUNK / 4:
        return steps
    share = _cost(train, steps)
    longer = share / (1 - share) * (1 - LARGEST_COST) / LARGEST_COST
    return max(steps, round(steps * min(longer, LONGEST_CHUNK / once)))


def _cost(train: Callable[[int], object], steps: int) -> float:
    """Share of a call with so many steps that does not grow with them; 0 if that is not clear.

    Of c seconds for the call and s for its steps, twice the steps take c + 2 s: the share c / (c +
    s) is what the ratio lacks to 2. Noise makes it miss as often as not; a cost, every time.
    """
    train(2 * steps)  # a framework may compile for each number of steps
    least = 0.5
    for _ in range(COST_PAIRS):
        share = 2 - _seconds(train, 2 * steps) / _seconds(train, steps)
        if share <= LARGEST_COST:
            return 0.0
        least = min(least, share)
    return least


def _seconds(train: Callable[[int], object], steps: int) -> float:
    return timed(lambda: train(steps))[1].wall


def doubling(once: Sequence[Chunk], twice: Sequence[Chunk]) -> float:
    """By how much twice the steps miss twice the time, as a share, in the pair that misses least.

    0 where pairs miss on both sides: that is noise, a cost of every call misses on one.
    """
    missed = [
        pair.wall / pair.steps * single.steps / single.wall - 1
        for single, pair in zip(once, twice, strict=True)
    ]
    if min(missed) <= 0 <= max(missed):
        return 0.0
    return min(missed, key=abs)


def longest_read(length: float, steps: int) -> float:
    """Seconds that reading a weight may take after a chunk of ``length`` seconds."""
    return max(LARGEST_READ * length, LARGEST_REST * length / steps)


class Void(Exception):  # noqa: N818 - a trial's status, not an error of the program
    """A self-test of the clock failed: what was measured says nothing."""


def check(steady: Steady) -> None:
    """Raise ``Void`` with what is wrong with the fence, if anything is."""
    if found := faults(steady):
        raise Void("; ".join(found))


def faults(steady: Steady) -> list[str]:
    """What is wrong with the fence, as clauses; empty if it holds."""
    found = []
    length = median(chunk.wall for chunk in steady.chunks)
    if steady.read_seconds > longest_read(length, steady.chunks[-1].steps):
        found.append(
            f"reading a weight after the fence takes {steady.read_seconds:.2g} s, "
            f"{steady.read_seconds / length:.1%} of a chunk of {steady.chunks[-1].steps} steps"
        )
    missed = doubling(steady.chunks[-len(steady.doubled) :], steady.doubled)
    if abs(missed) > LARGEST_DEVIATION:
        found.append(f"twice the steps take {2 * (1 + missed):.2f} times the time")
    return found


def _switches() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


_TICK = os.sysconf("SC_CLK_TCK")
_STEAL = 8
"""Column of ``/proc/stat`` (proc(5))."""


def _stolen() -> float:
    """Seconds stolen from the processors this process is bound to, since the machine started."""
    try:
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    own = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    fields = (line.split() for line in lines)
    return sum(int(of[_STEAL]) for of in fields if of and of[0] in own) / _TICK
