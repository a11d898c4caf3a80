"""Did something become worse between two states? Judgements of what ``bench.regress`` measured.

A first round of pairs says where to look: wherever its ratio lies beyond the threshold, whatever
its interval. A second, of fresh pairs and judged by itself, decides: a cell is worse only where
there the whole interval, corrected for how many cells it has (Holm), lies beyond as well. In it
every cell meets itself: its threshold is never finer than twice what that interval spans.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import expm1, log1p
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError

from bench.comparison import COMPARISON, ITSELF, PROOF, Cell, Comparison, Round
from bench.errors import UserError
from bench.records import SCHEMA
from report.contrasts import SENTINEL_CONFIDENCE, Measure, pair
from report.covariance import adjusted, log_changes, slope
from report.decisions import MARGINS, Margin, equivalent, holm_confidences
from report.load import Run, load_run
from report.processes import Processes, described, find_steps
from report.statistics import EXACT_FROM, Interval, log_ratios, p_beyond, paired_interval, paired_p

MEMORY = 0.10
"""Share by which a process may become larger."""
FLOOR = 50e-6
"""Seconds per step: a difference below that is not worth a failure, whatever its share."""
LEVEL = 0.05

Floats = NDArray[np.float64]

Metric = Literal[
    "time per step",
    "host memory",
    "device memory",
    "accuracy",
    "compilations",
    "failures",
    "equivalence",
]
Outcome = Literal["worse", "not confirmed", "perhaps worse", "no difference", "better", "undecided"]
"""worse: for certain beyond the threshold in a second round, after a ratio beyond it in the first.
not confirmed: for certain in the first round only. perhaps worse: there is a difference, but not
for certain one beyond the threshold. undecided: none is shown, the interval is wider than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is said of one cell and metric."""

    cell: Cell
    metric: Metric
    outcome: Outcome
    reason: str
    """One clause."""
    pairs: int = 0
    """Of processes, in the first round."""
    base: float | None = None
    """Median of the processes: seconds per step, bytes, a share, a number."""
    head: float | None = None
    effect: Interval | None = None
    """At 95%, of the first round: log(head / base), or of accuracy what the head has less."""
    wall: Interval | None = None
    """Of time per step where adjusted CPU time decides: the same by wall time."""
    suspect: bool = False
    """The effect of the first round is beyond the threshold, if not for certain: measure again."""
    second: Interval | None = None
    """The effect in the second round, of what was measured again."""

    @property
    def fails(self) -> bool:
        """Whether it is a reason to fail."""
        return self.outcome == "worse"

    @property
    def warns(self) -> bool:
        """Whether it should be looked at."""
        return self.outcome in ("not confirmed", "perhaps worse")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentinel:
    """What a round made of the head against itself, in one cell."""

    cell: Cell
    round: int
    """From 1."""
    pairs: int
    """Of processes, that are left."""
    effect: Interval | None
    """log(head / head) at 95%; None where too few pairs are left for it."""
    apart: bool
    """The head was told from itself, at 99%."""

    @property
    def resolution(self) -> float | None:
        """Share to which the head was told from itself."""
        return None if self.effect is None else expm1(self.effect.half_width)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All of a comparison."""

    comparison: Comparison
    findings: tuple[Finding, ...]
    slopes: tuple[float | None, ...]
    """Of CPU time on calibration, by which times are adjusted, of each round; None where wall time
    decides."""
    sentinels: tuple[Sentinel, ...]
    """Of all rounds."""
    void: str
    """Why no time of the first round can be believed, as a clause; empty if they can."""
    to_confirm: tuple[Cell, ...]
    """Cells that are suspect in the only round there is."""

    @property
    def status(self) -> Literal["failed", "undecided", "passed"]:
        """What the run says in one word."""
        if any(finding.fails for finding in self.findings):
            return "failed"
        open_ends = any(finding.outcome == "undecided" for finding in self.findings)
        return "undecided" if self.void or open_ends or not self.findings else "passed"


