import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from bench import capped, certificate
from bench.contract import KERNELS, Device, Floats, Implementation, Trainer
from bench.data import Dataset
from bench.inputs import Inputs
from bench.scenarios import mistakes
from bench.scenarios.turns import LEAST_CHUNKS
from bench.weights import initial_weights
from bench.workloads import NETWORKS, Conv, Workload, weight_shapes
from tests.conformance.conftest import BATCH, BUILD, LEARNING_RATE, plain

Weights = Mapping[str, Floats]


def start(
    trainer: Trainer, workload: Workload, images: NDArray[np.uint8], labels: NDArray[np.int32]
) -> Weights:
    weights = initial_weights(workload.network, 7)
    trainer.load_data(images, labels)
    trainer.load_weights(weights)
    return weights


def with_momentum(workload: Workload) -> Workload:
    return replace(workload, optimizer=replace(workload.optimizer, momentum=0.9))


def cross_entropy(logits: Floats, labels: NDArray[np.int32]) -> float:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    return float((log_sum - shifted[np.arange(len(labels)), labels]).mean())


def largest_difference(a: Weights, b: Weights) -> float:
    return max(float(np.abs(a[name] - b[name]).max()) for name in a)


def test_what_the_harness_reads_imports_no_framework(implementation: Implementation) -> None:
    code = (
        f"import impls.{implementation.name}, sys; "
        f"print(sorted(set({implementation.modules!r}) & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_says_what_it_is(implementation: Implementation, module: ModuleType) -> None:
    assert implementation.modes
    assert all(mode.about for mode in implementation.modes.values())
    assert all(isinstance(v, str) and v for v in module.libraries().values())


def test_weights_round_trip_exactly(
    build: BUILD, any_workload: Workload, images: NDArray[np.uint8], labels: NDArray[np.int32]
) -> None:
    trainer = build(any_workload)
    weights = start(trainer, any_workload, images, labels)
    held = trainer.weights()
    assert {name: value.shape for name, value in held.items()} == weight_shapes(
        any_workload.network
    )
    assert list(held) == list(weights)
    for name, value in held.items():
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, weights[name], err_msg=name)


def test_weights_are_a_copy(
    build: BUILD, workload: Workload, images: NDArray[np.uint8], labels: NDArray[np.int32]
) -> None:
    trainer = build(workload)
    weights = start(trainer, workload, images, labels)
    for value in trainer.weights().values():
        value += 1
    assert largest_difference(trainer.weights(), weights) == 0


def test_bad_weights_are_named(build: BUILD, workload: Workload) -> None:
    trainer = build(workload)
    weights = initial_weights(workload.network, 0)
    without = {name: value for name, value in weights.items() if name != "conv2.bias"}
    with pytest.raises(ValueError, match=r"conv2\.bias is missing"):
        trainer.load_weights(without)
    with pytest.raises(ValueError, match=r"conv9\.kernel is unknown"):
        trainer.load_weights(weights | {"conv9.kernel": weights["conv1.kernel"]})
    with pytest.raises(ValueError, match=r"dense2\.kernel has shape \(10, 3\)"):
        trainer.load_weights(weights | {"dense2.kernel": np.zeros((10, 3), np.float32)})


