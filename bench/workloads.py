"""What is trained: networks, optimizers and batch sizes as plain data, free of any framework.

A network is a tuple of layers in the order the data flows through them. The description is what the
canonical weights are made from, what the reference (``impls/reference``) computes, and what every
implementation's shapes are held against; the implementations themselves write each network by hand,
the way their framework's users do.

Canonical layouts, the same for every implementation whatever it uses inside:

- activations are ``[batch, height, width, channels]``; flattening keeps that order;
- a convolution's ``kernel`` is ``[height, width, inputs, outputs]``, its ``bias`` ``[outputs]``;
- a dense layer's ``kernel`` is ``[inputs, outputs]``, its ``bias`` ``[outputs]``;
- a normalisation's ``scale``, ``bias`` and running ``mean`` and ``variance`` are ``[channels]``.
"""

from dataclasses import dataclass, replace
from math import prod

IMAGE_SHAPE = (32, 32, 3)
CLASSES = 10


@dataclass(frozen=True, slots=True)
class Conv:
    """Square convolution; ``padding`` pixels of zeros on every side."""

    name: str
    inputs: int
    outputs: int
    size: int = 3
    stride: int = 1
    padding: int = 0
    bias: bool = True


@dataclass(frozen=True, slots=True)
class Dense:
    """Fully connected layer with bias."""

    name: str
    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """Batch normalisation over all but the channels (Ioffe and Szegedy, arXiv:1502.03167).

    In training a batch is normalised by its own mean and (biased) variance, ``EPSILON`` added to
    the latter; the running mean and variance move a tenth (``RUNNING``) of the way to the batch's.
    The variance that enters the running one is the unbiased estimate, n/(n-1) times the biased, as
    in PyTorch and in cuDNN, whose kernels could not be made to keep the other.
    """

    name: str
    channels: int


EPSILON = 1e-5
RUNNING = 0.1


@dataclass(frozen=True, slots=True)
class Relu:
    """max(x, 0)."""


@dataclass(frozen=True, slots=True)
class MaxPool:
    """Non-overlapping square maximum pooling."""

    size: int = 2


@dataclass(frozen=True, slots=True)
class GlobalAveragePool:
    """``[batch, h, w, c]`` to ``[batch, c]``, the mean over all pixels."""


@dataclass(frozen=True, slots=True)
class Flatten:
    """``[batch, h, w, c]`` to ``[batch, h * w * c]``."""


@dataclass(frozen=True, slots=True)
class Dropout:
    """In training, zero a share ``rate`` of the values and scale the rest by 1/(1-rate)."""

    rate: float


@dataclass(frozen=True, slots=True)
class Subsample:
    """Every ``stride``-th pixel, and zeros as additional channels, after the others.

    The shortcut without parameters ("option A") of He et al., arXiv:1512.03385, section 4.2.
    """

    stride: int
    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class Residual:
    """``relu(body(x) + shortcut(x))``; an empty shortcut is the identity."""

    body: tuple["Layer", ...]
    shortcut: tuple["Layer", ...] = ()


Layer = (
    Conv
    | Dense
    | BatchNorm
    | Relu
    | MaxPool
    | GlobalAveragePool
    | Flatten
    | Dropout
    | Subsample
    | Residual
)


def _block(name: str, inputs: int, outputs: int, stride: int, *, projection: bool) -> Residual:
    """A basic block: two 3x3 convolutions, each normalised, around a shortcut."""
    body = (
        Conv(f"{name}.conv1", inputs, outputs, stride=stride, padding=1, bias=False),
        BatchNorm(f"{name}.norm1", outputs),
        Relu(),
        Conv(f"{name}.conv2", outputs, outputs, padding=1, bias=False),
        BatchNorm(f"{name}.norm2", outputs),
    )
    if stride == 1 and inputs == outputs:
        return Residual(body)
    if not projection:
        return Residual(body, (Subsample(stride, inputs, outputs),))
    shortcut = (
        Conv(f"{name}.conv3", inputs, outputs, size=1, stride=stride, bias=False),
        BatchNorm(f"{name}.norm3", outputs),
    )
    return Residual(body, shortcut)