@dataclass(frozen=True, kw_only=True, eq=False)
class _Side:
    """A state's records: what of each trial counts."""

    trials: pd.DataFrame
    """As ``report.processes.described`` has them, and ``host``, ``device_bytes``, ``accuracy`` and
    ``compilations``; rows are numbered so that both sides' differ."""
    processes: Processes


def judge(folder: Path) -> Judgement:
    """Judge the comparison in ``folder``, as far as it is measured. Raises ``UserError``."""
    comparison = load(folder)
    base = _side(load_run(folder / comparison.base_run), 0)
    head = _side(load_run(folder / comparison.head_run), len(base.trials))
    met = [_met(comparison, asked, base, head) for asked in comparison.rounds]
    sentinels = [
        [_sentinel(of, cell, number) for cell in of.asked.itself]
        for number, of in enumerate(met, start=1)
    ]
    first, *second = (
        _round(comparison, of, watched) for of, watched in zip(met, sentinels, strict=True)
    )
    findings = [
        *_unproven(folder / comparison.head_run, comparison),
        *(_final(found, second[0] if second else None) for found in first.values()),
        *_exact(comparison, base, head),
    ]
    cells = comparison.rounds[0].cells
    findings.sort(key=lambda finding: cells.index(finding.cell))
    return Judgement(
        comparison=comparison,
        findings=tuple(findings),
        slopes=tuple(of.slope for of in met),
        sentinels=tuple(chain.from_iterable(sentinels)),
        void=_void(comparison, sentinels[0]),
        to_confirm=()
        if second
        else tuple(dict.fromkeys(f.cell for f in first.values() if f.suspect)),
    )


def load(folder: Path) -> Comparison:
    """What is compared in ``folder``. Raises ``UserError``."""
    path = folder / COMPARISON
    try:
        found = _COMPARISON.validate_json(path.read_bytes())
    except OSError:
        raise UserError(f"{folder}: holds no comparison, it has no {COMPARISON}") from None
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise UserError(f"{path}: cannot be used (at {where})") from None
    if found is None or found.schema != SCHEMA or not found.rounds:
        raise UserError(f"{path}: of another version of the suite; judge it with that")
    return found


_COMPARISON: TypeAdapter[Comparison | None] = TypeAdapter(
    Comparison | None, config=ConfigDict(extra="forbid", strict=True)
)


def _side(run: Run, start: int) -> _Side:
    processes = find_steps(run)
    trials = described(run, processes)
    brief = run.results["regression"].reindex(trials.index)
    trials["host"] = trials["peak_host_bytes"].fillna(brief["peak_host_bytes"])
    trials["device_bytes"] = trials["peak_device_bytes"].fillna(brief["peak_device_bytes"])
    trials["accuracy"] = trials["final_test_accuracy"].fillna(brief["accuracy"])
    trials["compilations"] = brief["compilations"]
    return _Side(
        trials=trials.set_index(trials.index + start),
        processes={trial + start: process for trial, process in processes.items()},
    )


def _of(side: _Side, cell: Cell, label: str = "") -> pd.DataFrame:
    """A cell's trials that may be compared, whatever became of them."""
    trials = side.trials
    asked = (
        (trials["workload"] == cell.workload)
        & (trials["framework"] == cell.framework)
        & (trials["mode"] == cell.mode)
        & (trials["label"] == label)
        & trials["scenario"].isin(("regression", "training"))
    )
    return trials[asked]


def _in_round(trials: pd.DataFrame, asked: Round) -> pd.DataFrame:
    return trials[trials["block"].between(asked.first, asked.first + asked.pairs - 1)]