@pytest.mark.parametrize("channel", range(3))
def test_every_pixel_arrives_where_it_belongs_scaled(
    build: BUILD, mode: str, workload: Workload, channel: int
) -> None:
    """Weights that pass one pixel through to each logit, unchanged: layout and scaling at once."""
    rows, columns = np.array([3, 5, 9, 13, 17, 22, 20, 25, 10, 27]), np.arange(4, 24, 2)
    weights = {n: np.zeros(s, np.float32) for n, s in weight_shapes(workload.network).items()}
    convolutions = [layer for layer in NETWORKS[workload.network] if isinstance(layer, Conv)]
    pooled = 4 if workload.network == "listing3" else 1
    side = 32 // pooled - sum(1 for layer in convolutions if not layer.padding) * 2
    weights["conv1.kernel"][1, 1, channel, 5] = 1
    weights["conv2.kernel"][1, 1, 5, 9] = 1
    for logit, (row, column) in enumerate(zip(rows, columns, strict=True)):
        margin = sum(1 for layer in convolutions if not layer.padding)
        y, x = (row - margin) // pooled, (column - margin) // pooled
        weights["dense1.kernel"][(y * side + x) * convolutions[1].outputs + 9, logit] = 1
        weights["dense2.kernel"][logit, logit] = 1
    trainer = build(workload, mode)
    trainer.load_weights(weights)
    values = np.arange(250, dtype=np.uint8).reshape(25, 10)
    values[0] = [255, 254, 253, 252, 251, 250, 1, 0, 128, 127]
    images = np.zeros((25, 32, 32, 3), np.uint8)
    for image, logits in zip(images, values, strict=True):
        image[rows, columns, channel] = logits
    # One unit in the last place: some CPU libraries add the zeros in another order.
    np.testing.assert_allclose(
        trainer.logits(images), values.astype(np.float32) * np.float32(1 / 255), rtol=1.2e-7
    )


def test_logits_change_nothing_and_depend_on_no_neighbour(
    build: BUILD,
    mode: str,
    workload: Workload,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
) -> None:
    trainer = build(workload, mode)
    weights = start(trainer, workload, images, labels)
    together = trainer.logits(images)
    assert together.shape == (len(images), 10)
    assert together.dtype == np.float32
    np.testing.assert_allclose(trainer.logits(images[5:9]), together[5:9], atol=1e-6)
    assert largest_difference(trainer.weights(), weights) == 0


def test_loss_is_the_mean_cross_entropy_before_the_update(
    build: BUILD,
    mode: str,
    workload: Workload,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    batches: NDArray[np.int32],
) -> None:
    trainer = build(workload, mode)
    start(trainer, workload, images, labels)
    expected = cross_entropy(trainer.logits(images[batches[0]]), labels[batches[0]])
    assert trainer.train(batches[:1]) == pytest.approx(expected, rel=2e-6)


def test_an_update_follows_the_gradient(
    build: BUILD,
    mode: str,
    workload: Workload,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    batches: NDArray[np.int32],
) -> None:
    """Against central differences of the loss, along each weight's part of the update."""
    trainer = build(workload, mode)
    weights = start(trainer, workload, images, labels)
    trainer.train(batches[:1])
    after = trainer.weights()
    gradient = {name: (weights[name] - after[name]) / LEARNING_RATE for name in weights}
    x, y = images[batches[0]], labels[batches[0]]

    def loss(direction: Weights, distance: float) -> float:
        moved = {n: (w + distance * direction[n]).astype(np.float32) for n, w in weights.items()}
        trainer.load_weights(moved)
        return cross_entropy(trainer.logits(x), y)

    for name, value in gradient.items():
        norm = float(np.linalg.norm(value))
        assert norm > 0, name
        only = {n: value / norm if n == name else np.zeros_like(w) for n, w in weights.items()}
        step = 0.001
        slope = (loss(only, step) - loss(only, -step)) / (2 * step)
        assert slope == pytest.approx(norm, rel=0.02), name


def test_rows_are_steps_and_the_result_their_mean(
    build: BUILD,
    mode: str,
    workload: Workload,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    batches: NDArray[np.int32],
) -> None:
    trainer = build(workload, mode)
    start(trainer, workload, images, labels)
    together = trainer.train(batches)
    weights = trainer.weights()
    start(trainer, workload, images, labels)
    apart = [trainer.train(row[np.newaxis]) for row in batches]
    assert together == pytest.approx(np.mean(apart), rel=1e-5)
    assert largest_difference(trainer.weights(), weights) < 1e-6


