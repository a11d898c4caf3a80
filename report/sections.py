"""Part a run's records into sections and make their tables.

Records that cannot be compared never meet. They are parted into sections, one for each data set,
amount of training, device, precision, thread count, machine and code; every table belongs to one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.records import Mistakes, Pipeline
from report.again import command
from report.convergence import Departure, departures
from report.load import Run
from report.material import Material
from report.processes import (
    Processes,
    described,
    find_in_turns,
    find_inference,
    find_processes,
)
from report.ratios import families
from report.tables import (
    ceiling,
    claims,
    comparison,
    compiling,
    course,
    energy,
    inference,
    memory,
    mistakes,
    pipeline,
    platforms,
    ratios,
    source,
    startup,
    sweep,
    threads,
)
from report.tables.columns import Table, rounded

SECTION_KEYS = (
    "dataset",
    "dataset_digest",
    "device",
    "precision",
    "threads",
    "allocator",
    "train_images",
    "test_images",
    "epochs",
    "system",
    "cpu",
    "cores",
    "memory_bytes",
    "gpu",
    "gpu_driver",
    "code_digest",
)
"""Columns of ``Run.trials`` in which all records of a section agree."""


_SPECIFICATION = (
    "workload",
    "network",
    "batch_size",
    "learning_rate",
    "momentum",
    "nesterov",
    "weight_decay",
    "schedule",
    "dropout",
    "augmentation",
)
"""Columns of ``Run.trials`` that say what a workload is."""


ORDINARY = (
    *("training", "inference", "startup", "sweep", "memory", "energy", "pipeline"),
    "mistakes",
)
"""Scenarios of these tables. Of the others one is for comparing two states of the code
(``report.regressions``), the rest measure the suite itself (``report.calibration``)."""

MOST_DISCARDED = 0.20
"""Share of the timed trials that may be discarded without a warning."""

TABLE_KEYS = (
    *(
        claims.KEY,
        claims.CONDITIONS_KEY,
        comparison.KEY,
        ratios.KEY,
        ratios.SENTINEL_KEY,
        ceiling.KEY,
        compiling.KEY,
    ),
    *(inference.KEY, startup.KEY, sweep.KEY, sweep.STEPS_KEY, memory.KEY),
    *(pipeline.KEY, energy.KEY),
    *(
        mistakes.KEY,
        platforms.KEY,
        source.KEY,
        course.UNFINISHED_KEY,
        threads.KEY,
        course.ENVIRONMENT_KEY,
        course.EPOCHS_KEY,
    ),
)
"""Of all tables of a section, in the order of reading."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Section:
    """Everything about records that may be compared with each other."""

    identity: Mapping[str, Any]
    """Value of each of ``SECTION_KEYS``; None where the records have none."""
    workloads: pd.DataFrame
    """Distinct values of ``_SPECIFICATION``: the workloads and how they are trained."""
    problems: tuple[str, ...]
    """What must be known before any number is read, such as why trials that ended well were left
    out; a line each."""
    notes: tuple[str, ...]
    """What is measured of the measuring: discarded and unsteady trials, the GPU's state."""
    again: str
    """The command that measures it anew; empty where nothing but the suite was measured."""
    compared: tuple[int, ...]
    """Rows of ``Run.trials`` that the comparison is from: steady training that counts."""
    repeats: tuple[int, int] | None
    """Fewest and most trials that a row of the comparison is from; None where it has no rows."""
    tables: tuple[Table, ...]
    """One for each of ``TABLE_KEYS``; some without rows."""

    def __getitem__(self, key: str) -> Table:
        """The table of that key. Raises ``KeyError`` if there is none."""
        return {table.key: table for table in self.tables}[key]

    @property
    def heading(self) -> str:
        """What all records of the section have in common, in one line."""
        of = self.identity
        kept = "" if of["allocator"] == "default" else f"allocator {of['allocator']}, "
        return (
            f"{of['dataset']} {of['dataset_digest'][:12]}, {of['device']}, {of['precision']}, "
            f"{count(of['threads'], 'thread')}, {kept}"
            f"{count(of['train_images'], 'training image')}, "
            f"{count(of['epochs'], 'epoch')}"
        )


def build_sections(run: Run) -> tuple[Section, ...]:
    """Part a run's records into sections and make their tables; none where nothing is recorded."""
    training = find_processes(run)
    trials = described(run, training)
    timed = find_in_turns(run, "mistakes", Mistakes)
    processes = {
        **training,
        **find_inference(run),
        **find_in_turns(run, "pipeline", Pipeline)["alone"],
        **timed["right"],
    }
    groups = trials.groupby(list(SECTION_KEYS), dropna=False, sort=True)
    return tuple(_section(group, run, processes, timed) for _, group in groups)


