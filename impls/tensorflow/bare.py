"""The training of ``trainer.py`` as a bare loop, to measure what the contract costs on top."""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from bench.contract import Floats, Trial
from impls.tensorflow.networks import NETWORKS
from impls.tensorflow.trainer import (
    MODES,
    SGD,
    disable_dropout,
    settings,
    training_step,
    variables,
)


def parts(
    trial: Trial,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    weights: Mapping[str, Floats],
) -> tuple[Callable[[NDArray[np.int32]], None], Callable[[], None]]:
    """The loop in two: one starts a step for each row of indices, one returns when all are done."""
    settings(trial)
    computed = tf.bfloat16 if trial.precision == "bf16" else tf.float32
    model = NETWORKS[trial.workload.network](dtype=tf.float32)
    if not trial.workload.dropout:
        disable_dropout(model)
    for name, variable in variables(model).items():
        variable.assign(weights[name])
    optimizer = SGD(model.trainable_variables, trial.workload.optimizer)
    step = MODES[trial.mode](training_step(model, optimizer, computed))
    pixels, targets = tf.constant(images), tf.constant(labels)

    def start(batches: NDArray[np.int32]) -> None:
        for batch in batches:
            step(pixels, targets, tf.constant(batch))

    def finish() -> None:
        tf.test.experimental.sync_devices()

    return start, finish
