from math import prod, sqrt

import numpy as np
import pytest

from bench.weights import initial_weights
from bench.workloads import NETWORKS, weight_shapes


@pytest.mark.parametrize("network", NETWORKS)
def test_weights_are_float32_in_the_canonical_shapes(network: str) -> None:
    weights = initial_weights(network, 3)
    assert {name: value.shape for name, value in weights.items()} == weight_shapes(network)
    assert list(weights) == list(weight_shapes(network))
    assert {value.dtype for value in weights.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("network", NETWORKS)
def test_weights_of_layers_with_bias_fill_the_interval_of_the_formula(network: str) -> None:
    weights = initial_weights(network, 3)
    layers = [
        name.removesuffix(".bias")
        for name in weights
        if name.endswith(".bias") and f"{name.removesuffix('.bias')}.kernel" in weights
    ]
    assert layers
    for layer in layers:
        fan_in = prod(weights[f"{layer}.kernel"].shape[:-1])
        for value in (weights[f"{layer}.kernel"], weights[f"{layer}.bias"]):
            assert np.abs(value).max() <= np.float32(1 / sqrt(fan_in))
            assert value.std() > 0
            if value.size > 1000:
                assert value.std() == pytest.approx(1 / sqrt(3 * fan_in), rel=0.05)


@pytest.mark.parametrize("network", ["resnet20", "resnet18", "resnet18-narrow"])
def test_kernels_without_bias_are_normal_with_the_deviation_of_the_formula(network: str) -> None:
    weights = initial_weights(network, 3)
    kernels = {
        name: value
        for name, value in weights.items()
        if name.endswith(".kernel") and f"{name.removesuffix('.kernel')}.bias" not in weights
    }
    assert all(value.ndim == 4 for value in kernels.values())
    assert len(kernels) == len([name for name in weights if name.endswith(".scale")])
    for name, value in kernels.items():
        standard = value / sqrt(2 / prod(value.shape[:-1]))
        # At least five standard errors of the mean, of the deviation, and of the share within one
        # deviation: a normal's 68.3 %. Uniform values of that deviation would have 57.7 % there.
        error = 5 / sqrt(value.size)
        assert abs(standard.mean()) < error, name
        assert standard.std() == pytest.approx(1, abs=error), name
        assert (np.abs(standard) < 1).mean() == pytest.approx(0.683, abs=0.47 * error), name


@pytest.mark.parametrize("network", ["resnet20", "resnet18-narrow"])
def test_normalisations_start_as_the_identity(network: str) -> None:
    weights = initial_weights(network, 3)
    norms = [name.removesuffix(".scale") for name in weights if name.endswith(".scale")]
    for norm in norms:
        assert (weights[f"{norm}.scale"] == 1).all()
        assert (weights[f"{norm}.variance"] == 1).all()
        assert not weights[f"{norm}.bias"].any()
        assert not weights[f"{norm}.mean"].any()


@pytest.mark.parametrize("network", ["listing3", "resnet20"])
def test_the_seed_decides(network: str) -> None:
    first, again, other = (initial_weights(network, seed) for seed in (1, 1, 2))
    assert all((first[name] == again[name]).all() for name in first)
    drawn = [name for name in first if name.endswith(".kernel")]
    assert not any((first[name] == other[name]).any() for name in drawn)


def test_no_two_layers_share_their_numbers() -> None:
    weights = initial_weights("resnet20", 0)
    starts = [value.ravel()[0].item() for n, value in weights.items() if n.endswith(".kernel")]
    assert len(set(starts)) == len(starts)


def test_an_unknown_network_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="listing2"):
        initial_weights("listing2", 0)
