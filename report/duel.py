"""Our way of timing against pyperf's and pytest-benchmark's: what each makes of its own values.

Every tool compared the same arms with the same wall budget (``bench.duel``).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log, nan
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter
from scipy import stats

from bench.errors import UserError
from bench.rivals.record import RIVALS, STEPS, Arm, Session, Value
from report.statistics import Interval, log_ratios, paired_interval, rate

RESAMPLES = 999
SEED = 20261125

Floats = NDArray[np.float64]
Round = Mapping[Arm, Session]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to compare two arms: whose data, what estimate, and which rule of its own."""

    name: str
    tool: str
    rule: str
    estimate: Callable[[Session, Session], float]
    """``log(second / first)``."""
    differs: Callable[[Session, Session], bool]
    """Whether by its own rule the second is not like, or is slower than, the first."""


def _values(session: Session) -> Floats:
    return np.array([value.wall for process in session.processes for value in process])


def _ours(name: str, units: Callable[[Value], float]) -> Way:
    def found(first: Session, second: Session) -> Interval:
        arms = [
            [np.array([units(value) for value in process]) for process in of.processes]
            for of in (second, first)
        ]
        medians = [np.array([np.median(times) for times in arm]) for arm in arms]
        return paired_interval(-log_ratios(*medians))

    return Way(
        name=f"ours, {name}",
        tool="ours",
        rule="the interval at 95% excludes 0",
        estimate=lambda first, second: found(first, second).estimate,
        differs=lambda first, second: found(first, second).excludes(0.0),
    )


def _student(first: Session, second: Session) -> bool:
    """Whether pyperf says "significant": Student's t test of all values, pooled (``_utils.py``)."""
    return bool(stats.ttest_ind(_values(first), _values(second)).pvalue < 0.05)


def _pytest(statistic: Callable[[Floats], float], name: str) -> Way:
    def location(session: Session) -> float:
        runs = [np.array([value.wall for value in process]) for process in session.processes]
        return fmean(statistic(run) for run in runs)

    def estimate(first: Session, second: Session) -> float:
        return log(location(second) / location(first))

    return Way(
        name=f"pytest-benchmark, {name}",
        tool="pytest-benchmark",
        rule=f"compare-fail {name}:10%",
        estimate=estimate,
        differs=lambda first, second: estimate(first, second) > log(1.1),
    )


WAYS = (
    _ours("CPU over calibration", lambda value: (value.cpu or nan) / (value.calibration or nan)),
    _ours("wall", lambda value: value.wall),
    Way(
        name="pyperf",
        tool="pyperf",
        rule="significant",
        estimate=lambda first, second: log(_values(second).mean() / _values(first).mean()),
        differs=_student,
    ),
    _pytest(lambda run: float(run.mean()), "mean"),
    _pytest(lambda run: float(np.median(run)), "median"),
)
"""The first is what the others' spread is set against."""


def rows(sessions: Sequence[Session]) -> Iterator[tuple[str, ...]]:
    """One row for each way: its estimates' spread, and how often its own rule errs."""
    rounds: dict[int, dict[str, dict[Arm, Session]]] = defaultdict(lambda: defaultdict(dict))
    for session in sessions:
        rounds[session.round][session.tool][session.arm] = session
    tools = {way.tool for way in WAYS}
    whole = [
        of
        for _, of in sorted(rounds.items())
        if of.keys() >= tools and all(len(arms) == 3 for arms in of.values())
    ]
    if len(whole) < 2:
        return
    errors = {way.name: np.array([_errors(way, of[way.tool]) for of in whole]) for way in WAYS}
    first = errors[WAYS[0].name]
    for way in WAYS:
        used = [of[way.tool] for of in whole]
        own = errors[way.name]
        low, high = _ratio_limits(own, first)
        yield (
            way.name,
            str(len(whole)),
            f"{fmean(session.seconds for of in used for session in of.values()):.0f}",
            f"{fmean(len(session.processes) for of in used for session in of.values()):.1f}",
            f"{100 * _spread(own):.2f}",
            f"{_spread(own) / _spread(first):.2f} ({low:.2f}-{high:.2f})",
            way.rule,
            rate([way.differs(of["a"], of["b"]) for of in used]),
            rate([_finds(way, of) for of in used]),
        )


TITLES = (
    *("way", "rounds", "seconds per arm", "processes per arm", "sd of estimates (%)"),
    *("times ours", "own rule", "tells the same apart", "finds 5% more steps"),
)


def _finds(way: Way, of: Round) -> bool:
    return way.differs(of["a"], of["more"]) and way.estimate(of["a"], of["more"]) > 0


def _errors(way: Way, of: Round) -> tuple[float, float]:
    """Estimate less truth, of two arms that are the same, and of 5% more steps."""
    more = log(of["more"].steps / STEPS)
    return way.estimate(of["a"], of["b"]), way.estimate(of["a"], of["more"]) - more


def _spread(errors: Floats) -> float:
    """Root mean square of errors ``[R, 2]``: spread and bias in one, as a user meets them."""
    return float(np.sqrt((errors**2).mean()))


def _ratio_limits(errors: Floats, ours: Floats) -> tuple[float, float]:
    """Of the ratio of two spreads, by resampling rounds: the middle 95%."""
    generator = np.random.default_rng(SEED)
    ratios = []
    for _ in range(RESAMPLES):
        drawn = generator.integers(len(errors), size=len(errors))
        ratios.append(_spread(errors[drawn]) / _spread(ours[drawn]))
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(low), float(high)


def load(folder: Path) -> list[Session]:
    """What the tools measured, if they did. Raises ``UserError``."""
    path = folder / RIVALS
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            session = _SESSION.validate_json(line)
        except ValueError:
            session = None
        if session is None:
            raise UserError(f"{path} line {number}: not a session of a tool")
        found.append(session)
    return found


_SESSION: TypeAdapter[Session | None] = TypeAdapter(
    Session | None, config=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
)
