"""How good is the suite itself? Tables from the records of ``nox -s calibrate``.

``python -m report.calibration RUN [RUN...]`` judges comparisons whose truth is known with the
functions that judge real ones, and prints false alarms, power and coverage; what the harness
costs; how much of a run is timed work; and the spread and errors of pyperf and pytest-benchmark on
the same calls (``docs/calibration.md``).
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log, log1p
from pathlib import Path
from statistics import fmean, median
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.contract import Scenario
from bench.errors import UserError
from bench.records import (
    RECORDS,
    Calibration,
    Chunk,
    Example,
    Inference,
    Overhead,
    Record,
    Series,
    Sweep,
    Training,
)
from report import contrasts, duel
from report.bootstrap import resample_log_ratios
from report.decisions import MARGINS, Decision, Evidence, verdict
from report.parse import parse_record
from report.statistics import Interval, paired_interval, rate
from report.text import plain

BLOCKS = 12
"""Of a comparison, as large as a careful user would make it."""
RELABELLINGS = 1_000
RESAMPLES = 999
"""Fewer than for a report, for time."""
SEED = 20261125
ALLOWED_OVERHEAD = 1.01

Floats = NDArray[np.float64]
Measure = Literal["wall", "CPU over calibration"]
MEASURES: tuple[Measure, ...] = ("CPU over calibration", "wall")


class Cell(NamedTuple):
    """What was held against itself."""

    workload: str
    framework: str
    mode: str
    batch_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process' chunks of one cell, by the share of steps planted."""

    seconds: float
    """Wall time of the whole process."""
    timed: float
    """Of which all its chunks took."""
    series: Mapping[float, Series]

    def times(self, planted: float, measure: Measure) -> Floats:
        """Time per counted step of each chunk, ``[K]``."""
        return per_step(self.series[planted].chunks, measure)

    def minutes(self, planted: float) -> float:
        """What it would have taken to measure this series alone."""
        own = sum(chunk.wall for chunk in self.series[planted].chunks)
        return (self.seconds - self.timed + own) / 60


Block = tuple[Process, Process]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One comparison whose truth is known, as the suite judges it."""

    truth: float
    """Of the log ratio: the first arm is slower by what was planted into it."""
    interval: Interval
    decision: Decision
    spread: float
    """Standard deviation of the blocks' log ratios."""
    minutes: float

    @property
    def found(self) -> bool:
        """Whether the interval lies on the side of the truth."""
        return self.interval.high < 0

    @property
    def alarm(self) -> bool:
        """Whether the interval excludes that nothing differs."""
        return self.interval.excludes(0.0)

    @property
    def covers(self) -> bool:
        """Whether the interval holds the truth."""
        return not self.interval.excludes(self.truth)


def per_step(chunks: Sequence[Chunk], measure: Measure) -> Floats:
    """Time of a step in each chunk, ``[K]``: seconds, or in units of the calibration kernel."""
    if measure == "wall":
        return np.array([chunk.wall / chunk.steps for chunk in chunks])
    return np.array([chunk.cpu / chunk.calibration / chunk.steps for chunk in chunks])


def compare(arm: Sequence[Floats], other: Sequence[Floats]) -> tuple[Interval, Decision, float]:
    """Interval, verdict and spread of ``log(other / arm)``, as for the speeds of a report."""
    pair = contrasts.Measure.of(arm, other)
    check = resample_log_ratios(pair.arm, pair.other, np.random.default_rng(SEED), RESAMPLES)
    primary = Evidence(superiority=pair.interval(0.95), equivalence=pair.interval(0.90))
    spread = float(np.std(pair.differences, ddof=1))
    found = verdict(
        primary,
        Evidence(superiority=check.interval(0.95), equivalence=check.interval(0.90)),
        margin=MARGINS["speed", "cpu"],
        spread=spread,
    )
    return primary.superiority, found.decision, spread


def judge(blocks: Sequence[Block], planted: float, measure: Measure) -> Judged:
    """Hold the second process of each block, with ``planted``, against the first without."""
    interval, decision, spread = compare(
        [second.times(planted, measure) for _, second in blocks],
        [first.times(0.0, measure) for first, _ in blocks],
    )
    return Judged(
        truth=-log1p(planted),
        interval=interval,
        decision=decision,
        spread=spread,
        minutes=sum(first.minutes(0.0) + second.minutes(planted) for first, second in blocks),
    )


