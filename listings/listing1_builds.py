"""Listing 1 builds its network."""

from listings.networks import First

First()
