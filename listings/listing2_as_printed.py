"""Listing 2 runs as it is printed.

It takes its data from torchvision, which it does not import.
"""

from torch.utils.data import DataLoader

from listings.networks import First

network = First()
images = torchvision.datasets.CIFAR10("data", train=True, transform=transforms.ToTensor())
for batch, _ in DataLoader(images, batch_size=128, shuffle=True):
    network(batch)
