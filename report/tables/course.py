"""How trials went: those left out, what they ran with, and how they got on epoch by epoch."""

import pandas as pd

from report.tables.columns import (
    ARM,
    ARM_KEYS,
    PERCENT,
    WORKLOAD,
    Cell,
    Column,
    Table,
    ranged,
    spread,
    summaries,
    text,
)

UNFINISHED_KEY = "unfinished"
ENVIRONMENT_KEY = "environment"
EPOCHS_KEY = "epochs"


def _scenario(scenario: str, label: str, size: int) -> Cell:
    return (scenario, ", ".join(filter(None, (label, f"batches of {size}" if size else ""))))


def unfinished(trials: pd.DataFrame) -> Table:
    """Trials that count for nothing: their status, or ``discarded``, and why."""
    columns = (
        WORKLOAD,
        ARM,
        Column(keys=("scenario", "label", "trial_batch_size"), title="scenario", show=_scenario),
        Column(keys=("block",), title="block", show=text),
        Column(keys=("status",), title="status", show=text, holds="words"),
        Column(keys=("message",), title="message", show=text),
    )
    rows = trials.assign(
        status=trials["status"].where(trials["status"] != "ok", "discarded"),
        message=trials["message"].where(trials["status"] != "ok", trials["discarded"]),
    ).sort_values([*ARM_KEYS, "block"], kind="stable")
    return Table(
        key=UNFINISHED_KEY,
        title="Trials that do not count",
        columns=columns,
        rows=rows[[key for column in columns for key in column.keys]].reset_index(drop=True),
    )


def environment(ok: pd.DataFrame) -> Table:
    """What each arm ran with; an arm has several rows where its trials differ."""
    columns = (
        ARM,
        Column(keys=("python",), title="Python", show=text),
        Column(keys=("versions",), title="distributions", show=text),
        Column(keys=("libraries",), title="libraries", show=text),
        Column(
            keys=("commit", "dirty"),
            title="commit",
            show=lambda commit, dirty: (text(commit)[0][:12], "with changes" if dirty else ""),
        ),
        Column(keys=("trials",), title="trials", show=text),
        Column(keys=("record",), title="first record", show=text, holds="records"),
    )
    by = [key for column in columns[:-2] for key in column.keys]
    rows = (
        ok.groupby(by, dropna=False, sort=True)["record"]
        .agg(trials="size", record="first")
        .reset_index()
    )
    return Table(
        key=ENVIRONMENT_KEY, title="Environment", columns=columns, rows=rows, page_only=True
    )


_EPOCH_RESULTS = (
    Column(keys=spread("seconds"), title="time", unit="s", better="lower", show=ranged()),
    Column(keys=spread("loss"), title="training loss", better="lower", show=ranged()),
    Column(keys=spread("test_accuracy"), title="accuracy", unit="%", better="higher", show=PERCENT),
)


def epochs(compared: pd.DataFrame, of_all: pd.DataFrame) -> Table:
    """How the arms got on from epoch to epoch; ``of_all`` are the epochs of a run."""
    measured = of_all.join(compared[list(ARM_KEYS)], on="trial", how="inner")
    return Table(
        key=EPOCHS_KEY,
        title="Epoch by epoch",
        columns=(
            WORKLOAD,
            ARM,
            Column(keys=("epoch",), title="epoch", show=text),
            *_EPOCH_RESULTS,
        ),
        rows=summaries(measured, [*ARM_KEYS, "epoch"], _EPOCH_RESULTS),
        page_only=True,
    )
