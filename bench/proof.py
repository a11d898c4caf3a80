"""One proof in this process: ``python -P -m bench.proof REFERENCE STEPS PIPE < trial.json``.

Like ``bench.worker``, but nothing is measured: the certificate is all that is earned, over as many
steps as asked.
"""

import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from bench import certificate
from bench.contract import Trial
from bench.worker import answer


def main(reference: str, steps: str, pipe: str) -> None:
    """Certify the trial on standard input; write certificate, status and message to the pipe."""
    answer(int(pipe), lambda trial: prove(trial, Path(reference), int(steps)))


def prove(trial: Trial, reference: Path, steps: int) -> dict[str, Any]:
    """Hold the trial's implementation against the reference over ``steps`` steps."""
    trainer = import_module(f"impls.{trial.framework}.trainer").build(trial)
    found = certificate.trace(trainer, trial.workload, 0, steps=steps)
    tolerance = certificate.tolerance(trial.workload.network, trial.precision)
    earned = certificate.certify(found, certificate.load(reference), trial.workload, tolerance)
    return {
        "status": "not equivalent" if earned.failure else "ok",
        "message": earned.failure,
        "certificate": asdict(earned),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
