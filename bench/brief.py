"""One of many that share a certificate: ``python -P -m bench.brief DATASET PIPE < trial.json``.

Like ``bench.worker``, for comparing two states of the code: in each of them an arm earns its
certificate in a process of its own, before any of these is started.
"""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.contract import Trial
from bench.scenarios import first_step, regression
from bench.worker import answer, measured, prepare


def main(dataset: str, pipe: str) -> None:
    """Run the trial on standard input; write measurement, status and message to the pipe."""
    answer(int(pipe), lambda trial: run(trial, Path(dataset)))


def run(trial: Trial, dataset: Path) -> dict[str, Any]:
    """Import the framework, build the trainer, measure."""
    ready = prepare(trial, dataset)
    first_step_seconds = first_step.measure(ready.trainer, ready.inputs)
    result = regression.measure(ready.module, ready.trainer, ready.inputs, trial)
    return {"measurement": asdict(measured(ready, first_step_seconds, result))}


if __name__ == "__main__":
    main(*sys.argv[1:])
