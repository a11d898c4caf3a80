"""The first step in this process, and nothing else: ``python -P -m bench.starter PIPE < trial``.

For ``bench.scenarios.startup``, whose own process has long started. The images are black: what they
show changes nothing here. Writes to the pipe how many seconds the process was old when the step was
done.
"""

import os
import sys
import time
from importlib import import_module
from pathlib import Path

import numpy as np

from bench.contract import Trainer, Trial, trial_from_json
from bench.weights import initial_weights
from bench.workloads import IMAGE_SHAPE


def main(pipe: str) -> None:
    """Import the framework, build the trainer of the trial, train one step."""
    trial = trial_from_json(sys.stdin.read())
    ready(trial).train(np.arange(trial.workload.batch_size, dtype=np.int32)[np.newaxis])
    with os.fdopen(int(pipe), "w") as file:
        file.write(repr(age()))


def ready(trial: Trial) -> Trainer:
    """The trainer of ``trial``, with black images and its initial weights."""
    trainer: Trainer = import_module(f"impls.{trial.framework}.trainer").build(trial)
    count = trial.train_images
    trainer.load_data(np.zeros((count, *IMAGE_SHAPE), np.uint8), np.zeros(count, np.int32))
    trainer.load_weights(initial_weights(trial.workload.network, trial.seed))
    return trainer


def age() -> float:
    """Seconds since this process was started, to a hundredth.

    Field 22 of ``/proc/self/stat`` (proc_pid_stat(5)): clock ticks between boot and its start.
    """
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    started = int(fields[22 - 3]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


if __name__ == "__main__":
    main(*sys.argv[1:])
