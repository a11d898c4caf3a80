from dataclasses import replace
from math import prod

import pytest

from bench.workloads import (
    CLASSES,
    IMAGE_SHAPE,
    NETWORKS,
    STATISTICS,
    WORKLOADS,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GlobalAveragePool,
    Layer,
    MaxPool,
    Optimizer,
    Residual,
    Subsample,
    describe,
    multiply_adds,
    shortened,
    weight_shapes,
)


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        ("listing1", 6_430_442),
        ("listing3", 2_141_514),
        ("rosetta", 3_441_592),
        # As counted by those who rebuilt the papers' networks for CIFAR-10: 0.27 million in
        # arXiv:1512.03385, table 6; the usual ResNet-18 with a 3x3 first convolution.
        ("resnet20", 269_722),
        ("resnet18", 11_173_962),
    ],
)
def test_parameter_counts_are_those_worked_out_by_hand_or_known(
    network: str, parameters: int
) -> None:
    trained = [
        prod(shape)
        for name, shape in weight_shapes(network).items()
        if name.rpartition(".")[2] not in STATISTICS
    ]
    assert sum(trained) == parameters


@pytest.mark.parametrize("network", NETWORKS)
def test_every_trained_scale_has_a_running_mean_and_variance(network: str) -> None:
    shapes = weight_shapes(network)
    scales = [name.removesuffix(".scale") for name in shapes if name.endswith(".scale")]
    for kind in STATISTICS:
        followed = [name.removesuffix(f".{kind}") for name in shapes if name.endswith(f".{kind}")]
        assert followed == scales
    for name in scales:
        assert len({shapes[f"{name}.{kind}"] for kind in ("scale", "bias", *STATISTICS)}) == 1


Shape = tuple[int, ...]


def after(layer: Layer, shape: Shape) -> Shape:
    """The shape of one image after ``layer``; fails where the layer expects another one."""
    match layer:
        case Conv(_, inputs, outputs, size, stride, padding):
            height, width, channels = shape
            assert inputs == channels
            down, across = ((side + 2 * padding - size) // stride + 1 for side in (height, width))
            return down, across, outputs
        case BatchNorm(_, channels):
            assert shape[-1] == channels
        case MaxPool(size):
            height, width, channels = shape
            assert height % size == width % size == 0
            return height // size, width // size, channels
        case GlobalAveragePool():
            assert len(shape) == 3
            return shape[2:]
        case Flatten():
            return (prod(shape),)
        case Dense(_, inputs, outputs):
            assert shape == (inputs,)
            return (outputs,)
        case Subsample(stride, inputs, outputs):
            height, width, channels = shape
            assert inputs == channels <= outputs
            return -(-height // stride), -(-width // stride), outputs
        case Residual(body, shortcut):
            assert after_all(body, shape) == after_all(shortcut, shape)
            return after_all(body, shape)
    return shape


def after_all(layers: tuple[Layer, ...], shape: Shape) -> Shape:
    for layer in layers:
        shape = after(layer, shape)
    return shape


@pytest.mark.parametrize("network", NETWORKS)
def test_every_layer_takes_what_the_one_before_gives(network: str) -> None:
    assert after_all(NETWORKS[network], IMAGE_SHAPE) == (CLASSES,)


@pytest.mark.parametrize(("network", "blocks"), [("resnet20", 9), ("resnet18", 8)])
def test_residual_networks_halve_the_image_where_the_width_doubles(
    network: str, blocks: int
) -> None:
    shape: Shape = IMAGE_SHAPE
    shapes = []
    for layer in NETWORKS[network]:
        shape = after(layer, shape)
        if isinstance(layer, Residual):
            shapes.append(shape)
    assert len(shapes) == blocks
    assert {side * width for side, _, width in shapes} == {32 * shapes[0][2]}
    assert shapes == sorted(shapes, reverse=True)


@pytest.mark.parametrize(
    ("network", "layer", "expected"),
    [
        ("listing1", "conv2", 28 * 28 * 3 * 3 * 16 * 32),  # no padding: 30 - 2 pixels
        ("listing3", "conv2", 16 * 16 * 3 * 3 * 64 * 64),  # after pooling
        ("rosetta", "dense1", 8 * 8 * 100 * 512),
        ("resnet20", "norm1", 0),
        ("resnet20", "blocks.3.conv1", 16 * 16 * 3 * 3 * 16 * 32),  # stride 2: 32 to 16 pixels
        ("resnet20", "blocks.3.conv2", 16 * 16 * 3 * 3 * 32 * 32),
        ("resnet18", "blocks.2.conv3", 16 * 16 * 1 * 1 * 64 * 128),  # the shortcut, from 32 pixels
        ("resnet18", "blocks.7.conv2", 4 * 4 * 3 * 3 * 512 * 512),
    ],
)
def test_multiply_adds_of_a_layer(network: str, layer: str, expected: int) -> None:
    (found,) = (described for described in describe(network) if described.name == layer)
    assert found.multiply_adds == expected


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("resnet20", 40_551_040),  # 442,368 + 6 * 2,359,296 + 2 * (1,179,648 + 5 * 2,359,296) + 640
        ("resnet18", 555_422_720),  # the 0.56 billion known of it
    ],
)
def test_multiply_adds_of_a_network(network: str, expected: int) -> None:
    assert multiply_adds(network) == expected