def cells(records: Sequence[Record]) -> dict[Cell, list[Block]]:
    """Blocks of two processes, in order, by what was measured in them."""
    found: dict[Cell, dict[int, dict[str, Process]]] = defaultdict(lambda: defaultdict(dict))
    for record in records:
        if record.measurement is None or not isinstance(record.measurement.result, Calibration):
            continue
        result, trial = record.measurement.result, record.trial
        timed = sum(chunk.wall for series in result.series for chunk in series.chunks)
        sizes: dict[int, dict[float, Series]] = defaultdict(dict)
        for series in result.series:
            sizes[series.batch_size][series.planted / series.counted] = series
        for size, of_size in sizes.items():
            cell = Cell(trial.workload.name, trial.framework, trial.mode, size)
            found[cell][trial.block][trial.label] = Process(
                seconds=record.seconds, timed=timed, series=of_size
            )
    return {
        cell: [
            (pair["a"], pair["b"])
            for _, pair in sorted(blocks.items())
            if pair.keys() >= {"a", "b"}
        ]
        for cell, blocks in sorted(found.items())
    }


def disjoint(blocks: Sequence[Block]) -> list[Sequence[Block]]:
    """Groups of ``BLOCKS`` that share no process; what is left over is left out."""
    return [blocks[start : start + BLOCKS] for start in range(0, len(blocks) - BLOCKS + 1, BLOCKS)]


def relabelled(blocks: Sequence[Block], generator: np.random.Generator) -> list[Block]:
    """``BLOCKS`` of them at random, in each of which the labels are dealt anew."""
    chosen = generator.choice(len(blocks), BLOCKS, replace=False)
    swapped = generator.random(BLOCKS) < 0.5
    return [
        blocks[place][::-1] if swap else blocks[place]
        for place, swap in zip(chosen, swapped, strict=True)
    ]


def comparisons(
    of: Mapping[Cell, Sequence[Block]], planted: float, measure: Measure
) -> tuple[list[Judged], list[Judged]]:
    """Those of processes as they were run, and those of relabelled ones."""
    real = [judge(group, planted, measure) for blocks in of.values() for group in disjoint(blocks)]
    enough = [blocks for blocks in of.values() if len(blocks) >= BLOCKS]
    generator = np.random.default_rng(SEED)
    again = [
        judge(relabelled(enough[number % len(enough)], generator), planted, measure)
        for number in range(RELABELLINGS if enough else 0)
    ]
    return real, again


def error_rows(of: Mapping[Cell, Sequence[Block]]) -> Iterator[tuple[str, ...]]:
    """One row for each measure, slow-down and way of dealing labels, and for all slow-downs."""
    shares = sorted({share for blocks in of.values() for one, _ in blocks for share in one.series})
    for measure in MEASURES:
        covered: dict[str, list[bool]] = defaultdict(list)
        for planted in shares:
            for name, judged in zip(
                ("as run", "relabelled"), comparisons(of, planted, measure), strict=True
            ):
                if not judged:
                    continue
                covered[name] += [one.covers for one in judged]
                right = [one.alarm if planted == 0 else one.found for one in judged]
                estimates = np.array([one.interval.estimate - one.truth for one in judged])
                yield (
                    measure,
                    f"{planted:.1%}",
                    name,
                    str(len(judged)),
                    rate(right),
                    *(
                        rate([one.decision == decision for one in judged])
                        for decision in ("faster", "slower", "equal within the margin")
                    ),
                    rate([one.covers for one in judged]),
                    f"{100 * estimates.mean():+.2f}",
                    f"{100 * estimates.std(ddof=1):.2f}" if len(estimates) > 1 else "",
                    f"{100 * median(one.interval.half_width for one in judged):.2f}",
                    f"{100 * median(one.spread for one in judged):.2f}",
                    f"{fmean(one.minutes for one in judged):.1f}",
                )
        for name, all_of_them in covered.items():
            head = (measure, "all", name, str(len(all_of_them)), "", "", "", "", rate(all_of_them))
            yield (*head, *("",) * (len(ERROR_TITLES) - len(head)))


ERROR_TITLES = (
    *("measure", "planted", "labels", "comparisons", "interval excludes 0"),
    *("says faster", "says slower", "says equal", "covers the truth"),
    *("bias (%)", "sd of estimates (%)", "half width (%)", "sd of a block (%)", "minutes"),
)


