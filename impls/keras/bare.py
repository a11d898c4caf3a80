"""The training of ``trainer.py`` as a bare loop, to measure what the contract costs on top."""

from collections.abc import Callable, Mapping

import keras
import numpy as np
from numpy.typing import NDArray

from bench.contract import Floats, Trial
from impls.keras.networks import NETWORKS
from impls.keras.trainer import SGD, disable_dropout, on, settings, variables


def parts(
    trial: Trial,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    weights: Mapping[str, Floats],
) -> tuple[Callable[[NDArray[np.int32]], None], Callable[[], None]]:
    """The loop in two: one starts a step for each row of indices, one returns when all are done."""
    settings(trial)
    model = NETWORKS[trial.workload.network]()
    if not trial.workload.dropout:
        disable_dropout(model)
    for name, variable in variables(model).items():
        variable.assign(weights[name])
    model.compile(
        optimizer=SGD(trial.workload.optimizer),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    def start(batches: NDArray[np.int32]) -> None:
        order = batches.ravel()
        data = on.fed(images[order], labels[order], batches.shape[1])
        model.fit(**data, shuffle=False, verbose=0)

    def finish() -> None:
        on.finish([variable.value for variable in model.variables])

    return start, finish
