"""The scenarios, driven by a trainer that answers from a table: what is asked of it, and when."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import ceil
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given as examples
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench import clock
from bench.code import ROOT
from bench.contract import Device, Floats, Precision, Trial
from bench.data import Dataset, batch_order
from bench.inputs import inputs
from bench.records import Chunk, Regression, Steady
from bench.scenarios import calibration, epoch, first_step, memory, mistakes, regression, step
from bench.scenarios.epoch import accuracy
from bench.scenarios.memory import CAP_PRECISION, LEAST_CAP, smallest
from bench.scenarios.turns import LEAST_CHUNKS, Way, in_turns
from bench.weights import initial_weights
from bench.workloads import WORKLOADS
from tests.bench.conftest import CHUNK


class Recorder:
    """Notes every call; knows the label of each image, because its first pixel is the label."""

    def __init__(self, loss: float = 2.0) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.loss = loss

    def load_data(self, images: NDArray[np.uint8], labels: NDArray[np.int32], /) -> None:
        self.calls.append(("load_data", (images, labels)))

    def load_weights(self, weights: Mapping[str, Floats], /) -> None:
        self.calls.append(("load_weights", weights))

    def weights(self) -> dict[str, Floats]:
        raise NotImplementedError

    def train(self, batches: NDArray[np.int32], /) -> float:
        self.calls.append(("train", batches))
        return self.loss

    def logits(self, images: NDArray[np.uint8], /) -> Floats:
        self.calls.append(("logits", len(images)))
        return np.eye(10, dtype=np.float32)[images[:, 0, 0, 0]]

    def peak_device_bytes(self) -> int | None:
        return None

    def compilations(self) -> int | None:
        return len(self.calls)


def test_the_first_step_is_timed_alone(make_trial: Callable[..., Trial], data: Dataset) -> None:
    trainer = Recorder()
    given = inputs(make_trial(train_images=640), data)
    assert first_step.measure(trainer, given) > 0
    assert [name for name, _ in trainer.calls] == ["load_data", "load_weights", "train"]
    np.testing.assert_array_equal(trainer.calls[-1][1], given.epochs[0][:1])


def test_it_starts_anew_and_evaluates_after_every_epoch(
    make_trial: Callable[..., Trial], data: Dataset
) -> None:
    trainer = Recorder()
    given = inputs(make_trial(epochs=2, train_images=640, test_images=600), data)
    epochs = epoch.measure(trainer, given)
    assert [name for name, _ in trainer.calls] == [
        *("load_data", "load_weights"),
        *("train", *["logits"] * ceil(600 / 64)) * 2,
    ]
    trained = [what for name, what in trainer.calls if name == "train"]
    for number in (0, 1):
        np.testing.assert_array_equal(trained[number], batch_order(0, number, 640, 64))
    images, labels = trainer.calls[0][1]
    assert np.bincount(labels).tolist() == [64] * 10
    assert (images[:, 0, 0, 0] == labels).all()
    weights = trainer.calls[1][1]
    expected = initial_weights("listing3", 0)
    assert all((weights[name] == expected[name]).all() for name in expected)
    assert [(e.steps, e.images, e.loss) for e in epochs] == [(10, 640, 2.0)] * 2


def test_augmented_images_are_new_in_every_epoch_and_the_same_for_everyone(
    make_trial: Callable[..., Trial], data: Dataset
) -> None:
    workload = replace(WORKLOADS["listing3"], augmentation=True)
    loaded = []
    for _ in range(2):
        trainer = Recorder()
        epoch.measure(trainer, inputs(make_trial(epochs=2, workload=workload), data))
        loaded.append([what[0] for name, what in trainer.calls if name == "load_data"])
    assert all(len(of_run) == 2 for of_run in loaded)
    assert (loaded[0][0] != loaded[0][1]).any()
    assert all((a == b).all() for a, b in zip(*loaded, strict=True))


def test_accuracy_is_counted_by_the_harness_whatever_the_number(
    make_trial: Callable[..., Trial], data: Dataset
) -> None:
    trainer = Recorder()
    given = inputs(make_trial(), data)
    given = replace(given, test_images=data.test_images[:1201], test_labels=data.test_labels[:1201])
    share = accuracy(trainer, given)
    wrong = len(range(0, 1201, 4))  # 9 - label is never the label
    assert share == (1201 - wrong) / 1201
    # As many as are trained on, the last ones too.
    assert [count for _, count in trainer.calls] == [64] * 19


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_recorded_as_none(
    make_trial: Callable[..., Trial], data: Dataset, loss: float
) -> None:
    (found,) = epoch.measure(Recorder(loss), inputs(make_trial(), data))
    assert found.loss is None


def test_the_digest_tells_trainings_apart_but_not_frameworks(
    make_trial: Callable[..., Trial], data: Dataset
) -> None:
    def digest(of: Dataset = data, **changes: Any) -> str:
        return inputs(make_trial(**changes), of).digest()

    same = {digest(), digest(framework="keras", mode="fit"), digest(threads=2)}
    assert len(same) == 1
    augmented = replace(WORKLOADS["listing3"], augmentation=True)
    others = {
        digest(seed=1),
        digest(epochs=2),
        digest(train_images=256),
        digest(workload=augmented),
        digest(replace(data, train_images=data.train_images // 2)),
    }
    assert len(same | others) == 6


@examples(
    needed=st.integers(LEAST_CAP, 2**37),
    first=st.integers(1, 2**37),
)
def test_the_smallest_cap_is_found_wherever_it_is_looked_for_first(needed: int, first: int) -> None:
    asked: list[int] = []

    def trains(allowed: int) -> str:
        asked.append(allowed)
        return "" if allowed >= needed else "out of memory"

    found = smallest(trains, first, most=2**37)
    assert needed <= found <= needed * (1 + CAP_PRECISION)
    assert found in asked
    assert len(asked) < 40


def test_what_does_not_train_with_all_memory_says_why() -> None:
    with pytest.raises(RuntimeError, match=r"with 1,000,000,000 bytes .*: no convolution"):
        smallest(lambda _: "no convolution", first=2**25, most=10**9)


def test_what_fails_in_a_capped_process_is_told(
    make_trial: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    trial = make_trial(framework="nonexistent", scenario="memory", batch_size=8)
    with pytest.raises(RuntimeError, match="nonexistent"):
        memory.smallest_cap(trial, first=2**25, whole=2**25)


def test_kinds_of_chunks_come_in_another_order_every_time(
    make_trial: Callable[..., Trial], data: Dataset
) -> None:
    """In one order, what a kind leaves in the caches would always meet the same other kind."""
    kinds = [
        (counted + planted, size)
        for size in calibration.BATCH_SIZES
        for counted, planted in calibration.PLANTED
    ]

    def order(seed: int) -> list[list[tuple[int, ...]]]:
        trainer = Recorder()
        trial = make_trial(seed=seed, train_images=640)
        module = ModuleType("unused")
        found = calibration.measure(module, trainer, inputs(trial, data), trial)
        assert all(len(of.chunks) == calibration.CHUNKS for of in found.series)
        shapes = [what.shape for name, what in trainer.calls if name == "train"][len(kinds) :]
        return [shapes[start : start + len(kinds)] for start in range(0, len(shapes), len(kinds))]

    cycles = [cycle for seed in (0, 1) for cycle in order(seed)]
    assert len(cycles) == 2 * calibration.CHUNKS
    assert all(sorted(cycle) == sorted(kinds) for cycle in cycles)
    assert len({tuple(cycle) for cycle in cycles}) == len(cycles)
    assert order(0) == cycles[: calibration.CHUNKS]


ROWS = np.array([[5, 3, 200], [7, 639, 5]], dtype=np.int32)


def test_steps_fed_from_host_memory_are_the_same_steps(
    make_trial: Callable[..., Trial], data: Dataset
) -> None:
    given = inputs(make_trial(train_images=640), data)
    trainer = Recorder()
    way = mistakes.fed_from_host(trainer, given)
    way.timed(ROWS)
    (_, (images, labels)), (_, rows) = trainer.calls
    np.testing.assert_array_equal(images[rows], given.images[ROWS])
    np.testing.assert_array_equal(labels[rows], given.labels[ROWS])
    way.afterwards()
    assert trainer.calls[2:] == [("load_data", (given.images, given.labels))]


def test_a_metric_pass_tells_the_accuracy_of_each_batch_after_the_steps(
    make_trial: Callable[..., Trial], data: Dataset
) -> None:
    labels = np.where(np.arange(1300) == 200, 9, data.train_labels).astype(np.int32)
    given = inputs(make_trial(train_images=1300), replace(data, train_labels=labels))
    trainer = Recorder()
    assert mistakes.with_accuracy(trainer, given).timed(ROWS) == [pytest.approx(2 / 3), 1.0]
    assert [name for name, _ in trainer.calls] == ["train", "logits", "logits"]


def test_ways_take_turns_in_changing_order_with_the_same_batches(
    make_trial: Callable[..., Trial],
) -> None:
    """What a way leaves behind is set right before the next one's clock runs."""
    done: list[tuple[str, int]] = []

    def way(name: str) -> Way:
        return Way(
            timed=lambda rows: done.append((name, int(rows[0, 0]))),
            afterwards=lambda: done.append((f"after {name}", -1)),
        )

    names = ("a", "b", "c")
    numbers = iter(range(1000))
    chunks = in_turns(
        tuple(map(way, names)),
        lambda: np.full((2, 4), next(numbers), np.int32),
        make_trial(seconds=0.0),
    )
    assert [len(of) for of in chunks] == [LEAST_CHUNKS] * 3
    assert {chunk.steps for of in chunks for chunk in of} == {2}
    assert [name for name, _ in done[1::2]] == [f"after {name}" for name, _ in done[::2]]
    timed = done[2 * len(names) :: 2]  # once each before, to warm up
    rounds = [timed[start : start + len(names)] for start in range(0, len(timed), len(names))]
    assert all(sorted(name for name, _ in of) == list(names) for of in rounds)
    assert all(len({batch for _, batch in of}) == 1 for of in rounds)
    orders = [tuple(name for name, _ in of) for of in rounds]
    assert len(set(orders)) > 2
    assert all(
        second == first[::-1] for first, second in zip(orders[::2], orders[1::2], strict=True)
    )