def count(number: int, noun: str) -> str:
    """A number of things, such as ``1 thread`` or ``2 threads``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Agreement:
    """Trials that agree in ``within`` must agree in ``on``, or none of them is compared."""

    complaint: str
    within: tuple[str, ...]
    on: tuple[str, ...]


_AGREEMENTS = (
    _Agreement(
        complaint="not the same training",
        within=("workload", "block"),
        on=("inputs",),
    ),
    _Agreement(
        complaint="not the same workload",
        within=("workload",),
        on=_SPECIFICATION[1:],
    ),
    _Agreement(
        complaint="not the same number of timed epochs",
        within=("workload",),
        on=("timed_epochs",),
    ),
    _Agreement(
        complaint="not the same software",
        within=("workload", "framework", "mode"),
        on=("python", "versions", "libraries"),
    ),
)


def _section(
    trials: pd.DataFrame, run: Run, processes: Processes, mistaken: Mapping[str, Processes]
) -> Section:
    """Make the section of ``trials``, which agree in ``SECTION_KEYS``."""
    first = trials.iloc[0]
    ordinary = trials[trials["scenario"].isin(ORDINARY)]
    ok = ordinary[ordinary["status"] == "ok"]
    disagreeing, problems = _disagreeing(ok)
    thrown = ok[ok["discarded"] != ""]
    counted = ok[~disagreeing & (ok["discarded"] == "")]
    departing = list(departures(counted[counted["scenario"] == "training"]))
    alike = counted[~counted["workload"].isin([found.workload for found in departing])]
    problems += [
        *map(_of_departure, departing),
        *_of_discarded(thrown, ok),
        *_of_threads(counted),
        *_of_gpu(trials),
    ]

    def of(frame: pd.DataFrame, scenario: str) -> pd.DataFrame:
        return frame[(frame["scenario"] == scenario) & (frame["label"] == "")]

    training = of(counted, "training")
    compared = comparison.table(of(ordinary, "training"), training, ceiling.best(training))
    problems += _of_ceiling(compared.rows)
    repeats = compared.rows["compared"]
    material = Material(
        device=first["device"],
        trials=ordinary,
        counted=alike,
        processes=processes,
        mistaken=mistaken,
    )
    # What checks their intervals is drawn from here on, while tables without are made.
    paired = families(material)
    of_scenarios = (
        ceiling.table(training),
        compiling.table(training),
        inference.table(of(counted, "inference"), run.results["inference"], run.chunks),
        startup.table(of(counted, "startup"), run.results["startup"]),
        *sweep.tables(of(counted, "sweep"), run.results["sweep"], run.chunks),
        memory.table(of(counted, "memory"), run.results["memory"]),
        pipeline.table(of(counted, "pipeline"), run.results["pipeline"], run.chunks),
        energy.table(of(ordinary, "energy"), of(counted, "energy"), run.results["energy"]),
    )
    return Section(
        identity={key: None if pd.isna(first[key]) else first[key] for key in SECTION_KEYS},
        workloads=trials[list(_SPECIFICATION)]
        .drop_duplicates()
        .sort_values(list(_SPECIFICATION), ignore_index=True),
        problems=tuple(problems),
        notes=tuple(_notes(trials, ok)),
        again=command(ordinary) if len(ordinary) else "",
        compared=tuple(training.index.tolist()),
        repeats=(int(repeats.min()), int(repeats.max())) if len(repeats) else None,
        tables=tuple(
            rounded(table)
            for table in (
                *claims.tables(material),
                compared,
                ratios.table(paired, material.device),
                ratios.sentinel(material),
                *of_scenarios,
                mistakes.table(material),
                platforms.table(frozenset(ordinary["framework"])),
                source.table(frozenset(ordinary["framework"])),
                course.unfinished(pd.concat([trials[trials["status"] != "ok"], thrown])),
                threads.table(training),
                course.environment(ok),
                course.epochs(training, run.epochs),
            )
        ),
    )


def _disagreeing(ok: pd.DataFrame) -> tuple["pd.Series[bool]", list[str]]:
    """Which trials are not comparable with others of theirs, and why, a line each."""
    disagreeing = pd.Series(data=False, index=ok.index)
    problems: list[str] = []
    for agreement in _AGREEMENTS:
        variants = ok.groupby(list(agreement.within))[list(agreement.on)].transform("nunique")
        differ = (variants > 1).any(axis="columns")
        problems += _complaints(agreement, ok[differ])
        disagreeing |= differ
    return disagreeing, problems


def _complaints(agreement: _Agreement, trials: pd.DataFrame) -> Iterator[str]:
    """One line for each group of ``trials``, which disagree, saying who has what."""
    for key, group in trials.groupby(list(agreement.within)):
        variants = []
        for values, members in group.groupby(list(agreement.on)):
            arms = ", ".join(sorted(set(members["framework"] + " " + members["mode"])))
            blocks = ", ".join(str(block) for block in sorted(set(members["block"])))
            at = "" if "block" in agreement.within else f" in block {blocks}"
            variants.append(f"{_named(agreement.on, values)} of {arms}{at}")
        yield (
            f"{agreement.complaint}: {_named(agreement.within, key)}: {'; '.join(variants)}. "
            f"These {len(group)} trials are left out of the comparison."
        )


def _named(names: Sequence[str], values: Sequence[object]) -> str:
    """Show the values of columns, digests shortened, such as ``workload listing1, block 0``."""
    texts = [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    return ", ".join(
        f"{name.replace('_', ' ')} {text[:12] if name == 'inputs' else text}"
        for name, text in zip(names, texts, strict=True)
    )


def _of_departure(found: Departure) -> str:
    points = 100 * found.interval.estimate
    return (
        f"{found.framework} {found.mode} ends {abs(points):.1f} points of accuracy "
        f"{'above' if points > 0 else 'below'} the other arms on {found.workload}, more than "
        "chance and the margin allow: something else is trained, and no speeds are compared there."
    )


def _of_discarded(thrown: pd.DataFrame, ok: pd.DataFrame) -> Iterator[str]:
    """A line if so many were discarded that the machine itself is the news."""
    timed = int(ok["busy"].notna().sum())
    if len(thrown) > MOST_DISCARDED * timed:
        yield (
            f"{len(thrown)} of {count(timed, 'timed trial')} were discarded for what the machine "
            "did to them: it is too busy with other things. Measure when it is not."
        )


def _of_threads(counted: pd.DataFrame) -> Iterator[str]:
    """A line for each arm that used more processors than it was given."""
    over = counted[threads.exceeding(counted)]
    for (framework, mode), group in over.groupby(["framework", "mode"]):
        yield (
            f"{framework} {mode} used up to {group['busy'].max():.2f} CPU seconds per second on "
            f"{count(int(group['threads'].iloc[0]), 'thread')}, in {count(len(group), 'trial')}."
        )


def _of_ceiling(rows: pd.DataFrame) -> Iterator[str]:
    """A line for each row of a comparison that is faster than it should be possible."""
    for row in rows[rows["ceiling_share_high"] > 1].itertuples():
        yield (
            f"{row.framework} {row.mode} reached {row.ceiling_share_high:.0%} of the ceiling on "
            f"{row.workload}: either the ceiling is too low, or steps were not waited for."
        )


def _of_gpu(trials: pd.DataFrame) -> Iterator[str]:
    """What the GPU's state says against the measurements."""
    throttled = trials[trials["throttled"] != ""]
    for reasons, group in throttled.groupby("throttled"):
        yield f"The GPU's clock was held down ({reasons}) at {count(len(group), 'trial')}."
    shared = trials[trials["processes_before"] > 0]
    if len(shared):
        yield f"Other processes computed on the GPU before {count(len(shared), 'trial')}."


