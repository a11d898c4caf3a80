"""Every arm of every workload: speed, memory, accuracy, and how much of the ceiling it reaches."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bench.workloads import NETWORKS, training_operations
from report.tables.columns import (
    ARM,
    ARM_KEYS,
    MIB,
    PERCENT,
    WORKLOAD,
    Column,
    Table,
    ranged,
    spread,
    summaries,
)

KEY = "comparison"

_RESULTS = (
    Column(
        keys=spread("images_per_second"),
        title="images/s",
        better="higher",
        show=ranged(),
        meaning="training images per second of steady training",
    ),
    Column(
        keys=spread("step_seconds"),
        title="step",
        page_only=True,
        unit="ms",
        better="lower",
        show=ranged(1000),
        meaning="one training step; a trial's value is the median of the chunks of its steady "
        "stretch, after the last compilation and warm-up",
    ),
    Column(
        keys=spread("ceiling_share"),
        title="of ceiling",
        unit="%",
        better="higher",
        show=ranged(100, "{:.0f}".format),
        meaning="floating-point operations per second of training (products of convolutions and "
        "dense layers alone) as a share of the most that any framework reached here, see Ceiling",
    ),
    Column(
        keys=spread("epoch_seconds"),
        title="epoch",
        page_only=True,
        unit="s",
        better="lower",
        show=ranged(),
        meaning="one pass over the training images, end to end; the median of a trial's epochs",
    ),
    Column(
        keys=spread("first_step_seconds"),
        title="first step",
        unit="s",
        better="lower",
        show=ranged(),
        meaning="the first training step, compilation included; not part of the others",
    ),
    Column(
        keys=spread("import_seconds"),
        title="import",
        page_only=True,
        unit="s",
        better="lower",
        show=ranged(),
        meaning="importing the framework in a fresh process",
    ),
    Column(
        keys=spread("peak_host_bytes"),
        title="host peak",
        unit="MiB",
        better="lower",
        show=MIB,
        meaning="the worker's resident memory at its highest, as the kernel accounts it",
    ),
    Column(
        keys=spread("sampled_host_bytes"),
        title="host sampled",
        page_only=True,
        unit="MiB",
        better="lower",
        show=MIB,
        meaning="resident memory of the worker and its children, summed, the highest sample",
    ),
    Column(
        keys=spread("peak_device_bytes"),
        title="device peak",
        page_only=True,
        unit="MiB",
        better="lower",
        show=MIB,
        meaning="device memory at its highest by the framework's own account; "
        "frameworks do not all count the same",
    ),
    Column(
        keys=spread("sampled_device_bytes"),
        title="device sampled",
        page_only=True,
        unit="MiB",
        better="lower",
        show=MIB,
        meaning="device memory in use beyond what was before the trial, the highest sample",
    ),
    Column(
        keys=spread("final_test_accuracy"),
        title="accuracy",
        unit="%",
        better="higher",
        show=PERCENT,
        meaning="test images classified correctly after the last epoch",
    ),
)

_CERTIFICATE = Column(
    keys=spread("deviation"),
    title="max deviation",
    page_only=True,
    better="lower",
    show=lambda _median, _low, high: ("-" if np.isnan(high) else f"{high:.0e}", ""),
    meaning="the certificate: the largest relative deviation from the float64 reference in the "
    "first logits, loss and update, over all repeats; no trial is timed without it",
)

_STEADY = Column(
    keys=("steady_trials", "compared"),
    title="steady",
    show=lambda steady, compared: (f"{steady}/{compared}", ""),
    page_only=True,
    meaning="trials that reached a steady state, of those that the row's numbers are from",
)

_REPEATS = Column(
    keys=("compared", "trials"),
    title="repeats",
    show=lambda compared, trials: (f"{compared}/{trials}", ""),
    meaning="trials that the row's numbers are from, of all that were recorded",
)


def table(trials: pd.DataFrame, compared: pd.DataFrame, best: float) -> Table:
    """Every arm of ``trials``; numbers are of ``compared`` ones only.

    ``best`` is the ceiling, in operations per second; NaN where none was measured.
    """
    arm = list(ARM_KEYS)
    operations = compared["network"].map(_operations(compared)).astype("float64")
    measured = trials[arm].join(
        compared.drop(columns=arm).assign(
            ceiling_share=operations * compared["images_per_second"] / best
        )
    )
    counts = (
        measured.assign(
            compared=trials.index.isin(compared.index),
            finished=trials["status"] == "ok",
            steady_trials=measured["steady"].notna() & (measured["steady"] != "no steady state"),
        )
        .groupby(arm)
        .agg(
            compared=("compared", "sum"),
            finished=("finished", "sum"),
            steady_trials=("steady_trials", "sum"),
            trials=("compared", "size"),
        )
    )
    rows = summaries(measured, arm, (*_RESULTS, _CERTIFICATE)).merge(
        counts.reset_index(), on=arm, validate="one_to_one"
    )
    return Table(
        key=KEY,
        title="Comparison",
        columns=(WORKLOAD, ARM, *_RESULTS, _CERTIFICATE, _STEADY, _REPEATS),
        rows=rows,
    )


def _operations(trials: pd.DataFrame) -> Mapping[str, int]:
    """Of one image in a training step, of each network that we know."""
    names = set(trials["network"]) & NETWORKS.keys()
    return {name: training_operations(name) for name in names}