def _counting(trials: pd.DataFrame) -> pd.DataFrame:
    return trials[(trials["status"] == "ok") & (trials["discarded"] == "")]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Meeting:
    """What counts of the pairs of a cell."""

    wall: Measure
    changes: Floats | None
    """Of CPU time and calibration, ``[B, 2]``; None on a GPU and of several threads."""

    def times(self, fitted: float | None) -> Floats:
        """log(head / base) of CPU time, adjusted by the slope, or of wall time: ``[B]``."""
        if fitted is None or self.changes is None:
            return self.wall.differences
        return adjusted(self.changes, fitted)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Met:
    """A round as it was measured."""

    asked: Round
    pairs: Mapping[Cell, tuple[pd.DataFrame, pd.DataFrame]]
    """Trials of base and head, whatever became of them."""
    meetings: Mapping[Cell, _Meeting]
    itself: Mapping[Cell, _Meeting]
    """Of the head with itself."""

    @property
    def slope(self) -> float | None:
        """Of CPU time on calibration, in all that met; None where wall time decides."""
        every = [*self.meetings.values(), *self.itself.values()]
        changes = [of.changes for of in every if of.changes is not None]
        return slope(changes) if changes else None


def _met(comparison: Comparison, asked: Round, base: _Side, head: _Side) -> _Met:
    processes = {**base.processes, **head.processes}
    pairs = {
        cell: (_theirs(comparison, asked, base, cell), _in_round(_of(head, cell), asked))
        for cell in asked.cells
    }
    once, again = ITSELF
    twice = {
        cell: (_in_round(_of(head, cell, once), asked), _in_round(_of(head, cell, again), asked))
        for cell in asked.itself
    }
    return _Met(
        asked=asked,
        pairs=pairs,
        meetings={cell: met for cell, of in pairs.items() if (met := _meeting(*of, processes))},
        itself={cell: met for cell, of in twice.items() if (met := _meeting(*of, processes))},
    )


def _meeting(mine: pd.DataFrame, other: pd.DataFrame, processes: Processes) -> _Meeting | None:
    """Of two sets of trials; None if no pair of them counts."""
    first, second = _counting(mine), _counting(other)
    contrast = pair(first, second, processes) if len(first) and len(second) else None
    if contrast is None:
        return None
    if contrast.normalised is None or contrast.calibration == "several threads":
        return _Meeting(wall=contrast.wall, changes=None)
    both = zip(contrast.trials[::2], contrast.trials[1::2], strict=True)
    changes = log_changes([(processes[one], processes[two]) for one, two in both])
    return _Meeting(wall=contrast.wall, changes=changes)


def _sentinel(met: _Met, cell: Cell, number: int) -> Sentinel:
    meeting = met.itself.get(cell)
    times = meeting.times(met.slope) if meeting else np.empty(0)
    found = Sentinel(cell=cell, round=number, pairs=len(times), effect=None, apart=False)
    if len(times) < EXACT_FROM:
        return found
    return replace(
        found,
        effect=paired_interval(times),
        apart=paired_interval(times, SENTINEL_CONFIDENCE).excludes(0.0),
    )


def _void(comparison: Comparison, sentinels: Sequence[Sentinel]) -> str:
    """Why no time of a round can be believed.

    What makes the head differ from itself, and may do so by more than the threshold, may be all
    that makes it differ from the base. One in a hundred sentinels is told from itself by chance,
    most of those by less than that.
    """
    for of in sentinels:
        size = threshold(comparison, of)
        if of.effect is None or size is None or not of.apart:
            continue
        if not equivalent(of.effect, Margin(size=size, scale="ratio")):
            return "the run tells the head from itself, by more than the threshold perhaps"
    return ""


def threshold(comparison: Comparison, sentinel: Sentinel) -> float | None:
    """Share beyond which a step of the sentinel's cell is slower; None where it is not known."""
    if sentinel.effect is None:
        return None
    return max(comparison.threshold, expm1(2 * sentinel.effect.half_width))


Key = tuple[Cell, Metric]


