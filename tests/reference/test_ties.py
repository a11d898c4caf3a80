"""How near a tie is: by hand on a few values, and of every network that certificates are of."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from bench import certificate
from bench.prove import workloads
from bench.workloads import NETWORKS, Workload
from impls.reference.ties import from_equal, from_zero, main, room

ROUNDING = 5e-7
"""What float32 leaves between a layer's activations and the reference's, relative to their root
mean square; ``bench/spread.toml`` has up to 6e-7 for logits, to which all layers contribute."""

PUBLISHED = {
    workload.network: workload
    for name, workload in workloads("fp32", "cuda").items()
    if name != "listing3-unzeroed"
}


def test_every_network_is_looked_at() -> None:
    assert set(PUBLISHED) == set(NETWORKS) == set(certificate.SEEDS)


@pytest.mark.parametrize("workload", PUBLISHED.values(), ids=PUBLISHED)
def test_no_activation_of_a_certificate_is_next_to_a_tie(workload: Workload) -> None:
    assert room(workload) > ROUNDING


def test_the_room_is_that_of_every_step_in_which_updates_are_compared() -> None:
    # At this seed an activation of the last step is so near to zero that frameworks differed.
    near = room(PUBLISHED["listing3"], seed=1)
    assert near < ROUNDING / 10
    once = replace(
        PUBLISHED["listing3"],
        optimizer=replace(PUBLISHED["listing3"].optimizer, learning_rate=0.0),
    )
    assert room(once, seed=1) > near


def test_from_zero_is_the_smallest_value_by_the_root_mean_square() -> None:
    x = np.array([3.0, -0.5, 4.0, -5.0])
    assert from_zero(x) == pytest.approx(0.5 / np.sqrt((9 + 0.25 + 16 + 25) / 4))
    assert from_zero(7 * x) == pytest.approx(from_zero(x))
    assert from_zero(np.array([1.0, 0.0])) == 0


def test_from_equal_is_the_smallest_gap_below_a_maximum_that_a_relu_lets_through() -> None:
    windows = [[1.0, 2.0, 2.5, 0.0], [0.0, 0.0, 0.0, 0.0], [-1.0, -1.0, -2.0, -3.0]]
    x = np.array(windows).reshape(3, 2, 2, 1)
    assert from_equal(x, 2) == pytest.approx(0.5 / np.sqrt(np.mean(x * x)))
    assert from_equal(-np.ones((1, 2, 2, 1)), 2) == np.inf


def test_from_equal_looks_where_the_pooling_looks() -> None:
    x = np.arange(1.0, 10).reshape(1, 3, 3, 1)
    x[0, 2] = x[0, :, 2] = 100  # in no window
    assert from_equal(x, 2) == pytest.approx(1 / np.sqrt(np.mean(x * x)))


def test_the_search_prints_each_seed_that_is_better_than_all_before(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ties", "listing3", "5"])
    main()
    seeds = [int(line.split(":")[0]) for line in capsys.readouterr().out.splitlines()]
    rooms = [room(PUBLISHED["listing3"], seed) for seed in range(5)]
    assert seeds == [n for n in range(5) if rooms[n] > max(rooms[:n], default=0)]


@pytest.mark.parametrize("asked", [["listing2", "5"], ["listing3", "many"]])
def test_bad_input_to_the_search_is_told_in_a_line(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ties", *asked])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert asked[0 if asked[0] != "listing3" else 1] in capsys.readouterr().err