@pytest.mark.parametrize("network", NETWORKS)
def test_names_are_unique_and_stand_before_their_kind(network: str) -> None:
    names = [layer.name for layer in describe(network)]
    assert len(set(names)) == len(names)
    for layer in describe(network):
        assert all(weight.rpartition(".")[0] == layer.name for weight in layer.weights)
    assert list(weight_shapes(network)) == [w for layer in describe(network) for w in layer.weights]


def test_an_unknown_network_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="listing2"):
        describe("listing2")


def test_workloads_are_their_sources_settings() -> None:
    falling = ((32_000, 0.1), (48_000, 0.01))
    assert {w.name: (w.batch_size, w.epochs, w.optimizer) for w in WORKLOADS.values()} == {
        "listing1": (128, 10, Optimizer(learning_rate=0.01)),
        "listing3": (64, 10, Optimizer(learning_rate=0.01)),
        "listing3-unzeroed": (64, 10, Optimizer(learning_rate=0.01, momentum=1.0)),
        "rosetta": (64, 10, Optimizer(learning_rate=0.01, momentum=0.9)),
        "resnet20": (
            *(128, 164),
            Optimizer(learning_rate=0.1, momentum=0.9, weight_decay=1e-4, schedule=falling),
        ),
        "resnet18": (
            *(128, 164),
            Optimizer(learning_rate=0.1, momentum=0.9, weight_decay=5e-4, schedule=falling),
        ),
    }
    assert {w.name for w in WORKLOADS.values() if w.dropout} == {"rosetta"}
    assert {w.name for w in WORKLOADS.values() if w.augmentation} == {"resnet20", "resnet18"}
    for name, workload in WORKLOADS.items():
        assert name == workload.name
        assert workload.network in NETWORKS
        steps = [step for step, _ in workload.optimizer.schedule]
        assert steps == sorted(set(steps))
        # 64,000 steps, of which an epoch of 50,000 images holds 390 whole batches of 128.
        assert not steps or abs(workload.epochs * (50_000 // workload.batch_size) - 64_000) < 390


def test_a_shortened_training_has_its_schedule_at_the_same_shares() -> None:
    whole = WORKLOADS["resnet20"]
    assert shortened(whole, 164 * 390) == whole
    five = shortened(whole, 5 * 390)
    assert five.optimizer.schedule == ((976, 0.1), (1463, 0.01))
    assert replace(five, optimizer=whole.optimizer) == whole
    assert shortened(whole, 1).optimizer.schedule == ((1, 0.1), (2, 0.01))
    assert shortened(WORKLOADS["listing1"], 3) == WORKLOADS["listing1"]