def test_indices_choose_the_images(
    build: BUILD,
    workload: Workload,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    batches: NDArray[np.int32],
) -> None:
    trainer = build(workload)
    start(trainer, workload, images, labels)
    loss = trainer.train(batches)
    reverse = np.arange(len(images))[::-1]
    start(trainer, workload, images[reverse], labels[reverse])
    assert trainer.train(reverse[batches].astype(np.int32)) == pytest.approx(loss, rel=1e-5)


def test_momentum_is_heavy_ball(
    build: BUILD,
    mode: str,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    batches: NDArray[np.int32],
) -> None:
    """v = m v + g; w = w - lr v: from plain steps, whose gradients are known, two steps follow."""
    workload = plain("listing3")
    steps = build(workload, mode)
    heavy = build(with_momentum(workload), mode)
    w0 = start(steps, workload, images, labels)
    steps.train(batches[:1])
    w1 = steps.weights()
    steps.train(batches[1:2])
    w2 = steps.weights()
    start(heavy, workload, images, labels)
    heavy.train(batches[:2])
    expected = {name: w2[name] + 0.9 * (w1[name] - w0[name]) for name in w0}
    assert largest_difference(heavy.weights(), expected) < 1e-6


def test_loading_weights_clears_the_optimizer(
    build: BUILD,
    mode: str,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    batches: NDArray[np.int32],
) -> None:
    workload = with_momentum(plain("listing3"))
    trainer = build(workload, mode)
    start(trainer, workload, images, labels)
    trainer.train(batches[:2])
    once = trainer.weights()
    start(trainer, workload, images, labels)
    trainer.train(batches[:2])
    assert largest_difference(trainer.weights(), once) < 1e-6


def test_modes_train_alike(
    build: BUILD,
    implementation: Implementation,
    workload: Workload,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    batches: NDArray[np.int32],
) -> None:
    ends = []
    for mode in implementation.modes:
        trainer = build(workload, mode)
        start(trainer, workload, images, labels)
        trainer.train(batches)
        ends.append(trainer.weights())
    assert all(largest_difference(ends[0], other) < 1e-5 for other in ends[1:])


def test_it_learns(
    build: BUILD, workload: Workload, images: NDArray[np.uint8], labels: NDArray[np.int32]
) -> None:
    trainer = build(workload)
    start(trainer, workload, images, labels)
    same = np.tile(np.arange(BATCH, dtype=np.int32), (60, 1))
    first = trainer.train(same[:1])
    trainer.train(same)
    assert trainer.train(same[:1]) < 0.9 * first


def test_kernels_are_those_the_contract_names(
    module: ModuleType, implementation: Implementation, mode: str
) -> None:
    trial = certificate.trial(implementation.name, mode, plain("listing3"), "fp32")
    kernels = module.kernels(trial)
    assert kernels.keys() == KERNELS["cpu"].keys()
    for kernel in kernels.values():
        kernel()
        kernel()


def test_the_bare_loop_trains_in_every_mode(
    implementation: Implementation,
    mode: str,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    batches: NDArray[np.int32],
) -> None:
    bare = import_module(f"impls.{implementation.name}.bare")
    trial = certificate.trial(implementation.name, mode, plain("listing3"), "fp32")
    start, finish = bare.parts(trial, images, labels, initial_weights("listing3", 0))
    start(batches)
    finish()
    start(batches[:1])
    finish()