def test_two_states_are_compared_by_the_same_steps_from_the_same_weights(
    make_trial: Callable[..., Trial], data: Dataset
) -> None:
    trainer = Recorder()
    trial = make_trial(scenario="regression", train_images=640, test_images=500, steps=3)
    given = inputs(trial, data)
    found = regression.measure(ModuleType("unused"), trainer, given, trial)
    assert [chunk.steps for chunk in found.timed] == [3] * regression.CHUNKS
    names = [name for name, _ in trainer.calls]
    chunks = regression.WARM_UP + regression.CHUNKS
    evaluated = ["logits"] * ceil(500 / 64)
    assert names == ["load_data", "load_weights", *["train"] * chunks, *evaluated]
    trained = np.concatenate([what for name, what in trainer.calls if name == "train"])
    epoch = given.epochs[0]
    np.testing.assert_array_equal(trained, epoch[np.arange(3 * chunks) % len(epoch)])
    assert found.accuracy == accuracy(Recorder(), given) < 1
    assert found.compilations == len(trainer.calls)


def test_the_first_of_a_state_finds_out_how_many_steps_and_whether_the_clock_holds(
    make_trial: Callable[..., Trial], data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = make_trial(scenario="regression", train_images=640)
    once = replace(CHUNK, steps=4, wall=0.08)
    twice = replace(CHUNK, steps=8, wall=0.16)

    def steady(doubled: Chunk) -> None:
        found = Steady(chunks=(once,), doubled=(doubled,), read_seconds=0.0)
        monkeypatch.setattr(step, "measure", lambda *_, **__: found)

    def measure() -> Regression:
        return regression.measure(ModuleType("unused"), Recorder(), inputs(trial, data), trial)

    steady(twice)
    assert {chunk.steps for chunk in measure().timed} == {5}
    steady(replace(twice, wall=0.08))
    with pytest.raises(clock.Void, match=r"twice the steps take 1\.00 times the time"):
        measure()


@pytest.mark.parametrize(
    ("device", "precision", "number"),
    [("cuda", "fp32", LEAST_CHUNKS), ("cuda", "bf16", 0), ("cpu", "fp32", 0)],
)
def test_tf32_is_a_mistake_where_a_gpu_was_asked_for_float32(
    make_trial: Callable[..., Trial],
    data: Dataset,
    device: Device,
    precision: Precision,
    number: int,
) -> None:
    built: list[Trial] = []

    def build(trial: Trial) -> Recorder:
        built.append(trial)
        return Recorder()

    module = ModuleType("some")
    module.build = build  # type: ignore[attr-defined]
    trial = make_trial(device=device, precision=precision, seconds=0.0)
    chunks = mistakes.with_tf32(module, inputs(trial, data), lambda: ROWS, trial)
    assert len(chunks) == number
    assert built == [replace(trial, precision="tf32")] * bool(number)
