"""The networks as PyTorch's tutorials write them.

After https://docs.pytorch.org/tutorials/beginner/blitz/cifar10_tutorial.html (PyTorch 2.15).
Inputs are ``[batch, 3, 32, 32]`` in 0..1, outputs logits ``[batch, 10]``. Layers have the names of
``bench.workloads``.
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Listing1(nn.Module):
    """Two convolutions without padding or pooling, two dense layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3)
        self.conv2 = nn.Conv2d(16, 32, 3)
        self.dense1 = nn.Linear(32 * 28 * 28, 256)
        self.dense2 = nn.Linear(256, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = torch.flatten(x, 1)
        x = F.relu(self.dense1(x))
        return self.dense2(x)


class Listing3(nn.Module):
    """Two padded convolutions, each followed by pooling, two dense layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1)
        self.conv2 = nn.Conv2d(64, 64, 3, padding=1)
        self.dense1 = nn.Linear(64 * 8 * 8, 512)
        self.dense2 = nn.Linear(512, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        x = F.relu(self.dense1(x))
        return self.dense2(x)


class Rosetta(nn.Module):
    """Four padded convolutions, two of them pooled, with dropout, two dense layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 50, 3, padding=1)
        self.conv2 = nn.Conv2d(50, 50, 3, padding=1)
        self.dropout1 = nn.Dropout(0.25)
        self.conv3 = nn.Conv2d(50, 100, 3, padding=1)
        self.conv4 = nn.Conv2d(100, 100, 3, padding=1)
        self.dropout2 = nn.Dropout(0.25)
        self.dense1 = nn.Linear(100 * 8 * 8, 512)
        self.dropout3 = nn.Dropout(0.5)
        self.dense2 = nn.Linear(512, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(x))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        x = self.dropout1(x)
        x = F.relu(self.conv3(x))
        x = F.relu(F.max_pool2d(self.conv4(x), 2))
        x = self.dropout2(x)
        x = torch.flatten(x, 1)
        x = self.dropout3(F.relu(self.dense1(x)))
        return self.dense2(x)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, *, projection: bool) -> None:
        super().__init__()
        self.stride = stride
        self.widening = outputs - inputs
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.projection = projection and stride > 1
        if self.projection:
            self.conv3 = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.norm3 = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return F.relu(y + self.shortcut(x))

    def shortcut(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            return x
        if self.projection:
            return self.norm3(self.conv3(x))
        # Every other pixel, and zeros for the channels that are new: no parameters.
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.widening))


class ResNet(nn.Module):
    """Stages of basic blocks, He et al., arXiv:1512.03385, section 4.2."""

    def __init__(self, widths: tuple[int, ...], blocks: int, *, projection: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(widths[0])
        self.blocks = nn.Sequential()
        inputs = widths[0]
        for width in widths:
            for _ in range(blocks):
                stride = 1 if inputs == width else 2
                self.blocks.append(BasicBlock(inputs, width, stride, projection=projection))
                inputs = width
        self.dense1 = nn.Linear(inputs, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x)))
        x = self.blocks(x)
        x = torch.mean(x, (2, 3))
        return self.dense1(x)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "listing1": Listing1,
    "listing3": Listing3,
    "rosetta": Rosetta,
    "resnet20": partial(ResNet, (16, 32, 64), 3, projection=False),
    "resnet18": partial(ResNet, (64, 128, 256, 512), 2, projection=True),
    "resnet18-narrow": partial(ResNet, (8, 16, 32, 64), 2, projection=True),
}
