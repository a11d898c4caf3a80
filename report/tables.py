"""Arrange a run's records as tables: data with columns that know how they are shown.

Records that cannot be compared never meet. They are parted into sections, one for each data set,
amount of training, device, precision, thread count, machine and code; every table belongs to one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from report.decisions import MINIMUM_BLOCKS
from report.load import Run
from report.ratios import speed_ratios
from report.statistics import summarise

SECTION_KEYS = (
    "dataset",
    "dataset_digest",
    "device",
    "precision",
    "threads",
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


Cell = tuple[str, str]
"""What a cell says, and what stands behind it in brackets or below it; the second may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column as shown; it may be made from several columns of the table's rows."""

    keys: tuple[str, ...]
    """Columns of the rows, in base units: seconds, bytes, shares of one."""
    title: str
    show: Callable[..., Cell]
    """Makes a cell from the values of ``keys``, in order."""
    unit: str = ""
    """The unit that ``show`` gives."""
    better: Literal["higher", "lower"] | None = None
    page_only: bool = False
    """Left out on a terminal, which is narrow."""
    meaning: str = ""
    """For the reader who did not write the benchmark; empty where the title says it all."""

    @property
    def heading(self) -> str:
        """Title and unit, with an arrow towards the better side."""
        unit = f" ({self.unit})" if self.unit else ""
        arrow = {"higher": " ↑", "lower": " ↓", None: ""}[self.better]
        return f"{self.title}{unit}{arrow}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """Rows of numbers and texts, and how to show them."""

    key: str
    """Fit to be part of a file's name."""
    title: str
    columns: tuple[Column, ...]
    rows: pd.DataFrame
    """In full precision and base units; has every key of every column."""

    @property
    def shown(self) -> tuple[Column, ...]:
        """The columns that hold something: device memory, say, is for devices that have it."""
        return tuple(
            column for column in self.columns if self.rows[column.keys[0]].notna().to_numpy().any()
        )

    def cells(self, columns: Sequence[Column]) -> Iterator[tuple[Cell, ...]]:
        """Rows as shown, one cell for each of ``columns``."""
        return zip(
            *(
                [
                    column.show(*values)
                    for values in zip(*(self.rows[key] for key in column.keys), strict=True)
                ]
                for column in columns
            ),
            strict=True,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Section:
    """Everything about records that may be compared with each other."""

    identity: Mapping[str, Any]
    """Value of each of ``SECTION_KEYS``; None where the records have none."""
    workloads: pd.DataFrame
    """Distinct values of ``_SPECIFICATION``: the workloads and how they are trained."""
    problems: tuple[str, ...]
    """Why trials that ended well were left out of the comparison and the epochs, a line each."""
    comparison: Table
    ratios: Table
    unfinished: Table
    environment: Table
    epochs: Table

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables, in the order of reading."""
        return (self.comparison, self.ratios, self.unfinished, self.environment, self.epochs)

    @property
    def heading(self) -> str:
        """What all records of the section have in common, in one line."""
        of = self.identity
        return (
            f"{of['dataset']} {of['dataset_digest'][:12]}, {of['device']}, {of['precision']}, "
            f"{_count(of['threads'], 'thread')}, {_count(of['train_images'], 'training image')}, "
            f"{_count(of['epochs'], 'epoch')}"
        )


def build_sections(run: Run) -> tuple[Section, ...]:
    """Part a run's records into sections and make their tables; none where nothing is recorded."""
    groups = run.trials.groupby(list(SECTION_KEYS), dropna=False, sort=True)
    return tuple(_section(trials, run.epochs) for _, trials in groups)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _text(value: str | float | None) -> Cell:
    return ("-" if pd.isna(value) else str(value), "")


def _digits(value: float) -> str:
    """Three significant digits from 1 on, two below, and all digits before the point."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:#.2g}"


def _ranged(factor: float = 1, digits: Callable[[float], str] = _digits) -> Callable[..., Cell]:
    """Make a formatter of medians times ``factor`` that adds their range where it shows."""

    def show(median: float, low: float, high: float) -> Cell:
        if np.isnan(median):
            return ("-", "")
        lowest, highest = digits(factor * low), digits(factor * high)
        return (digits(factor * median), "" if lowest == highest else f"{lowest}-{highest}")

    return show


def _limits(low: float, high: float) -> str:
    """An interval's limits; none where it is unbounded, as of one block."""
    if low == 0 or np.isinf(high):
        return "no interval"
    return f"{low:.2f} to {high:.2f}"


def _with_range(key: str) -> tuple[str, str, str]:
    return (key, f"{key}_low", f"{key}_high")


_MIB = _ranged(2.0**-20, "{:.0f}".format)
_PERCENT = _ranged(100, "{:.1f}".format)

_WORKLOAD = Column(keys=("workload",), title="workload", show=_text)
_ARM = Column(
    keys=("framework", "mode"),
    title="framework (mode)",
    show=lambda framework, mode: (framework, mode),
)

_RESULTS = (
    Column(
        keys=_with_range("images_per_second"),
        title="images/s",
        better="higher",
        show=_ranged(),
        meaning="training images per second; a trial's value is the median of its epochs",
    ),
    Column(
        keys=_with_range("ms_per_step"),
        title="step",
        unit="ms",
        better="lower",
        show=_ranged(),
        meaning="an epoch's time divided by its steps; a trial's value is the median of its epochs",
    ),
    Column(
        keys=_with_range("first_step_seconds"),
        title="first step",
        unit="s",
        better="lower",
        show=_ranged(),
        meaning="the first training step, compilation included; not part of the epochs",
    ),
    Column(
        keys=_with_range("import_seconds"),
        title="import",
        page_only=True,
        unit="s",
        better="lower",
        show=_ranged(),
        meaning="importing the framework in a fresh process",
    ),
    Column(
        keys=_with_range("peak_host_bytes"),
        title="host peak",
        unit="MiB",
        better="lower",
        show=_MIB,
        meaning="the worker's resident memory at its highest, as the kernel accounts it",
    ),
    Column(
        keys=_with_range("sampled_host_bytes"),
        title="host sampled",
        page_only=True,
        unit="MiB",
        better="lower",
        show=_MIB,
        meaning="resident memory of the worker and its children, summed, the highest sample",
    ),
    Column(
        keys=_with_range("peak_device_bytes"),
        title="device peak",
        page_only=True,
        unit="MiB",
        better="lower",
        show=_MIB,
        meaning="device memory at its highest by the framework's own account; "
        "frameworks do not all count the same",
    ),
    Column(
        keys=_with_range("sampled_device_bytes"),
        title="device sampled",
        unit="MiB",
        better="lower",
        show=_MIB,
        meaning="device memory in use beyond what was before the trial, the highest sample",
    ),
    Column(
        keys=_with_range("final_test_accuracy"),
        title="accuracy",
        unit="%",
        better="higher",
        show=_PERCENT,
        meaning="test images classified correctly after the last epoch",
    ),
)

_CERTIFICATE = Column(
    keys=_with_range("deviation"),
    title="max deviation",
    page_only=True,
    better="lower",
    show=lambda _median, _low, high: ("-" if np.isnan(high) else f"{high:.0e}", ""),
    meaning="the certificate: the largest relative deviation from the float64 reference in the "
    "first logits, loss and update, over all repeats; no trial is timed without it",
)

_REPEATS = Column(
    keys=("compared", "trials"),
    title="repeats",
    show=lambda compared, trials: (f"{compared}/{trials}", ""),
    meaning="trials that the row's numbers are from, of all that were recorded",
)

_RATIOS = (
    Column(keys=("against",), title="against", show=_text),
    Column(
        keys=("ratio", "ratio_low", "ratio_high"),
        title="times as fast",
        better="higher",
        show=lambda ratio, low, high: (f"{ratio:.2f}", _limits(low, high)),
        meaning="the other's time per step divided by this arm's, paired by block, with its "
        "interval at 95%: paired t below eight blocks, else exact signed-rank",
    ),
    Column(keys=("blocks",), title="blocks", show=_text),
    Column(
        keys=("verdict", "blocks"),
        title="verdict",
        show=lambda verdict, blocks: (
            verdict,
            "provisional" if blocks < MINIMUM_BLOCKS and verdict != "inconclusive" else "",
        ),
        meaning=f"whether it is faster or slower by more than the margin, or equal within it; "
        f"provisional with fewer than {MINIMUM_BLOCKS} blocks. Inconclusive is not equal",
    ),
    Column(keys=("reason",), title="why", show=_text, page_only=True),
    Column(
        keys=("detectable",),
        title="detectable",
        unit="%",
        show=lambda share: ("-" if np.isnan(share) else _digits(100 * share), ""),
        page_only=True,
        meaning="the smallest difference that so many blocks find four times of five",
    ),
    Column(
        keys=("blocks_needed",),
        title="blocks needed",
        show=lambda blocks: ("-" if np.isnan(blocks) else f"{blocks:.0f}", ""),
        page_only=True,
        meaning="blocks that find a difference of the margin's size nine times of ten",
    ),
)

_EPOCH_RESULTS = (
    Column(keys=_with_range("seconds"), title="time", unit="s", better="lower", show=_ranged()),
    Column(keys=_with_range("loss"), title="training loss", better="lower", show=_ranged()),
    Column(
        keys=_with_range("test_accuracy"),
        title="accuracy",
        unit="%",
        better="higher",
        show=_PERCENT,
    ),
)


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


def _section(trials: pd.DataFrame, epochs: pd.DataFrame) -> Section:
    """Make the section of ``trials``, which agree in ``SECTION_KEYS``."""
    first = trials.iloc[0]
    ok = trials[trials["status"] == "ok"]
    disagreeing = pd.Series(data=False, index=ok.index)
    problems: list[str] = []
    for agreement in _AGREEMENTS:
        variants = ok.groupby(list(agreement.within))[list(agreement.on)].transform("nunique")
        differ = (variants > 1).any(axis="columns")
        problems += _complaints(agreement, ok[differ])
        disagreeing |= differ
    compared = ok[~disagreeing]
    return Section(
        identity={key: None if pd.isna(first[key]) else first[key] for key in SECTION_KEYS},
        workloads=trials[list(_SPECIFICATION)]
        .drop_duplicates()
        .sort_values(list(_SPECIFICATION), ignore_index=True),
        problems=tuple(problems),
        comparison=_comparison(trials, compared),
        ratios=_ratios(compared, epochs),
        unfinished=_unfinished(trials[trials["status"] != "ok"]),
        environment=_environment(ok),
        epochs=_epochs(compared, epochs),
    )


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


def _summaries(frame: pd.DataFrame, by: Sequence[str], columns: Sequence[Column]) -> pd.DataFrame:
    """Median, low and high of each column's first key, a row for each group, sorted by ``by``."""
    indices = frame.groupby(list(by)).indices
    values = {column: frame[column.keys[0]].to_numpy(dtype=np.float64) for column in columns}
    rows = []
    for key, places in indices.items():
        row: dict[str, object] = dict(zip(by, cast("tuple[object, ...]", key), strict=True))
        for column, array in values.items():
            summary = summarise(array[places])
            row |= zip(column.keys, (summary.median, summary.low, summary.high), strict=True)
        rows.append(row)
    names = [*by, *(key for column in columns for key in column.keys)]
    return pd.DataFrame(rows, columns=pd.Index(names)).sort_values(list(by), ignore_index=True)


def _comparison(trials: pd.DataFrame, compared: pd.DataFrame) -> Table:
    """Every arm of every workload; numbers are of ``compared`` trials only."""
    arm = ["workload", "framework", "mode"]
    measured = trials[arm].join(compared.drop(columns=arm))
    counts = measured.assign(compared=trials.index.isin(compared.index)).groupby(arm)["compared"]
    rows = _summaries(measured, arm, (*_RESULTS, _CERTIFICATE)).merge(
        counts.agg(compared="sum", trials="size").reset_index(), on=arm, validate="one_to_one"
    )
    return Table(
        key="comparison",
        title="Comparison",
        columns=(_WORKLOAD, _ARM, *_RESULTS, _CERTIFICATE, _REPEATS),
        rows=rows,
    )


def _ratios(compared: pd.DataFrame, epochs: pd.DataFrame) -> Table:
    """How many times as fast as one of them the other arms of each workload are."""
    rows = speed_ratios(compared, epochs)
    return Table(
        key="ratios",
        title="Speed as a ratio",
        columns=(_WORKLOAD, _ARM, *_RATIOS),
        rows=rows,
    )


def _unfinished(trials: pd.DataFrame) -> Table:
    columns = (
        _WORKLOAD,
        _ARM,
        Column(keys=("block",), title="block", show=_text),
        Column(keys=("status",), title="status", show=_text),
        Column(keys=("message",), title="message", show=_text),
    )
    rows = trials.sort_values(["workload", "framework", "mode", "block"], kind="stable")
    return Table(
        key="unfinished",
        title="Trials that did not finish",
        columns=columns,
        rows=rows[[key for column in columns for key in column.keys]].reset_index(drop=True),
    )


def _environment(ok: pd.DataFrame) -> Table:
    """What each arm ran with; an arm has several rows where its trials differ."""
    columns = (
        _ARM,
        Column(keys=("python",), title="Python", show=_text),
        Column(keys=("versions",), title="distributions", show=_text),
        Column(keys=("libraries",), title="libraries", show=_text),
        Column(
            keys=("commit", "dirty"),
            title="commit",
            show=lambda commit, dirty: (_text(commit)[0][:12], "with changes" if dirty else ""),
        ),
        Column(keys=("trials",), title="trials", show=_text),
    )
    by = [key for column in columns[:-1] for key in column.keys]
    rows = ok.groupby(by, dropna=False, sort=True).size().reset_index(name="trials")
    return Table(key="environment", title="Environment", columns=columns, rows=rows)


def _epochs(compared: pd.DataFrame, epochs: pd.DataFrame) -> Table:
    """How the arms got on from epoch to epoch, over the ``compared`` trials."""
    arm = ["workload", "framework", "mode"]
    measured = epochs.join(compared[arm], on="trial", how="inner")
    return Table(
        key="epochs",
        title="Epoch by epoch",
        columns=(
            _WORKLOAD,
            _ARM,
            Column(keys=("epoch",), title="epoch", show=_text),
            *_EPOCH_RESULTS,
        ),
        rows=_summaries(measured, [*arm, "epoch"], _EPOCH_RESULTS),
    )