def _notes(trials: pd.DataFrame, ok: pd.DataFrame) -> Iterator[str]:
    timed = ok[ok["busy"].notna()]
    if len(timed):
        thrown = timed[timed["discarded"] != ""]
        of = f"{len(thrown)} of {count(len(timed), 'timed trial')}"
        yield f"Discarded for what the machine did to them: {of}{_rates(thrown, timed)}."
    steady = ok[ok["steady"].notna() & (ok["discarded"] == "")]
    if len(steady):
        lost = steady[steady["steady"] == "no steady state"]
        of = f"{len(lost)} of {count(len(steady), 'trial')}"
        yield f"Without a steady state: {of}{_rates(lost, steady)}."
    clocks = trials[["clock_before", "clock_after"]].stack().dropna()
    celsius = trials[["celsius_before", "celsius_after"]].stack().dropna()
    if len(clocks) and len(celsius):
        yield (
            f"GPU before and after trials: {clocks.min():.0f} to {clocks.max():.0f} MHz, "
            f"{celsius.min():.0f} to {celsius.max():.0f} °C."
        )


def _rates(some: pd.DataFrame, of: pd.DataFrame) -> str:
    """How many of each arm that has any, in brackets: a blind rule may still meet one more."""
    totals, arms = (
        (trials["framework"] + " " + trials["mode"]).value_counts().to_dict()
        for trials in (of, some)
    )
    shares = [f"{arm} {number} of {totals[arm]}" for arm, number in sorted(arms.items())]
    return f" ({', '.join(shares)})" if shares else ""
