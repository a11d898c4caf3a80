from math import prod, sqrt

import numpy as np
import pytest

from bench.weights import initial_weights
from bench.workloads import NETWORKS, weight_shapes


@pytest.mark.parametrize("network", NETWORKS)
def test_weights_fill_the_interval_of_the_formula(network: str) -> None:
    weights = initial_weights(network, 3)
    assert {name: value.shape for name, value in weights.items()} == weight_shapes(network)
    for name, value in weights.items():
        assert value.dtype == np.float32
        fan_in = prod(weights[name.split(".")[0] + ".kernel"].shape[:-1])
        assert np.abs(value).max() <= np.float32(1 / sqrt(fan_in))
        if value.size > 1000:
            assert value.std() == pytest.approx(1 / sqrt(3 * fan_in), rel=0.05)


def test_the_seed_decides() -> None:
    first, again, other = (initial_weights("listing3", seed) for seed in (1, 1, 2))
    assert all((first[name] == again[name]).all() for name in first)
    assert not any((first[name] == other[name]).any() for name in first)


def test_an_unknown_network_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="listing2"):
        initial_weights("listing2", 0)
