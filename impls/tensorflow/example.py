"""Training as TensorFlow's own quickstart has it, to hold ``trainer.py`` against.

After https://www.tensorflow.org/tutorials/quickstart/advanced: ``tf.data`` feeds batches of scaled
images to a step that is a ``tf.function``. The network is written without Keras, as in
``networks.py``. Left out is what would only make it slower: its metrics.
"""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from bench.contract import Floats, Trial
from impls.tensorflow.networks import NETWORKS
from impls.tensorflow.trainer import SGD, cross_entropy, disable_dropout, settings, variables


def loop(
    trial: Trial,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    weights: Mapping[str, Floats],
) -> Callable[[NDArray[np.int32]], float]:
    """A function that takes a step for each row of indices, and returns their mean loss."""
    settings(trial)
    model = NETWORKS[trial.workload.network](dtype=tf.float32)
    if not trial.workload.dropout:
        disable_dropout(model)
    for name, variable in variables(model).items():
        variable.assign(weights[name])
    optimizer = SGD(model.trainable_variables, trial.workload.optimizer)
    scaled = images.astype(np.float32) * np.float32(1 / 255)

    @tf.function
    def step(data: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = cross_entropy(model(data, training=True), target)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    def train(batches: NDArray[np.int32]) -> float:
        order = batches.ravel()
        dataset = tf.data.Dataset.from_tensor_slices((scaled[order], labels[order]))
        losses = [step(*batch) for batch in dataset.batch(batches.shape[1], drop_remainder=True)]
        mean = float(tf.reduce_mean(tf.stack(losses)))
        tf.test.experimental.sync_devices()
        return mean

    return train
