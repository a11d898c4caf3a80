import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from report.lines import line

SIZES = st.lists(st.integers(1, 2048), min_size=2, max_size=8, unique=True)


@given(SIZES, st.floats(1e-4, 1.0), st.floats(1e-6, 1e-2), st.booleans())
def test_points_on_a_line_give_that_line(
    sizes: list[int], fixed: float, slope: float, relative: bool
) -> None:
    points = np.array(sizes, dtype=np.float64)
    found = line(points, fixed + slope * points, relative=relative)
    scale = fixed + slope * points.max()
    assert found[0] == pytest.approx(fixed, abs=1e-7 * scale * 2048)
    assert found[1] == pytest.approx(slope, abs=1e-7 * scale)


def test_relative_errors_let_small_sizes_count() -> None:
    """The large step is off by a tenth, which is many times what the small ones take."""
    sizes = np.array([8.0, 16.0, 32.0, 64.0, 1024.0])
    values = 0.001 + 0.0001 * sizes
    values[-1] *= 1.1
    fixed, _ = line(sizes, values)
    closer, _ = line(sizes, values, relative=True)
    assert abs(closer - 0.001) < abs(fixed - 0.001)


@pytest.mark.parametrize("sizes", [[], [8.0], [8.0, 8.0]])
def test_one_size_is_no_line(sizes: list[float]) -> None:
    assert np.isnan(line(np.array(sizes), np.ones(len(sizes)))).all()


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(ValueError, match="2 sizes, but 3 values"):
        line(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match="need positive values"):
        line(np.array([1.0, 2.0]), np.array([0.0, 1.0]), relative=True)
