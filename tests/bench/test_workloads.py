from math import prod

import pytest

from bench.workloads import (
    CLASSES,
    IMAGE_SHAPE,
    NETWORKS,
    WORKLOADS,
    Conv,
    Dense,
    Flatten,
    MaxPool,
    weight_shapes,
)


@pytest.mark.parametrize(
    ("network", "parameters"), [("listing1", 6_430_442), ("listing3", 2_141_514)]
)
def test_parameter_counts_are_those_worked_out_by_hand(network: str, parameters: int) -> None:
    assert sum(map(prod, weight_shapes(network).values())) == parameters


@pytest.mark.parametrize("network", NETWORKS)
def test_every_layer_takes_what_the_one_before_gives(network: str) -> None:
    height, width, channels = IMAGE_SHAPE
    flat = 0
    for layer in NETWORKS[network]:
        match layer:
            case Conv(_, inputs, outputs, size, padding):
                assert inputs == channels
                height, width = (side + 2 * padding - size + 1 for side in (height, width))
                channels = outputs
            case MaxPool(size):
                assert height % size == width % size == 0
                height, width = height // size, width // size
            case Flatten():
                flat = height * width * channels
            case Dense(_, inputs, outputs):
                assert inputs == flat
                flat = outputs
    assert flat == CLASSES


def test_workloads_are_the_articles_settings() -> None:
    assert {
        w.name: (w.batch_size, w.epochs, w.optimizer.learning_rate, w.optimizer.momentum)
        for w in WORKLOADS.values()
    } == {"listing1": (128, 10, 0.01, 0.0), "listing3": (64, 10, 0.01, 0.0)}
