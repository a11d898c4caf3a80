"""The reference's optimizer against loops written by hand, and its side of the contract."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.contract import Trainer, Trial
from bench.weights import initial_weights
from bench.workloads import (
    NETWORKS,
    STATISTICS,
    BatchNorm,
    Conv,
    Dense,
    GlobalAveragePool,
    Layer,
    MaxPool,
    Optimizer,
    Relu,
    Residual,
    Workload,
    weight_shapes,
)
from impls.reference import IMPLEMENTATION
from impls.reference.layers import Array, conv
from impls.reference.trainer import (
    EVALUATION_BATCH,
    build,
    distinct,
    learning_rate,
    libraries,
    updated,
)

TINY: tuple[Layer, ...] = (
    Conv("conv1", 3, 4, stride=4, padding=1, bias=False),
    BatchNorm("norm1", 4),
    Relu(),
    Residual((Conv("block.conv1", 4, 4, padding=1), BatchNorm("block.norm1", 4))),
    MaxPool(),
    GlobalAveragePool(),
    Dense("dense1", 4, 10),
)
"""Every kind of weight there is, and a step in about a millisecond."""

Make = Callable[..., Trainer]
Weights = dict[str, Array]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    """Trainers of the tiny network, by optimizer settings; data and weights are loaded."""
    monkeypatch.setitem(NETWORKS, "tiny", TINY)

    def made(**optimizer: object) -> Trainer:
        settings = Optimizer(**({"learning_rate": 0.5} | optimizer))  # type: ignore[arg-type]
        trainer = build(trial(settings))
        trainer.load_data(IMAGES, LABELS)
        trainer.load_weights(initial_weights("tiny", 0))
        return trainer

    return made


def trial(optimizer: Optimizer) -> Trial:
    return Trial(
        framework="reference",
        mode="numpy",
        workload=Workload(name="tiny", network="tiny", optimizer=optimizer, batch_size=8, epochs=1),
        device="cpu",
        precision="fp32",
        threads=1,
        block=0,
        seed=0,
        train_images=32,
        test_images=32,
        epochs=1,
    )


IMAGES = np.random.default_rng(0).integers(0, 256, (32, 32, 32, 3), dtype=np.uint8)
LABELS = np.random.default_rng(1).integers(0, 10, 32).astype(np.int32)
IMAGES.flags.writeable = LABELS.flags.writeable = False
BATCHES = np.random.default_rng(2).permutation(32).reshape(4, 8).astype(np.int32)


def held(trainer: Trainer) -> Weights:
    return {name: value.astype(np.float64) for name, value in trainer.weights().items()}


def gradient(plain: Trainer, weights: Weights, batch: NDArray[np.int32]) -> Weights:
    """Of the loss by the trained weights, from one plain step at rate 1."""
    plain.load_weights(weights)
    plain.train(batch[np.newaxis])
    after = plain.weights()
    return {n: w - after[n] for n, w in weights.items() if not n.endswith(STATISTICS)}


def assert_equal(found: Weights, expected: Weights) -> None:
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-9, atol=1e-12, err_msg=name)


def test_a_plain_step_goes_down_the_gradient(make: Make) -> None:
    """dense1.bias' gradient is known by hand: the mean of softmax(logits) - onehot(label)."""
    trainer = make(learning_rate=0.25)
    weights = held(trainer)
    weights["dense1.kernel"][:] = 0
    weights["dense1.bias"][:] = 0
    trainer.load_weights(weights)
    loss = trainer.train(BATCHES[:1])
    assert loss == pytest.approx(np.log(10))
    expected = -0.25 * (0.1 - np.bincount(LABELS[BATCHES[0]], minlength=10) / 8)
    np.testing.assert_allclose(trainer.weights()["dense1.bias"], expected, rtol=1e-12)


