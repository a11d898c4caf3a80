"""The networks as PyTorch's tutorials write them.

After https://docs.pytorch.org/tutorials/beginner/blitz/cifar10_tutorial.html (PyTorch 2.15).
Inputs are ``[batch, 3, 32, 32]`` float32 in 0..1, outputs logits ``[batch, 10]``.
"""

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


NETWORKS: dict[str, type[nn.Module]] = {"listing1": Listing1, "listing3": Listing3}