def test_mistakes_leave_the_trainer_as_it_was(
    implementation: Implementation,
    module: ModuleType,
    mode: str,
    build: BUILD,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    batches: NDArray[np.int32],
    data: Dataset,
) -> None:
    """Each is made with the trainer that is timed without it in the next chunk."""
    workload = plain("listing3")
    trainer = build(workload, mode)
    weights = start(trainer, workload, images, labels)
    before = trainer.train(batches)
    trial = replace(
        certificate.trial(implementation.name, mode, workload, "fp32"), workload=workload, seconds=0
    )
    given = Inputs(
        images=images,
        labels=labels,
        test_images=images,
        test_labels=labels,
        weights=dict(initial_weights("listing3", 7)),
        epochs=(batches,),
        seed=0,
        augmentation=False,
        data=data,
    )
    found = mistakes.measure(module, trainer, given, trial)
    ways = (found.right, found.fed, found.scored, found.unfenced)
    assert {len(way) for way in ways} == {LEAST_CHUNKS}
    assert len({chunk.steps for way in ways for chunk in way}) == 1
    assert found.tf32 == ()
    trainer.load_weights(weights)
    assert trainer.train(batches) == pytest.approx(before, rel=1e-6)


@pytest.mark.parametrize("network", ["listing1", "listing3"])
def test_the_example_is_the_same_training(
    implementation: Implementation,
    mode: str,
    build: BUILD,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    batches: NDArray[np.int32],
    network: str,
) -> None:
    """It is held against the trainer's speed, so it has to do the trainer's work."""
    example = import_module(f"impls.{implementation.name}.example")
    trial = certificate.trial(implementation.name, mode, plain(network), "fp32")
    weights = initial_weights(network, 7)
    train = example.loop(trial, images, labels, weights)
    trainer = build(plain(network), mode)
    start(trainer, plain(network), images, labels)
    for rows in (batches, batches[:1]):
        assert train(rows) == pytest.approx(trainer.train(rows), rel=1e-5)


def test_the_steps_of_a_memory_pass_are_taken_in_every_mode(
    implementation: Implementation, mode: str
) -> None:
    trial = certificate.trial(implementation.name, mode, plain("listing3"), "fp32")
    trial = replace(trial, train_images=16, batch_size=8)
    assert capped.trains(trial) == {"status": "ok", "message": ""}


def test_a_cpu_trial_reports_no_device_memory(build: BUILD, workload: Workload) -> None:
    assert build(workload).peak_device_bytes() is None


def test_a_missing_device_is_an_error(
    module: ModuleType, implementation: Implementation, workload: Workload
) -> None:
    """In a process of its own: the frameworks decide on their devices once."""
    done = built_elsewhere(module, implementation, workload, device="cuda")
    assert done.returncode == 1
    assert "\nRuntimeError: " in done.stderr


def test_what_a_framework_imports_it_imports_by_building(
    module: ModuleType, implementation: Implementation, workload: Workload
) -> None:
    """What else a process imports before its first step would be in nobody's time.

    A module or two do not matter; an optimizer that is made later brings hundreds.
    """
    rest = (
        "from bench import certificate; weights = certificate.start(trial.workload); "
        "known = set(sys.modules); trainer.load_weights(weights); "
        "print('imported', *sorted(set(sys.modules) - known))"
    )
    done = built_elsewhere(module, implementation, workload, rest)
    assert done.returncode == 0, done.stderr
    told, *imported = done.stdout.splitlines()[-1].split()
    assert told == "imported"
    assert len(imported) < 10, imported


def built_elsewhere(
    module: ModuleType,
    implementation: Implementation,
    workload: Workload,
    rest: str = "",
    device: Device = "cpu",
) -> subprocess.CompletedProcess[str]:
    """A process that builds ``trainer`` for ``trial``, in the first mode, and does ``rest``."""
    mode = next(iter(implementation.modes))
    trial = replace(certificate.trial(implementation.name, mode, workload, "fp32"), device=device)
    code = (
        "import json, sys; from importlib import import_module; "
        "from bench.contract import trial_from_json; "
        "trial = trial_from_json(sys.stdin.read()); "
        f"trainer = import_module({module.__name__!r}).build(trial); {rest}"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(asdict(trial)),
        env={"CUDA_VISIBLE_DEVICES": "", "PATH": "", "PYTHONPATH": "."}
        | dict(implementation.modes[mode].variables),
        capture_output=True,
        text=True,
        check=False,
    )