def correlation(of: Mapping[Cell, Sequence[Block]], measure: Measure) -> str:
    """Mean correlation of the blocks' log ratios between cells of the same processes.

    Near 0, cells count as comparisons of their own. Unknown for one cell or too few blocks.
    """
    rows = []
    for blocks in of.values():
        values = [
            log(np.median(first.times(0.0, measure)) / np.median(second.times(0.0, measure)))
            for first, second in blocks
        ]
        rows.append(values)
    if len(rows) < 2 or len({len(row) for row in rows}) > 1 or len(rows[0]) < 3:
        return "unknown"
    matrix = np.corrcoef(np.array(rows))
    return f"{matrix[np.triu_indices(len(rows), 1)].mean():.2f}"


InTurns = tuple[Sequence[Chunk], Sequence[Chunk]]
"""Of one process: chunks of the trainer, and as many of what it was run in turns with."""


def overhead_rows(records: Sequence[Record]) -> Iterator[tuple[str, ...]]:
    """One row for each workload, framework and mode: the trainer's time over the bare loop's."""
    for row, (cpu, _) in _in_turns(records, "overhead"):
        yield (*row, "yes" if cpu.estimate <= ALLOWED_OVERHEAD else "no")


OVERHEAD_TITLES = ("workload", "framework", "mode", "blocks", *MEASURES, "at most 1.01")


def example_rows(records: Sequence[Record]) -> Iterator[tuple[str, ...]]:
    """The same over the loop of the framework's own example; by wall time, what waits included."""
    for row, (_, wall) in _in_turns(records, "example"):
        said = "faster" if wall.high < 1 else "slower" if wall.low > 1 else "not told apart"
        yield (*row, said)


EXAMPLE_TITLES = ("workload", "framework", "mode", "blocks", *MEASURES, "by wall time")


def _in_turns(
    records: Sequence[Record], scenario: Scenario
) -> Iterator[tuple[tuple[str, ...], list[Interval]]]:
    """Of each workload, framework and mode: cells of its row, and its interval by each measure."""
    arms: dict[tuple[str, str, str], list[InTurns]] = defaultdict(list)
    for record in records:
        trial = record.trial
        if record.measurement is None or trial.scenario != scenario:
            continue
        match record.measurement.result:
            case Overhead(trainer=own, bare=other) | Example(trainer=own, example=other):
                arms[trial.workload.name, trial.framework, trial.mode].append((own, other))
    for arm, processes in sorted(arms.items()):
        intervals = [relative(processes, measure) for measure in MEASURES]
        shown = (f"{of.estimate:.4f} ({of.low:.4f} to {of.high:.4f})" for of in intervals)
        yield (*arm, str(len(processes)), *shown), intervals


def relative(processes: Sequence[InTurns], measure: Measure) -> Interval:
    """Time of the trainer over the other's: each process' median pair, of these the interval."""
    medians = [
        np.median(np.log(per_step(own, measure) / per_step(other, measure)))
        for own, other in processes
    ]
    return paired_interval(np.array(medians, dtype=np.float64), 0.95).as_ratio()


def duty_rows(run: str, records: Sequence[Record]) -> Iterator[tuple[str, ...]]:
    """One row for each scenario of a run, and one for all of it."""
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.trial.scenario].append(record)
    for scenario, group in sorted(groups.items()):
        whole = sum(record.seconds for record in group)
        work = sum(timed_seconds(record) for record in group)
        yield run, scenario, str(len(group)), f"{whole / 60:.1f}", f"{work / whole:.1%}"
    if groups:
        starts = [datetime.fromisoformat(record.started) for record in records]
        last = max(range(len(records)), key=starts.__getitem__)
        elapsed = (starts[last] - min(starts)).total_seconds() + records[last].seconds
        work = sum(map(timed_seconds, records))
        yield (
            *(run, "all, first start to last end", str(len(records))),
            *(f"{elapsed / 60:.1f}", f"{work / elapsed:.1%}"),
        )


DUTY_TITLES = ("run", "scenario", "trials", "minutes", "of it timed")


