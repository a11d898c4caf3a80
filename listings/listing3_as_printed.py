"""Listing 3 runs as it is printed.

It takes its optimizer from torch.optim, which it does not import.
"""

from listings.networks import Third

network = Third()
optimizer = optim.SGD(network.parameters(), lr=0.01)
