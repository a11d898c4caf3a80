"""The two networks with the sizes that are printed."""

import torch
from torch import nn


class First(nn.Module):
    """Listing 1: its first dense layer expects 7 * 28 * 28 values."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3)
        self.conv2 = nn.Conv2d(16, 32, 3)
        self.dense1 = nn.Linear(7 * 28 * 28, 256)
        self.dense2 = nn.Linear(256, 10)

    def forward(self, images):
        x = torch.relu(self.conv1(images))
        x = torch.relu(self.conv2(x))
        x = torch.relu(self.dense1(x.view(-1, 7 * 28 * 28)))
        return self.dense2(x)


class Third(nn.Module):
    """Listing 3: its first dense layer expects 64 * 8 * 8 values."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1)
        self.conv2 = nn.Conv2d(64, 64, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.dense1 = nn.Linear(64 * 8 * 8, 512)
        self.dense2 = nn.Linear(512, 10)

    def forward(self, images):
        x = self.pool(torch.relu(self.conv1(images)))
        x = self.pool(torch.relu(self.conv2(x)))
        x = torch.relu(self.dense1(x.view(-1, 64 * 8 * 8)))
        return self.dense2(x)


def batches(count, images, side=32):
    """Random images in the shape of CIFAR-10's, or of another side, with random classes."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(count):
        yield (
            torch.rand(images, 3, side, side, generator=generator),
            torch.randint(10, (images,), generator=generator),
        )
