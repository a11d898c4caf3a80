"""Listing 1's network takes images of CIFAR-10, as listing 2 feeds it.

Its convolutions give 32 * 28 * 28 values for each image of 32x32 pixels.
"""

from listings.networks import First, batches

network = First()
for images, _ in batches(1, 128):
    network(images)
