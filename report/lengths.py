"""Many short series at once: NumPy takes as long for one of them as for hundreds."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def of_a_length(
    series: Sequence[Sequence[float] | NDArray[np.float64]],
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
    """Series of one length each time, ``[N, length]``, and their places; none of empty ones."""
    lengths = np.array(list(map(len, series)), dtype=np.int64)
    for length in np.unique(lengths[lengths > 0]):
        places = np.flatnonzero(lengths == length)
        same: list[ArrayLike] = [series[place] for place in places.tolist()]
        yield places, np.array(same, dtype=np.float64)
