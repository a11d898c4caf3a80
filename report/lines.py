"""Straight lines through a few points: what is fixed, and what comes with each image."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def line(
    sizes: NDArray[np.float64], values: NDArray[np.float64], *, relative: bool = False
) -> tuple[float, float]:
    """Fixed part and slope of the line that fits ``values`` ``[N]`` at ``sizes`` ``[N]``.

    As one of ``lines``; NaN where there are no points.
    """
    if len(sizes) == 0:
        return float("nan"), float("nan")
    ((fixed, slope),) = lines(np.zeros(len(sizes), np.intp), sizes, values, relative=relative)
    return float(fixed), float(slope)


def lines(
    groups: NDArray[np.integer[Any]],
    sizes: NDArray[np.float64],
    values: NDArray[np.float64],
    *,
    relative: bool = False,
) -> NDArray[np.float64]:
    """Fixed part and slope, ``[G, 2]``, of the line that fits ``values`` at ``sizes``, ``[N]``.

    There is one for each of the groups that the points are of, ``[N]``, which are numbered from 0
    and follow each other. By least squares; of ``values - (fixed + slope sizes)``, or of its share
    of the values where errors are ``relative`` (times of a step over two orders of magnitude). NaN
    for fewer than two different sizes. Raises ``ValueError`` if the lengths differ, or relative
    values are not positive.
    """
    if sizes.shape != values.shape:
        raise ValueError(f"{len(sizes)} sizes, but {len(values)} values")
    if relative and not (values > 0).all():
        raise ValueError("relative errors need positive values")
    weights = 1 / values**2 if relative else np.ones(len(values))
    total = np.bincount(groups, weights)
    # From the centre of the points on, or differences of large sums would lose their digits.
    centre = np.bincount(groups, weights * sizes) / total
    level = np.bincount(groups, weights * values) / total
    across, up = sizes - centre[groups], values - level[groups]
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    several = np.maximum.reduceat(sizes, starts) > np.minimum.reduceat(sizes, starts)
    slope = np.full(len(total), np.nan)
    np.divide(
        np.bincount(groups, weights * across * up),
        np.bincount(groups, weights * across**2),
        out=slope,
        where=several,
    )
    return np.stack([level - slope * centre, slope], axis=1)
