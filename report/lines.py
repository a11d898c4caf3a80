"""Straight lines through a few points: what is fixed, and what comes with each image."""

import numpy as np
from numpy.typing import NDArray


def line(
    sizes: NDArray[np.float64], values: NDArray[np.float64], *, relative: bool = False
) -> tuple[float, float]:
    """Fixed part and slope of the line that fits ``values`` ``[N]`` at ``sizes`` ``[N]``.

    By least squares; of ``values - (fixed + slope sizes)``, or of its share of the values where
    errors are ``relative`` (times of a step over two orders of magnitude). NaN for fewer than two
    different sizes. Raises ``ValueError`` if the lengths differ, or relative values are not
    positive.
    """
    if sizes.shape != values.shape:
        raise ValueError(f"{len(sizes)} sizes, but {len(values)} values")
    if relative and not (values > 0).all():
        raise ValueError("relative errors need positive values")
    if len(np.unique(sizes)) < 2:
        return float("nan"), float("nan")
    weights = 1 / values if relative else np.ones(len(values))
    # Sizes in their own scale: the two columns are then about as long, and nothing is lost.
    scale = float(sizes.max())
    design = np.stack([weights, weights * sizes / scale], axis=1)
    fixed, slope = np.linalg.lstsq(design, weights * values)[0]
    return float(fixed), float(slope) / scale
