"""The clock's rules, on a simulated machine: time passes only where a trainer says so."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench import clock
from bench.clock import LEAST_CHUNK, Void, check, chunk, chunk_steps, doubling, faults
from bench.contract import Floats, Trial, work
from bench.data import Dataset
from bench.inputs import inputs
from bench.records import Chunk, Steady
from bench.scenarios import ceiling, step
from bench.scenarios.training import achieved
from bench.workloads import WORKLOADS
from tests.bench.conftest import CHUNK, TRAINING
from tests.bench.test_scenarios import Recorder


class Simulated:
    """In the place of the module ``time``."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    process_time = perf_counter

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Simulated:
    found = Simulated()
    monkeypatch.setattr(clock, "time", found)
    monkeypatch.setattr(step, "time", found)
    return found


class Training(Recorder):
    """Takes ``cost`` for a call and ``seconds`` for a step.

    Leaves ``unfinished`` of every step, and ``tidying`` of a call, for whoever reads weights, which
    takes ``scattered`` longer for each step before, rest or not.
    """

    def __init__(
        self,
        machine: Simulated,
        seconds: float,
        cost: float = 0.0,
        unfinished: float = 0.0,
        tidying: float = 0.0,
        scattered: float = 0.0,
    ) -> None:
        super().__init__()
        self.machine, self.seconds, self.cost = machine, seconds, cost
        self.unfinished, self.tidying, self.finished = unfinished, tidying, 0.0
        self.scattered, self.steps = scattered, 0

    def train(self, batches: NDArray[np.int32], /) -> float:
        self.steps = len(batches)
        self.machine.now += self.cost + self.seconds * len(batches)
        self.finished = self.machine.now + self.unfinished * len(batches) + self.tidying
        return super().train(batches)

    def weights(self) -> dict[str, Floats]:
        self.machine.now = max(self.machine.now, self.finished) + 0.01
        self.machine.now += self.scattered * self.steps
        return {}


@pytest.mark.parametrize(
    ("seconds", "cost", "least", "most"),
    [
        (0.25, 0.0, 1, 1),
        (0.01, 0.0, 10, 13),
        (0.00001, 0.0, 10_000, 13_000),
        (0.06, 0.03, 24, 25),  # the cost of a call is 2% of 25 steps
        (0.01, 1.0, 1, 200),  # never reached in two seconds: no more is tried
    ],
)
def test_a_chunk_lasts_and_dwarfs_the_cost_of_its_call(
    simulated: Simulated, seconds: float, cost: float, least: int, most: int
) -> None:
    trainer = Training(simulated, seconds, cost)
    found = chunk_steps(lambda steps: trainer.train(np.zeros((steps, 1), np.int32)))
    assert least <= found <= most


def walls(*seconds: float, steps: int = 2) -> tuple[Chunk, ...]:
    return tuple(replace(CHUNK, steps=steps, wall=wall) for wall in seconds)


@pytest.mark.parametrize(
    ("once", "twice", "missed"),
    [
        ((1.0, 1.0, 1.0), (2.0, 2.0, 2.0), 0.0),
        ((1.0, 1.0, 1.0), (1.0, 3.0, 1.5), 0.0),  # on both sides: noise
        ((1.0, 1.0, 1.0), (1.2, 1.6, 1.0), -0.2),
        ((1.0, 1.0, 1.0), (2.4, 3.0, 2.2), 0.1),
    ],
)
def test_twice_the_steps_miss_twice_the_time_only_if_every_pair_does(
    once: tuple[float, ...], twice: tuple[float, ...], missed: float
) -> None:
    assert doubling(walls(*once), walls(*twice, steps=4)) == pytest.approx(missed)


def test_what_is_wrong_with_a_fence_is_said() -> None:
    good = TRAINING.steady
    assert faults(good) == []
    check(good)
    slow = replace(good, read_seconds=0.03)
    (said,) = faults(slow)
    assert said == "reading a weight after the fence takes 0.03 s, 15.0% of a chunk of 2 steps"
    lazy = replace(good, doubled=walls(0.3, steps=4))
    assert faults(lazy) == ["twice the steps take 1.50 times the time"]
    with pytest.raises(Void, match=r"reading a weight .*; twice the steps"):
        check(replace(slow, doubled=lazy.doubled))


def test_a_chunk_says_what_happened_meanwhile(simulated: Simulated) -> None:
    counts = iter((3, 5))

    def work() -> None:
        simulated.now += 0.5

    found = chunk(work, 10, lambda: next(counts))
    assert (found.steps, found.wall, found.cpu, found.compilations) == (10, 0.5, 0.5, 2)
    assert found.calibration > 0
    assert found.switches >= 0
    assert found.stolen >= 0
    assert chunk(work, 1).compilations is None


