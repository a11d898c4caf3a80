"""Analysis of covariance: how much of a difference between two processes the calibration explains.

A machine that runs its calibration kernel half as fast does not train half as fast: it waits for
memory and computes in another proportion, which is another on every processor. So between two
states of the same code a pair's difference is adjusted by a slope that is fitted, not by all of
it: of ``log`` CPU time on ``log`` calibration, both head less base. One slope for all cells that
were measured together, each with a mean of its own (Cochran, Analysis of Covariance: Its Nature
and Uses, Biometrics 13, 1957): a cell's own difference, and what an arm does to its own
calibration, have no part in it.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from report.processes import Process

Floats = NDArray[np.float64]


def log_changes(pairs: Sequence[tuple[Process, Process]]) -> Floats:
    """How CPU time per step and calibration differ in each of ``B`` pairs: ``[B, 2]``.

    ``log(second / first)``; a process counts once, by the geometric mean of its chunks,
    all of which are positive.
    """
    return np.array([_levels(second) - _levels(first) for first, second in pairs])


def slope(cells: Iterable[Floats]) -> float:
    """Of CPU time on calibration within ``cells``, each ``[B, 2]``; from 0 to 1.

    0 is CPU time alone, 1 is CPU time over calibration: also where nothing can be told, because
    all calibrations differ alike.
    """
    centred = np.concatenate([cell - cell.mean(axis=0) for cell in cells])
    cpu, calibration = centred.T
    explained = float(calibration @ calibration)
    return float(np.clip(cpu @ calibration / explained, 0, 1)) if explained > 0 else 1.0


def adjusted(changes: Floats, slope: float) -> Floats:
    """What is left of each difference of CPU time, ``[B]``."""
    left: Floats = changes[:, 0] - slope * changes[:, 1]
    return left


def _levels(process: Process) -> Floats:
    level: Floats = np.log([process.cpu, process.calibration]).mean(axis=1)
    return level
