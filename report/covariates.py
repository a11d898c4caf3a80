"""Which trials are discarded, and whether times may be divided by a calibration's.

Both are decided by limits set before any data are taken. A trial is discarded for what the machine
did to it, never for its times and without a look at its arm: whoever throws out slow trials finds
what he hopes for. Reports give the rate of each arm, because a rule that does not look at arms may
still meet one more often than another.
"""

from dataclasses import dataclass
from math import isfinite
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from report.decisions import EQUIVALENCE, Margin, equivalent
from report.statistics import paired_interval

STEAL_LIMIT = 0.10
"""Largest share of its processors' time that the host may have given to other guests. At a tenth
the wall time is a ninth longer, more than twice the margin of speed on a CPU."""
SWITCHES_LIMIT = 25.0
"""Involuntary context switches, a second and thread. Each one costs 4 ms or more where the rival
computes as well (measured on two shared cores: 4 to 11 ms), so 25 are a tenth of the time, as with
steal. There are fewer the longer each takes: of one thread 125 a second were measured where it got
half of its processor, 65 where it got a quarter. So they only say that there was a rival; how much
it took says the CPU time."""
BUSY_LEAST = 0.50
"""CPU seconds per wall second and thread, below which a trial that met a rival is discarded: it had
half of its processors or less. A machine that is always shared is what blocks are for; their error
rates held at a load of 3 to 4 on 2 cores. CPU time alone tells nothing: who waits for a GPU, or
computes on one thread of several, uses little of it on a silent machine too."""
BUSY_MOST = 1.05
"""CPU seconds per wall second and thread, above which a trial had more processors than it was
given: it was not bound to them. Two clocks are compared, hence the twentieth."""

DISTURBANCE = Margin(size=0.025, scale="ratio")
"""Largest ratio of two arms' calibrations that counts as none: half the margin of speed on a CPU,
so that what an arm does to its own calibration cannot make a verdict alone."""

Calibration = Literal["undisturbed", "disturbed", "not known"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Covariates:
    """What the machine did to a trial while it was timed. None is: not measured."""

    steal: float | None = None
    """Share of the time of the trial's processors that the host gave to others, 0 to 1."""
    switches: float | None = None
    """Involuntary context switches of the process, a second of wall time and thread."""
    busy: float | None = None
    """CPU seconds of the process, a second of wall time and thread; threads as given to it."""

    def __post_init__(self) -> None:
        for name in ("steal", "switches", "busy"):
            value = getattr(self, name)
            if value is not None and not (isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value}, not a finite number from 0 on")
        if self.steal is not None and self.steal > 1:
            raise ValueError(f"steal is {self.steal}, but a share is 1 at most")


def discarded(covariates: Covariates) -> str:
    """Why a trial is discarded, as a clause; empty if it is not.

    A value at its limit is within it. What was not measured discards nothing, so that systems that
    do not tell (no ``/proc/stat``) keep their trials.
    """
    steal, switches, busy = covariates.steal, covariates.switches, covariates.busy
    if steal is not None and steal > STEAL_LIMIT:
        return f"the host took {100 * steal:.3g}% of the time, more than {STEAL_LIMIT:.0%}"
    if busy is not None and busy > BUSY_MOST:
        return f"used {busy:.2f} CPU seconds a second and thread, so it was not bound"
    if switches is None or busy is None:
        return ""
    if switches > SWITCHES_LIMIT and busy < BUSY_LEAST:
        return (
            f"was pushed off its processors {switches:.0f} times a second and thread, and had "
            f"{busy:.0%} of them"
        )
    return ""


def judge_calibration(log_ratios: NDArray[np.float64]) -> Calibration:
    """Tell whether two arms left their calibrations alone, by one ratio per block.

    A calibration is a fixed piece of work timed beside each chunk; dividing by it cancels what the
    machine did, provided that the arm does not slow it down itself: by threads that spin, by
    caches it has filled, by clocks it has lowered. Random order makes the machine's share of
    ``log_ratios`` vary around zero. What remains is the arms' doing:

    - undisturbed: the interval lies within ``DISTURBANCE`` (two one-sided tests at 5% each);
    - disturbed: it lies beyond zero, and the estimate beyond ``DISTURBANCE``;
    - not known: neither, as with few blocks, whose interval is wide.

    Args:
        log_ratios: ``log(calibration beside Y / calibration beside X)``, of each block, ``[B]``.
            From each process' median. A machine that changes between the processes of a block
            widens the interval: of ratios that spread by 2%, 10 blocks nearly always suffice, by
            5% 60 do. If each is first divided by a calibration that the same process took before
            it imported a framework, much of that spread is gone.

    Raises ``ValueError`` if a ratio is NaN or infinite, or there is none.
    """
    interval = paired_interval(log_ratios, EQUIVALENCE)
    if equivalent(interval, DISTURBANCE):
        return "undisturbed"
    if interval.excludes(0.0) and abs(interval.estimate) > DISTURBANCE.limit:
        return "disturbed"
    return "not known"