@pytest.fixture
def measured(
    simulated: Simulated, make_trial: Callable[..., Trial], data: Dataset
) -> Callable[..., Steady]:
    given = inputs(make_trial(train_images=640), data)
    return lambda seconds=0.01, **kind: step.measure(
        Training(simulated, seconds, **kind), given, seconds=2.0
    )


def test_steady_training_is_timed_as_long_as_asked_and_ends_in_a_pair(
    measured: Callable[..., Steady],
) -> None:
    steady = measured()
    check(steady)
    assert sum(chunk.wall for chunk in steady.chunks) >= 2.0
    assert len(steady.doubled) == 1
    assert {c.steps for c in steady.doubled} == {2 * c.steps for c in steady.chunks}
    assert len(measured(seconds=1.0).chunks) == step.LEAST_CHUNKS


def test_a_cost_of_every_call_is_found_out_by_more_pairs(measured: Callable[..., Steady]) -> None:
    steady = measured(seconds=0.001, cost=1.0)
    assert len(steady.doubled) == step.MOST_PAIRS
    with pytest.raises(Void, match=r"twice the steps take 1\.\d\d times"):
        check(steady)


def test_work_that_is_left_unfinished_is_found_out(measured: Callable[..., Steady]) -> None:
    """However long a chunk: it is left of every step."""
    with pytest.raises(Void, match="reading a weight"):
        check(measured(unfinished=0.0005))


def test_reading_that_takes_longer_after_many_steps_is_no_work_left_undone(
    measured: Callable[..., Steady],
) -> None:
    """After a rest it takes as long, so that chunks need not be longer."""
    steady = measured(scattered=0.0005)
    check(steady)
    assert max(chunk.wall for chunk in steady.chunks) < 2 * LEAST_CHUNK


def test_a_chunk_is_so_long_that_what_a_call_leaves_undone_is_little(
    measured: Callable[..., Steady],
) -> None:
    steady = measured(seconds=0.2, tidying=0.006)
    check(steady)
    assert {chunk.steps for chunk in steady.chunks} <= {5, 6}
    with pytest.raises(Void, match="reading a weight"):
        check(measured(seconds=0.2, tidying=0.05))


def test_batches_of_an_epoch_come_over_and_over(
    make_trial: Callable[..., Trial], data: Dataset
) -> None:
    given = inputs(make_trial(train_images=192), data)
    rows = step.batches(given)
    found: Any = np.concatenate([rows(2), rows(3)])
    np.testing.assert_array_equal(found, given.epochs[0][[0, 1, 2, 0, 1]])


@pytest.fixture
def kernels(simulated: Simulated) -> Callable[..., dict[str, Callable[[], None]]]:
    """Each takes so many seconds; for the first ``disturbed`` calls of all ten times as many."""

    def make(seconds: float, disturbed: int = 0) -> dict[str, Callable[[], None]]:
        calls = itertools.count()

        def kernel() -> None:
            simulated.now += seconds * (10 if next(calls) < disturbed else 1)

        return dict.fromkeys(work("cpu"), kernel)

    return make


def test_steps_that_do_more_than_the_device_can_void_a_trial(
    kernels: Callable[..., dict[str, Callable[[], None]]],
) -> None:
    most = max(work("cpu")["matmul"], work("cpu")["conv"]) / 0.5
    assert ceiling.measure(kernels(0.5), "cpu", most).matmul == pytest.approx(0.5)
    with pytest.raises(Void, match=r"GFLOP/s, more than large products"):
        ceiling.measure(kernels(0.5), "cpu", 1.01 * most)


def test_kernels_that_were_held_up_are_timed_again(
    kernels: Callable[..., dict[str, Callable[[], None]]],
) -> None:
    most = max(work("cpu")["matmul"], work("cpu")["conv"]) / 0.5
    assert ceiling.measure(kernels(0.5, disturbed=20), "cpu", 0.9 * most).conv == pytest.approx(0.5)


def test_operations_are_those_of_the_middle_chunk(make_trial: Callable[..., Trial]) -> None:
    steady = replace(TRAINING.steady, chunks=walls(0.2, 1.0, 0.4))
    per_image = 2 * (2 * 9 * 3 * 64 * 32**2 + 3 * (9 * 64**2 * 16**2 + 4096 * 512 + 512 * 10))
    found = achieved(steady, make_trial(workload=WORKLOADS["listing3"]))
    assert found == pytest.approx(per_image * 64 / 0.2)
