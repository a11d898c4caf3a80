"""A proof in this process: ``python -P -m bench.proof REFERENCE STEPS NUDGES PIPE < trial.json``.

Like ``bench.worker``, but nothing is measured: the certificate is all that is earned, over as many
steps as asked, and from as many starts as asked that differ by rounding only.
"""

import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from bench import certificate
from bench.contract import Trial
from bench.worker import answer


def main(reference: str, steps: str, nudges: str, pipe: str) -> None:
    """Certify the trial on standard input; write certificate, status and message to the pipe."""
    answer(int(pipe), lambda trial: prove(trial, Path(reference), int(steps), int(nudges)))


def prove(trial: Trial, reference: Path, steps: int, nudges: int) -> dict[str, Any]:
    """Hold the trial's implementation against the reference over ``steps`` steps.

    Once as it is, and ``nudges`` times from a start that differs by rounding; the largest
    deviations of all count.
    """
    trainer = import_module(f"impls.{trial.framework}.trainer").build(trial)
    workload, expected = trial.workload, certificate.load(reference)
    tolerance = certificate.tolerance(trial)
    earned = certificate.worst(
        certificate.certify(
            certificate.trace(trainer, workload, 0, steps=steps, nudge=nudge),
            expected,
            workload,
            tolerance,
            nudge=nudge,
        )
        for nudge in range(nudges + 1)
    )
    return {
        "status": "not equivalent" if earned.failure else "ok",
        "message": earned.failure,
        "certificate": asdict(earned),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
