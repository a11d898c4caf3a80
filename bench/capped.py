"""Does it train? A few steps in this process: ``python -P -m bench.capped PIPE < trial.json``.

For ``bench.scenarios.memory``, which asks with less and less memory: a framework's limit is set
once in a process. The images are black: what they show changes nothing here.
"""

import sys
from importlib import import_module
from typing import Any

import numpy as np

from bench.contract import Trial
from bench.scenarios.memory import train
from bench.weights import initial_weights
from bench.worker import answer
from bench.workloads import IMAGE_SHAPE


def trains(trial: Trial) -> dict[str, Any]:
    """Train as the memory pass does; whatever is raised says why it cannot."""
    trainer = import_module(f"impls.{trial.framework}.trainer").build(trial)
    images = np.zeros((trial.train_images, *IMAGE_SHAPE), np.uint8)
    trainer.load_data(images, np.zeros(trial.train_images, np.int32))
    trainer.load_weights(initial_weights(trial.workload.network, trial.seed))
    train(trainer, trial)
    return {"status": "ok", "message": ""}


if __name__ == "__main__":
    answer(int(sys.argv[1]), trains)