def timed_seconds(record: Record) -> float:
    """Wall time of what a record keeps the time of."""
    if record.measurement is None:
        return 0.0
    chunks: Sequence[Chunk] = ()
    more = 0.0
    match record.measurement.result:
        case Calibration(series=series):
            chunks = [chunk for of in series for chunk in of.chunks]
        case Overhead(trainer=own, bare=other) | Example(trainer=own, example=other):
            chunks = [*own, *other]
        case Training(steady=steady, epochs=epochs):
            chunks = [*steady.chunks, *steady.doubled]
            more = sum(epoch.seconds for epoch in epochs)
        case Inference(latencies=latencies, chunks=chunks):
            more = sum(latencies)
        case Sweep(rungs=rungs):
            chunks = [chunk for rung in rungs for chunk in rung.chunks]
        case _:
            pass
    return more + sum(chunk.wall for chunk in chunks)


def load_records(folder: Path) -> list[Record]:
    """All records of a run, in order. Raises ``UserError``."""
    path = folder / RECORDS
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(parse_record(line))
        except ValueError as error:
            raise UserError(f"{path} line {number}: {error}") from None
    return found


def page(runs: Sequence[Path]) -> str:
    """Everything that the runs say, as Markdown. Raises ``UserError``."""
    records = {plain(run.resolve().name): load_records(run) for run in runs}
    every = [record for of in records.values() for record in of]
    if len(allocators := {record.trial.allocator for record in every}) > 1:
        raise UserError(f"runs differ in --allocator ({', '.join(sorted(allocators))})")
    sessions = [duel.load(run) for run in runs]
    of = cells(every)
    parts = [
        "# The suite, measured by itself",
        "",
        "How it was made and how to read it: `docs/calibration.md`.",
        *_machines(every),
    ]
    if any(len(blocks) >= BLOCKS for blocks in of.values()):
        correlated = " and ".join(f"{correlation(of, name)} ({name})" for name in MEASURES)
        parts += [
            "## False alarms, power and coverage",
            "",
            f"Comparisons of {BLOCKS} blocks of two identical processes, the second with more",
            "steps in a chunk, as planted. In brackets Clopper-Pearson intervals at 95%.",
            "Comparisons `as run` share no process but between cells (images per step), whose log",
            f"ratios correlate by {correlated}. `Relabelled` ones are",
            f"drawn from the same data {RELABELLINGS:,} times: their intervals",
            "tell what the method does with these data, not what it would with others.",
            "",
            *table(ERROR_TITLES, error_rows(of)),
            "",
        ]
    for heading, titles, rows in (
        (
            "Overhead: the trainer's step over that of a bare loop",
            OVERHEAD_TITLES,
            overhead_rows(every),
        ),
        (
            "Examples: the trainer's step over that of the framework's own example",
            EXAMPLE_TITLES,
            example_rows(every),
        ),
        (
            "Duty cycle",
            DUTY_TITLES,
            (row for run, held in records.items() for row in duty_rows(run, held)),
        ),
        (
            "Against pyperf and pytest-benchmark, at equal wall budget",
            duel.TITLES,
            (row for held in sessions for row in duel.rows(held)),
        ),
    ):
        if filled := list(rows):
            parts += [f"## {heading}", "", *table(titles, iter(filled)), ""]
    return "\n".join(parts)


def _machines(records: Sequence[Record]) -> list[str]:
    """Where this was measured, a line each."""
    seen = dict.fromkeys(
        (
            *(record.machine.cpu, record.machine.cores, record.machine.system),
            *(record.code.digest, record.trial.allocator),
        )
        for record in records
    )
    failed = sum(record.status != "ok" for record in records)
    lines = [
        f"- {plain(cpu)}, {cores} processors, {plain(system)}; suite {plain(digest)[:12]}; "
        f"allocator: {allocator}"
        for cpu, cores, system, digest, allocator in seen
    ]
    return [*lines, f"- {len(records)} trials, of which {failed} failed", ""]


def table(titles: Sequence[str], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    """Lines of a Markdown table."""
    yield f"| {' | '.join(titles)} |"
    yield f"|{' --- |' * len(titles)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or print it; return 2 if there was an error, else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m report.calibration",
        description="Tell how good the suite is from runs of `nox -s calibrate`.",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there, do not print")
    options = parser.parse_args(arguments)
    try:
        text = page(options.runs)
    except UserError as error:
        print(f"error: {plain(str(error))}", file=sys.stderr)
        return 2
    if options.output is None:
        print(text, end="")
    else:
        options.output.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
