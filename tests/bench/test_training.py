"""The scenario, driven by a trainer that answers from a table: what is asked of it, and when."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.contract import Trial
from bench.data import Dataset, DatasetInfo, batch_order
from bench.scenarios.training import EVALUATION_BATCH, Training, accuracy, measure
from bench.weights import initial_weights


class Recorder:
    """Notes every call; knows the label of each image, because its first pixel is the label."""

    def __init__(self, loss: float = 2.0) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.loss = loss

    def load_data(self, images: NDArray[np.uint8], labels: NDArray[np.int32], /) -> None:
        self.calls.append(("load_data", (images, labels)))

    def load_weights(self, weights: Mapping[str, NDArray[np.float32]], /) -> None:
        self.calls.append(("load_weights", weights))

    def weights(self) -> dict[str, NDArray[np.float32]]:
        raise NotImplementedError

    def train(self, batches: NDArray[np.int32], /) -> float:
        self.calls.append(("train", batches))
        return self.loss

    def logits(self, images: NDArray[np.uint8], /) -> NDArray[np.float32]:
        self.calls.append(("logits", len(images)))
        return np.eye(10, dtype=np.float32)[images[:, 0, 0, 0]]

    def peak_device_bytes(self) -> int | None:
        return None


@pytest.fixture
def data() -> Dataset:
    labels = np.arange(1300, dtype=np.int32) % 10
    images = np.zeros((1300, 32, 32, 3), np.uint8)
    images[:, 0, 0, 0] = labels
    return Dataset(
        info=DatasetInfo(name="images", digest="0" * 64, train_images=1300, test_images=1300),
        train_images=images,
        train_labels=labels,
        test_images=images,
        test_labels=np.where(np.arange(1300) % 4 == 0, 9 - labels, labels).astype(np.int32),
    )


def test_it_warms_up_starts_anew_and_evaluates_after_every_epoch(
    make_trial: Callable[..., Trial], data: Dataset
) -> None:
    trainer = Recorder()
    trial = make_trial(epochs=2, train_images=640, test_images=600)
    result = measure(trainer, trial, data)
    assert [name for name, _ in trainer.calls] == [
        *("load_data", "load_weights", "train", "train", "load_weights"),
        *("train", "logits", "logits") * 2,
    ]
    trained = [what for name, what in trainer.calls if name == "train"]
    assert [len(batches) for batches in trained] == [1, 2, 10, 10]
    for epoch in (0, 1):
        np.testing.assert_array_equal(trained[2 + epoch], batch_order(0, epoch, 640, 64))
    images, labels = trainer.calls[0][1]
    assert np.bincount(labels).tolist() == [64] * 10
    assert (images[:, 0, 0, 0] == labels).all()
    first, again = (what for name, what in trainer.calls if name == "load_weights")
    expected = initial_weights("listing3", 0)
    assert all((first[n] == expected[n]).all() and (again[n] == expected[n]).all() for n in first)
    assert [(e.steps, e.images, e.loss) for e in result.epochs] == [(10, 640, 2.0)] * 2


def test_accuracy_is_counted_by_the_harness_whatever_the_number(data: Dataset) -> None:
    trainer = Recorder()
    share = accuracy(trainer, data.test_images[:1201], data.test_labels[:1201])
    wrong = sum(1 for i in range(0, 1201, 4))  # 9 - label is never the label
    assert share == (1201 - wrong) / 1201
    assert {count for _, count in trainer.calls} == {EVALUATION_BATCH}


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_recorded_as_none(
    make_trial: Callable[..., Trial], data: Dataset, loss: float
) -> None:
    (epoch,) = measure(Recorder(loss), make_trial(), data).epochs
    assert epoch.loss is None


def test_the_digest_tells_trainings_apart_but_not_frameworks(
    make_trial: Callable[..., Trial], data: Dataset
) -> None:
    def digest(**changes: Any) -> str:
        found: Training = measure(Recorder(), make_trial(**changes), data)
        return found.inputs

    same = {digest(), digest(framework="keras", mode="fit"), digest(threads=2)}
    assert len(same) == 1
    others = {digest(seed=1), digest(epochs=2), digest(train_images=256)}
    darker = replace(data, train_images=data.train_images // 2)
    assert len(same | others | {measure(Recorder(), make_trial(), darker).inputs}) == 5