def _round(comparison: Comparison, met: _Met, sentinels: Sequence[Sentinel]) -> dict[Key, Finding]:
    """Judge one round by itself, each metric as a family of its own."""
    cells, pairs = met.asked.cells, met.pairs
    limits = dict.fromkeys(cells, log1p(comparison.threshold))
    void = dict.fromkeys(cells, _void(comparison, sentinels))
    for of in sentinels:
        share = threshold(comparison, of)
        if share is not None:
            limits[of.cell] = log1p(share)
        else:
            void[of.cell] = f"of it against itself {_too_few(of.pairs)}"
    found: dict[Key, Finding] = {}
    fitted = met.slope
    times = {cell: meeting.times(fitted) for cell, meeting in met.meetings.items()}
    for cell, verdict in _family(times, limits).items():
        theirs, ours = pairs[cell]
        found[cell, "time per step"] = _timed(
            cell,
            verdict,
            None if fitted is None else met.meetings[cell].wall.interval(),
            _median(theirs, "step_seconds"),
            _median(ours, "step_seconds"),
            void[cell],
        )
    for cell in cells:
        if cell not in met.meetings and len(pairs[cell][1]):
            found[cell, "time per step"] = Finding(
                cell=cell,
                metric="time per step",
                outcome="undecided",
                reason="no pair of processes is left",
            )
    for metric, (column, limit, effect) in MEASURED.items():
        values = {cell: _paired(*of, column) for cell, of in pairs.items()}
        family = {cell: effect(*of) for cell, of in values.items() if len(of[0])}
        for cell, verdict in _family(family, dict.fromkeys(family, limit)).items():
            found[cell, metric] = Finding(
                cell=cell,
                metric=metric,
                outcome=verdict.outcome,
                reason=verdict.reason,
                pairs=verdict.effect.n,
                base=float(np.median(values[cell][0])),
                head=float(np.median(values[cell][1])),
                effect=verdict.effect,
                suspect=verdict.suspect,
            )
    return found


MEASURED: Mapping[Metric, tuple[str, float, Callable[[Floats, Floats], Floats]]] = {
    "host memory": ("host", log1p(MEMORY), log_ratios),
    "device memory": ("device_bytes", log1p(MEMORY), log_ratios),
    "accuracy": ("accuracy", MARGINS["accuracy", "cpu"].limit, lambda base, head: base - head),
}
"""Beside time: column, limit, and what is worse the larger it is, of base and head, ``[B]``."""


def _theirs(comparison: Comparison, asked: Round, base: _Side, cell: Cell) -> pd.DataFrame:
    """The base's trials of a round; stored ones serve for every round."""
    trials = _of(base, cell)
    if comparison.kind == "stored":
        return trials.assign(block=trials["block"] + asked.first)
    return _in_round(trials, asked)


def _paired(base: pd.DataFrame, head: pd.DataFrame, column: str) -> tuple[Floats, Floats]:
    """A column of both sides, ``[B]``, in the blocks that have both."""
    both = pd.concat(
        [of[of["status"] == "ok"].set_index("block")[column] for of in (base, head)],
        axis="columns",
        keys=("base", "head"),
    ).dropna()
    return both["base"].to_numpy(dtype=np.float64), both["head"].to_numpy(dtype=np.float64)


def _median(trials: pd.DataFrame, column: str) -> float | None:
    values = _counting(trials)[column].dropna()
    return float(values.median()) if len(values) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    outcome: Outcome
    reason: str
    effect: Interval
    suspect: bool


def _family(
    differences: Mapping[Cell, Floats], limits: Mapping[Cell, float]
) -> dict[Cell, _Verdict]:
    """Judge differences, each ``[B]``, that say the same of several cells; positive is worse."""
    if not differences:
        return {}
    beyond = holm_confidences(
        np.array(
            [
                p_beyond(row, paired_interval(row).estimate, limits[cell])
                for cell, row in differences.items()
            ]
        ),
        LEVEL,
    )
    apart = holm_confidences(np.array([paired_p(row) for row in differences.values()]), LEVEL)
    return {
        cell: _one(row, limits[cell], float(far), float(any_))
        for (cell, row), far, any_ in zip(differences.items(), beyond, apart, strict=True)
    }