def _resnet(widths: tuple[int, ...], blocks: int, *, projection: bool) -> tuple[Layer, ...]:
    """A CIFAR ResNet: for each width ``blocks`` basic blocks; images are halved in between."""
    layers: list[Layer] = [
        Conv("conv1", 3, widths[0], padding=1, bias=False),
        BatchNorm("norm1", widths[0]),
        Relu(),
    ]
    inputs = widths[0]
    for stage, width in enumerate(widths):
        for block in range(blocks):
            name = f"blocks.{stage * blocks + block}"
            stride = 2 if stage > 0 and block == 0 else 1
            layers.append(_block(name, inputs, width, stride, projection=projection))
            inputs = width
    return (*layers, GlobalAveragePool(), Dense("dense1", inputs, CLASSES))


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
    # The network of ilkarman/DeepLearningFrameworks (commit 671e2a0), a study of 2018. Two of its
    # ReLUs stand after the pooling: the same result as before it, from a quarter of the work.
    "rosetta": (
        Conv("conv1", 3, 50, padding=1),
        Relu(),
        Conv("conv2", 50, 50, padding=1),
        MaxPool(),
        Relu(),
        Dropout(0.25),
        Conv("conv3", 50, 100, padding=1),
        Relu(),
        Conv("conv4", 100, 100, padding=1),
        MaxPool(),
        Relu(),
        Dropout(0.25),
        Flatten(),
        Dense("dense1", 8 * 8 * 100, 512),
        Relu(),
        Dropout(0.5),
        Dense("dense2", 512, CLASSES),
    ),
    # He et al., arXiv:1512.03385, section 4.2, n = 3: shortcuts without parameters, as there.
    "resnet20": _resnet((16, 32, 64), 3, projection=False),
    # ResNet-18 of the same paper made for 32x32 images: a 3x3 convolution in the place of the 7x7
    # one and its pooling, projection shortcuts, 11.2 million parameters.
    "resnet18": _resnet((64, 128, 256, 512), 2, projection=True),
    # The same an eighth as wide: what is proven of it on a CPU holds for the wide one's code.
    "resnet18-narrow": _resnet((8, 16, 32, 64), 2, projection=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """Stochastic gradient descent on the mean softmax cross-entropy of a batch.

    With gradient g of a weight w, learning rate r, momentum m and weight decay d::

        g = g + d * w        (kernels only: not biases, scales or running statistics)
        v = m * v + g        (v = 0 at first)
        w = w - r * v        or, with Nesterov momentum, w - r * (g + m * v)

    It is PyTorch's form. The velocity holds gradients, not updates: when the rate changes, so does
    the weight of what is in it at once. ``schedule`` is ``((step, factor), ...)``, steps ascending:
    from that step on (0 is the first) the rate is ``learning_rate * factor``.
    """

    learning_rate: float
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    schedule: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A network and the way it is trained."""

    name: str
    network: str
    optimizer: Optimizer
    batch_size: int
    epochs: int
    """How long its source trains it, on 50,000 images; profiles may train for less, and then the
    rate falls after the same shares of the training (``shortened``)."""
    dropout: bool = False
    """Whether the network's dropout layers do anything. No two frameworks drop the same values, so
    equivalence is proven without."""
    augmentation: bool = False
    """Whether training images are shifted and mirrored at random (``bench.data.augment``)."""


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
        # As it is printed: its gradients are never set to zero, so that each step adds to those of
        # all before. That is momentum of 1, to the last bit (listings/).
        Workload(
            name="listing3-unzeroed",
            network="listing3",
            optimizer=Optimizer(learning_rate=0.01, momentum=1.0),
            batch_size=64,
            epochs=10,
        ),
        Workload(
            name="rosetta",
            network="rosetta",
            optimizer=Optimizer(learning_rate=0.01, momentum=0.9),
            batch_size=64,
            epochs=10,
            dropout=True,
        ),
        # 64,000 steps of 128 are 164 epochs; the rate falls to a tenth at 32,000 and 48,000.
        Workload(
            name="resnet20",
            network="resnet20",
            optimizer=Optimizer(
                learning_rate=0.1,
                momentum=0.9,
                weight_decay=1e-4,
                schedule=((32_000, 0.1), (48_000, 0.01)),
            ),
            batch_size=128,
            epochs=164,
            augmentation=True,
        ),
        Workload(
            name="resnet18",
            network="resnet18",
            optimizer=Optimizer(
                learning_rate=0.1,
                momentum=0.9,
                weight_decay=5e-4,
                schedule=((32_000, 0.1), (48_000, 0.01)),
            ),
            batch_size=128,
            epochs=164,
            augmentation=True,
        ),
    )
}


SOURCE_IMAGES = 50_000
"""CIFAR-10's training images: what the sources of the workloads train on."""


def shortened(workload: Workload, steps: int) -> Workload:
    """The workload as it is trained for ``steps`` in all: its schedule takes the same shares.

    Of a training that ends before its rate ever falls, accuracies jump by several points from one
    epoch to the next. A boundary is moved to the nearest step, and not onto another one.
    """
    whole = workload.epochs * (SOURCE_IMAGES // workload.batch_size)
    schedule: list[tuple[int, float]] = []
    for step, factor in workload.optimizer.schedule:
        after = schedule[-1][0] if schedule else 0
        schedule.append((max(after + 1, round(step * steps / whole)), factor))
    return replace(workload, optimizer=replace(workload.optimizer, schedule=tuple(schedule)))


@dataclass(frozen=True, slots=True)
class Described:
    """One layer with weights, as it stands in its network."""

    name: str
    weights: dict[str, tuple[int, ...]]
    """Canonical weight name to shape; running statistics included."""
    multiply_adds: int
    """For one image, forward: a convolution or dense layer's products; 0 for a normalisation."""


def describe(network: str) -> tuple[Described, ...]:
    """The layers of a network that have weights, in order. Raises ``KeyError`` if unknown."""
    layers: list[Described] = []
    _walk(NETWORKS[network], IMAGE_SHAPE[0], layers)
    return tuple(layers)


def weight_shapes(network: str) -> dict[str, tuple[int, ...]]:
    """Canonical weight names of a network, in layer order, with their canonical shapes."""
    return {name: shape for layer in describe(network) for name, shape in layer.weights.items()}


def multiply_adds(network: str) -> int:
    """Of one image, forward."""
    return sum(layer.multiply_adds for layer in describe(network))


def training_operations(network: str) -> int:
    """Floating-point operations of one image in one training step, two to a multiply-add.

    Products alone are counted: forward, and as many again for the gradient by each layer's weights,
    and by its inputs, but for the first layer, whose inputs are the images.
    """
    first, *others = (layer.multiply_adds for layer in describe(network) if layer.multiply_adds)
    return 2 * (2 * first + 3 * sum(others))


STATISTICS = ("mean", "variance")
"""Kinds of weights that are not trained but follow the data."""


def _walk(layers: tuple[Layer, ...], side: int, found: list[Described]) -> int:
    """Append the layers that have weights; return the side of the images that come out."""
    for layer in layers:
        weights: dict[str, tuple[int, ...]] = {}
        match layer:
            case Conv(name, inputs, outputs, size, stride, padding, bias):
                side = (side + 2 * padding - size) // stride + 1
                weights[f"{name}.kernel"] = kernel = (size, size, inputs, outputs)
                if bias:
                    weights[f"{name}.bias"] = (outputs,)
                found.append(Described(name, weights, side * side * prod(kernel)))
            case Dense(name, inputs, outputs):
                weights = {f"{name}.kernel": (inputs, outputs), f"{name}.bias": (outputs,)}
                found.append(Described(name, weights, inputs * outputs))
            case BatchNorm(name, channels):
                kinds = ("scale", "bias", *STATISTICS)
                weights = {f"{name}.{kind}": (channels,) for kind in kinds}
                found.append(Described(name, weights, 0))
            case MaxPool(size):
                side //= size
            case Residual(body, shortcut):
                before, side = side, _walk(body, side, found)
                _walk(shortcut, before, found)
    return side
