"""What is trained: networks, optimizers and batch sizes as plain data, free of any framework.

A network is a tuple of layers in the order the data flows through them. The description is what the
canonical weights are made from and what every implementation's shapes are held against; the
implementations themselves write each network by hand, the way their framework's users do.

Canonical layouts, the same for every implementation whatever it uses inside:

- activations are ``[batch, height, width, channels]``; flattening keeps that order;
- a convolution's ``kernel`` is ``[height, width, inputs, outputs]``, its ``bias`` ``[outputs]``;
- a dense layer's ``kernel`` is ``[inputs, outputs]``, its ``bias`` ``[outputs]``.
"""

from dataclasses import dataclass

IMAGE_SHAPE = (32, 32, 3)
CLASSES = 10


@dataclass(frozen=True, slots=True)
class Conv:
    """Square convolution, stride 1, with bias; ``padding`` pixels of zeros on every side."""

    name: str
    inputs: int
    outputs: int
    size: int = 3
    padding: int = 0


@dataclass(frozen=True, slots=True)
class Dense:
    """Fully connected layer with bias."""

    name: str
    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class Relu:
    """max(x, 0)."""


@dataclass(frozen=True, slots=True)
class MaxPool:
    """Non-overlapping square maximum pooling."""

    size: int = 2


@dataclass(frozen=True, slots=True)
class Flatten:
    """``[batch, h, w, c]`` to ``[batch, h * w * c]``."""


Layer = Conv | Dense | Relu | MaxPool | Flatten

NETWORKS: dict[str, tuple[Layer, ...]] = {
    # The article's first network, with the first dense layer's inputs corrected: its convolutions
    # give 32 * 28 * 28 = 25088 values, not the printed 7 * 28 * 28.
    "listing1": (
        Conv("conv1", 3, 16),
        Relu(),
        Conv("conv2", 16, 32),
        Relu(),
        Flatten(),
        Dense("dense1", 28 * 28 * 32, 256),
        Relu(),
        Dense("dense2", 256, CLASSES),
    ),
    # The article's second network; its 64 * 8 * 8 inputs fit 32x32 images only.
    "listing3": (
        Conv("conv1", 3, 64, padding=1),
        Relu(),
        MaxPool(),
        Conv("conv2", 64, 64, padding=1),
        Relu(),
        MaxPool(),
        Flatten(),
        Dense("dense1", 8 * 8 * 64, 512),
        Relu(),
        Dense("dense2", 512, CLASSES),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """Stochastic gradient descent: ``v = momentum * v + gradient; w = w - learning_rate * v``.

    The loss is the mean softmax cross-entropy of a batch.
    """

    learning_rate: float
    momentum: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A network and the way it is trained."""

    name: str
    network: str
    optimizer: Optimizer
    batch_size: int
    epochs: int
    """How long its source trains it; profiles may train for less."""


WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        Workload(
            name="listing1",
            network="listing1",
            optimizer=Optimizer(learning_rate=0.01),
            batch_size=128,
            epochs=10,
        ),
        Workload(
            name="listing3",
            network="listing3",
            optimizer=Optimizer(learning_rate=0.01),
            batch_size=64,
            epochs=10,
        ),
    )
}


def weight_shapes(network: str) -> dict[str, tuple[int, ...]]:
    """Canonical weight names of a network, in layer order, with their canonical shapes."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in NETWORKS[network]:
        match layer:
            case Conv(name, inputs, outputs, size):
                shapes[f"{name}.kernel"] = (size, size, inputs, outputs)
                shapes[f"{name}.bias"] = (outputs,)
            case Dense(name, inputs, outputs):
                shapes[f"{name}.kernel"] = (inputs, outputs)
                shapes[f"{name}.bias"] = (outputs,)
    return shapes