def _one(row: Floats, limit: float, beyond: float, apart: float) -> _Verdict:
    effect = paired_interval(row)
    outcome: Outcome = "no difference"
    reason = "no difference is shown"
    if len(row) < EXACT_FROM:
        outcome, reason = "undecided", _too_few(len(row))
    elif paired_interval(row, beyond).low > limit:
        outcome, reason = "worse", "the whole interval lies beyond the threshold"
    elif paired_interval(row, apart).low > 0:
        outcome, reason = "perhaps worse", "a difference, but not for certain beyond the threshold"
    elif paired_interval(row, apart).high < 0:
        certain = paired_interval(row, beyond).high < -limit
        outcome = "better"
        reason = "the whole interval lies beyond the threshold" if certain else "a difference"
    elif effect.half_width > limit:
        outcome, reason = "undecided", "the interval is wider than the threshold"
    suspect = len(row) >= EXACT_FROM and effect.estimate > limit
    return _Verdict(outcome=outcome, reason=reason, effect=effect, suspect=suspect)


def _too_few(pairs: int) -> str:
    return f"{pairs} pairs are left, and {EXACT_FROM} are needed"


def _timed(
    cell: Cell,
    verdict: _Verdict,
    wall: Interval | None,
    base: float | None,
    head: float | None,
    void: str,
) -> Finding:
    outcome, reason = verdict.outcome, verdict.reason
    # By the ratio of pairs: medians of the two sides differ by the minutes they were measured in.
    small = base is not None and base * expm1(verdict.effect.estimate) < FLOOR
    if void:
        outcome, reason = "undecided", void
    elif small and outcome == "worse":
        outcome, reason = "perhaps worse", f"less than {FLOOR * 1e6:.0f} us per step"
    return Finding(
        cell=cell,
        metric="time per step",
        outcome=outcome,
        reason=reason,
        pairs=verdict.effect.n,
        base=base,
        head=head,
        effect=verdict.effect,
        wall=wall,
        suspect=verdict.suspect and not void and not small,
    )


def _final(first: Finding, second: Mapping[Key, Finding] | None) -> Finding:
    """What both rounds say together; nothing is worse that was measured only once."""
    if not first.suspect:
        return first
    again = second.get((first.cell, first.metric)) if second else None
    outcome: Outcome = again.outcome if again else "undecided"
    told = f"{again.outcome}, {again.reason}" if again else "missing"
    if first.outcome == "worse" and outcome != "worse":
        outcome = "not confirmed"
    return replace(
        first,
        outcome=outcome,
        reason=f"{first.outcome} in a first round; in a second: {told}",
        second=again.effect if again else None,
    )


def _exact(comparison: Comparison, base: _Side, head: _Side) -> Iterator[Finding]:
    """What is counted has no noise: any more is worse, of compilations and of failures."""
    for cell in comparison.rounds[0].cells:
        lost, failed = (of[of["status"] != "ok"] for of in (_of(base, cell), _of(head, cell)))
        if len(failed) > len(lost):
            yield Finding(
                cell=cell,
                metric="failures",
                outcome="worse",
                reason=f"{failed['status'].iloc[0]}: {failed['message'].iloc[0]}",
                base=len(lost),
                head=len(failed),
            )
        theirs, ours = (
            _counting(_of(side, cell))["compilations"].dropna() for side in (base, head)
        )
        if not len(theirs) or not len(ours):
            continue
        outcome: Outcome = "no difference"
        if ours.min() > theirs.max():
            outcome = "worse"
        elif ours.max() < theirs.min():
            outcome = "better"
        yield Finding(
            cell=cell,
            metric="compilations",
            outcome=outcome,
            reason="counted",
            pairs=min(len(theirs), len(ours)),
            base=float(theirs.median()),
            head=float(ours.median()),
        )


def _unproven(pairs: Path, comparison: Comparison) -> Iterator[Finding]:
    """Cells of the head that did not earn their certificate: nothing of them was timed."""
    path = pairs.parent / PROOF
    if not path.exists():
        return
    trials = load_run(path).trials
    for row in trials[trials["status"] != "ok"].itertuples():
        cell = Cell(workload=str(row.workload), framework=str(row.framework), mode=str(row.mode))
        if cell in comparison.rounds[0].cells:
            yield Finding(
                cell=cell,
                metric="equivalence",
                outcome="worse",
                reason=f"{row.status}: {row.message}",
            )
