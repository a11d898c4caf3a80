"""Listings 2 and 3 train by the plain SGD that they name, once they run.

Their gradients are never set to zero, so that each step adds its own to those of all before: SGD
with momentum 1. Three networks with the same start and batches tell.
"""

import torch
from torch import nn, optim

from listings.networks import Third, batches

STEPS = 20


def trained(*, zeroed, momentum):
    """All weights after ``STEPS`` steps, in one row; float64, so that rounding does not matter."""
    torch.manual_seed(0)
    network = Third().double()
    optimizer = optim.SGD(network.parameters(), lr=0.01, momentum=momentum)
    loss_of = nn.CrossEntropyLoss()
    for images, labels in batches(STEPS, 16):
        if zeroed:
            optimizer.zero_grad()
        loss_of(network(images.double()), labels).backward()
        optimizer.step()
    return torch.cat([parameter.detach().ravel() for parameter in network.parameters()])


printed = trained(zeroed=False, momentum=0.0)
plain = (printed - trained(zeroed=True, momentum=0.0)).abs().max().item()
heavy = (printed - trained(zeroed=True, momentum=1.0)).abs().max().item()
if plain > 1e-6:
    message = f"weights differ by {plain:.0e} from plain SGD's, by {heavy:.0e} from momentum 1's"
    raise AssertionError(message)