@pytest.mark.parametrize("copies", [2, 4])
def test_images_that_are_there_more_often_are_computed_once(
    make: Make, monkeypatch: pytest.MonkeyPatch, copies: int
) -> None:
    """With labels of their own; weights and running statistics are those of all of them."""
    images = np.repeat(IMAGES[: 8 // copies], copies, axis=0)
    rows = np.random.default_rng(3).permutation(8).astype(np.int32)[np.newaxis]
    computed = distinct(images)
    assert computed[2].tolist() == [copies] * (8 // copies)
    np.testing.assert_array_equal(computed[0][computed[1]], images)

    def trained() -> tuple[float, Weights]:
        trainer = make(momentum=0.9)
        trainer.load_data(images, LABELS[:8])
        return trainer.train(np.repeat(rows, 3, axis=0)), held(trainer)

    loss, weights = trained()
    monkeypatch.setattr(
        "impls.reference.trainer.distinct",
        lambda images: (images, np.arange(len(images)), np.ones(len(images), np.int64)),
    )
    expected_loss, expected = trained()
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    assert_equal(weights, expected)


def test_an_image_that_is_there_more_often_than_others_counts_more(make: Make) -> None:
    """Wherever it stands in the batch: in its gradient, and in its statistics."""
    trainer = make(momentum=0.0)
    trainer.load_data(IMAGES[[0, 1, 0, 2]], LABELS[[0, 1, 0, 2]])
    trainer.train(np.arange(4, dtype=np.int32)[np.newaxis])
    other = make(momentum=0.0)
    other.load_data(IMAGES[[0, 1, 2]], LABELS[[0, 1, 2]])
    other.train(np.array([[0, 0, 1, 2]], np.int32))
    assert_equal(held(trainer), held(other))
    once = make(momentum=0.0)
    once.load_data(IMAGES[:3], LABELS[:3])
    once.train(np.arange(3, dtype=np.int32)[np.newaxis])
    assert np.abs(held(trainer)["dense1.bias"] - held(once)["dense1.bias"]).max() > 1e-3


@pytest.mark.parametrize("nesterov", [False, True], ids=["heavy-ball", "nesterov"])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_steps_are_those_of_a_hand_written_loop(
    make: Make, momentum: float, decay: float, nesterov: bool
) -> None:
    """Four steps, the rate falling before the third and the fourth."""
    plain = make(learning_rate=1.0)
    trainer = make(
        learning_rate=0.5,
        momentum=momentum,
        nesterov=nesterov,
        weight_decay=decay,
        schedule=((2, 0.1), (3, 0.02)),
    )
    weights = held(trainer)
    velocity = {n: np.zeros_like(w) for n, w in weights.items()}
    for batch, rate in zip(BATCHES, (0.5, 0.5, 0.05, 0.01), strict=True):
        gradients = gradient(plain, weights, batch)
        followed = held(plain)
        for name, w in weights.items():
            if name.endswith(("mean", "variance")):
                weights[name] = followed[name]
                continue
            g = gradients[name]
            if name in ("conv1.kernel", "block.conv1.kernel", "dense1.kernel"):
                g = g + decay * w
            velocity[name] = momentum * velocity[name] + g
            weights[name] = w - rate * (
                g + momentum * velocity[name] if nesterov else velocity[name]
            )
    trainer.train(BATCHES)
    assert_equal(held(trainer), weights)


def test_running_statistics_follow_every_batch(make: Make) -> None:
    """Those of the first normalisation, from what the first convolution gives each batch."""
    trainer = make(learning_rate=0.5)
    mean, variance = np.zeros(4), np.ones(4)
    for batch in BATCHES:
        x, kernel = IMAGES[batch] / 255, trainer.weights()["conv1.kernel"].astype(np.float64)
        values = conv(x, kernel, None, stride=4, padding=1)[0].reshape(-1, 4)
        mean = 0.9 * mean + 0.1 * values.mean(axis=0)
        variance = 0.9 * variance + 0.1 * values.var(axis=0, ddof=1)
        trainer.train(batch[np.newaxis])
        assert_equal(held(trainer), {"norm1.mean": mean, "norm1.variance": variance})


def test_the_rate_changes_at_the_step_that_is_named() -> None:
    optimizer = Optimizer(learning_rate=0.1, schedule=((2, 0.5), (5, 0.01)))
    rates = [learning_rate(optimizer, step) for step in range(7)]
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.05, 0.001, 0.001])
    assert learning_rate(Optimizer(learning_rate=0.1), 99) == 0.1
    assert learning_rate(Optimizer(learning_rate=0.1, schedule=((0, 3.0),)), 0) == pytest.approx(
        0.3
    )


def test_the_velocity_is_weighted_by_the_new_rate_at_once() -> None:
    """One weight, gradients 1, 1, 0: v = 1, 1.5, 0.75, and the last step's rate is a tenth."""
    optimizer = Optimizer(learning_rate=1.0, momentum=0.5, schedule=((2, 0.1),))
    weights: Weights = {"w": np.array([0.0])}
    velocities: Weights = {}
    positions = []
    for step, g in enumerate((1.0, 1.0, 0.0)):
        weights, velocities = updated(weights, {"w": np.array([g])}, velocities, optimizer, step)
        positions.append(weights["w"].item())
    assert positions == pytest.approx([-1, -2.5, -2.575])


def test_an_update_changes_nothing_in_place() -> None:
    weights, gradients, velocities = ({"a.kernel": np.ones(2)} for _ in range(3))
    optimizer = Optimizer(learning_rate=1, momentum=0.9, weight_decay=0.1)
    updated(weights, gradients, velocities, optimizer, 0)
    for value in (weights, gradients, velocities):
        assert value["a.kernel"].tolist() == [1, 1]


def test_loading_weights_starts_anew(make: Make) -> None:
    """Velocity, running statistics and schedule: the second time is as the first."""
    trainer = make(momentum=0.9, schedule=((1, 0.1),))
    weights = initial_weights("tiny", 0)
    losses, ends = [], []
    for _ in range(2):
        trainer.load_weights(weights)
        losses.append(trainer.train(BATCHES))
        ends.append(held(trainer))
    assert losses[0] == losses[1]
    assert all((ends[0][name] == ends[1][name]).all() for name in weights)
    trainer.load_weights(ends[0])
    assert_equal(held(trainer), ends[0])


def test_weights_are_float64_copies_in_canonical_order(make: Make) -> None:
    trainer = make()
    first = trainer.weights()
    assert {name: value.shape for name, value in first.items()} == weight_shapes("tiny")
    assert list(first) == list(weight_shapes("tiny"))
    given = initial_weights("tiny", 0)
    for name, value in first.items():
        assert value.dtype == np.float64
        np.testing.assert_array_equal(value, given[name])
        value += 1
    assert_equal(held(trainer), {n: w.astype(np.float64) for n, w in given.items()})
    mine = held(trainer)
    trainer.load_weights(mine)
    trainer.train(BATCHES)
    assert_equal(mine, {n: w.astype(np.float64) for n, w in given.items()})


def test_bad_weights_are_named(make: Make) -> None:
    trainer = make()
    weights = initial_weights("tiny", 0)
    without = {n: w for n, w in weights.items() if n != "block.norm1.mean"}
    with pytest.raises(ValueError, match=r"block\.norm1\.mean is missing"):
        trainer.load_weights(without)
    with pytest.raises(ValueError, match=r"conv9\.kernel is unknown"):
        trainer.load_weights(weights | {"conv9.kernel": weights["conv1.kernel"]})
    with pytest.raises(ValueError, match=r"dense1\.kernel has shape \(10, 3\)"):
        trainer.load_weights(weights | {"dense1.kernel": np.zeros((10, 3), np.float32)})


def test_rows_are_steps_and_the_result_their_mean(make: Make) -> None:
    together, apart = make(momentum=0.9), make(momentum=0.9)
    losses = [apart.train(row[np.newaxis]) for row in BATCHES]
    assert len(set(losses)) == len(BATCHES)
    assert together.train(BATCHES) == pytest.approx(np.mean(losses), rel=1e-12)
    assert_equal(held(together), held(apart))


def test_indices_choose_the_images_and_their_labels(make: Make) -> None:
    trainer, other = make(), make()
    loss = trainer.train(BATCHES)
    other.load_data(IMAGES[::-1], LABELS[::-1])
    assert other.train((31 - BATCHES).astype(np.int32)) == pytest.approx(loss, rel=1e-12)
    assert other.train(BATCHES) != pytest.approx(trainer.train(BATCHES), rel=1e-6)


def test_logits_use_the_running_statistics_and_leave_everything_as_it_is(make: Make) -> None:
    trainer = make(momentum=0.9)
    trainer.train(BATCHES)
    before = held(trainer)
    many = np.tile(IMAGES, (EVALUATION_BATCH // 32 + 1, 1, 1, 1))
    logits = trainer.logits(many)
    assert logits.shape == (len(many), 10)
    assert logits.dtype == np.float64
    np.testing.assert_allclose(trainer.logits(IMAGES[5:6]), logits[5:6], rtol=1e-10)
    np.testing.assert_allclose(logits[-32:], logits[:32], rtol=1e-10)
    assert_equal(held(trainer), before)
    shifted = before | {"norm1.mean": before["norm1.mean"] + 1}
    trainer.load_weights(shifted)
    assert np.abs(trainer.logits(many) - logits).max() > 1e-3


def test_pixels_are_scaled_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that averages a channel into a logit shows what arrives."""
    monkeypatch.setitem(NETWORKS, "tiny", (GlobalAveragePool(), Dense("dense1", 3, 10)))
    trainer = build(trial(Optimizer(learning_rate=0.1)))
    trainer.load_weights({"dense1.kernel": np.eye(3, 10), "dense1.bias": np.zeros(10)})
    images = np.broadcast_to(np.array([255, 51, 1], np.uint8), (1, 32, 32, 3))
    np.testing.assert_allclose(trainer.logits(images)[0, :3], [1, 0.2, 1 / 255], rtol=1e-13)


def test_it_learns(make: Make) -> None:
    trainer = make(learning_rate=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4)
    first = trainer.train(BATCHES)
    for _ in range(30):
        trainer.train(BATCHES)
    assert trainer.train(BATCHES) < 0.7 * first


def test_what_it_cannot_do_it_refuses(make: Make) -> None:
    assert make().peak_device_bytes() is None
    wanted = trial(Optimizer(learning_rate=0.1))
    with pytest.raises(RuntimeError, match="CPU only"):
        build(replace(wanted, device="cuda"))
    with pytest.raises(ValueError, match="no dropout"):
        build(replace(wanted, workload=replace(wanted.workload, dropout=True)))


def test_it_says_what_it_is() -> None:
    assert IMPLEMENTATION.name == "reference"
    assert list(IMPLEMENTATION.modes) == ["numpy"]
    assert all(isinstance(version, str) and version for version in libraries().values())
