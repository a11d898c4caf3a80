"""What the calibration explains of the differences of pairs, where the truth is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from report.covariance import adjusted, log_changes, slope
from report.processes import Process
from report.statistics import paired_interval

Floats = NDArray[np.float64]


def process(cpu: list[float], calibration: list[float]) -> Process:
    return Process(
        kind="flat",
        wall=np.array(cpu),
        cpu=np.array(cpu),
        calibration=np.array(calibration),
        before=1.0,
    )


def drawn(seed: int, *, of: float, pairs: int = 12, noise: float = 0.01) -> Floats:
    """Changes of pairs whose CPU time follows the calibration to the power ``of``."""
    random = np.random.default_rng(seed)
    calibration = random.normal(0, 0.2, pairs)
    return np.stack([of * calibration + random.normal(0, noise, pairs), calibration], axis=1)


def test_a_change_is_of_the_means_of_the_chunks_logarithms() -> None:
    first = process([1.0, 2.0, 4.0], [1.0, 1.0, 1.0])
    second = process([4.0, 8.0], [2.0, 8.0])
    (change,) = log_changes([(first, second)])
    assert change == pytest.approx([np.log(np.sqrt(4 * 8) / 2), np.log(4)])


@pytest.mark.parametrize("truth", [0.0, 0.4, 1.0])
def test_the_slope_is_found_and_what_it_explains_is_gone(truth: float) -> None:
    cells = [drawn(seed, of=truth) for seed in range(5)]
    found = slope(cells)
    assert found == pytest.approx(truth, abs=0.03)
    for cell in cells:
        assert np.std(adjusted(cell, found)) < 0.02


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_what_a_cell_does_to_its_time_or_its_calibration_has_no_part_in_it(
    slower: float, disturbed: float
) -> None:
    cells = [drawn(seed, of=0.4) for seed in range(3)]
    moved = cells[0] + [slower, disturbed]
    assert slope([moved, *cells[1:]]) == pytest.approx(slope(cells), abs=1e-9)
    difference = adjusted(moved, 0.4) - adjusted(cells[0], 0.4)
    assert difference == pytest.approx(np.full(12, slower - 0.4 * disturbed), abs=1e-9)


def test_it_is_between_cpu_time_alone_and_cpu_time_over_calibration() -> None:
    assert slope([drawn(0, of=-2.0)]) == 0
    assert slope([drawn(0, of=2.0)]) == 1
    alike = np.array([[0.3, 0.1], [0.1, 0.1]])
    assert slope([alike]) == 1


def test_which_side_of_every_pair_is_called_the_head_does_not_matter() -> None:
    cells = [drawn(seed, of=0.6) for seed in range(3)]
    assert slope([-cell for cell in cells]) == pytest.approx(slope(cells))


@pytest.mark.parametrize("pairs", [8, 12])
def test_intervals_of_what_is_adjusted_hold_as_often_as_they_say(pairs: int) -> None:
    """Also of a second round, a cell and its sentinel: that the slope is fitted costs little."""
    random = np.random.default_rng(4)
    missed = []
    for _ in range(1000):
        calibration = random.normal(0, 0.2, (2, pairs))
        cpu = 0.5 * calibration + 0.05 * random.standard_t(4, (2, pairs))
        cells = np.stack([cpu, calibration], axis=2)
        fitted = slope(cells)
        missed += [paired_interval(adjusted(cell, fitted)).excludes(0.0) for cell in cells]
    print(f"{pairs} pairs: {np.mean(missed):.1%} of the intervals at 95% leave the truth out")
    assert 0.02 < np.mean(missed) < 0.06
