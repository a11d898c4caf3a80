"""Training as Keras' own example has it, to hold ``trainer.py`` against.

After https://keras.io/examples/vision/mnist_convnet/: ``fit`` on arrays of images that were scaled
before. Left out is what would only make it slower: its metrics.
"""

from collections.abc import Callable, Mapping

import keras
import numpy as np
from numpy.typing import NDArray

from bench.contract import Floats, Trial
from impls.keras.networks import NETWORKS
from impls.keras.trainer import SGD, disable_dropout, on, settings, variables


def loop(
    trial: Trial,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    weights: Mapping[str, Floats],
) -> Callable[[NDArray[np.int32]], float]:
    """A function that takes a step for each row of indices, and returns their mean loss.

    Only for networks that are a sequence of layers.
    """
    settings(trial)
    layers = NETWORKS[trial.workload.network]().layers
    unscaled = (layer for layer in layers if not isinstance(layer, keras.layers.Rescaling))
    model = keras.Sequential([keras.Input(images.shape[1:]), *unscaled])
    if not trial.workload.dropout:
        disable_dropout(model)
    for name, variable in variables(model).items():
        variable.assign(weights[name])
    model.compile(
        optimizer=SGD(trial.workload.optimizer),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    scaled = images.astype(np.float32) * np.float32(1 / 255)

    def train(batches: NDArray[np.int32]) -> float:
        order = batches.ravel()
        history = model.fit(
            scaled[order], labels[order], batch_size=batches.shape[1], shuffle=False, verbose=0
        )
        on.finish([variable.value for variable in model.variables])
        return float(history.history["loss"][-1])

    return train
