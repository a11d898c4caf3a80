"""The reference's traces: computed when first needed, then kept in the cache.

The reference is an implementation like the others (``impls/reference``), known here by name only;
it needs nothing but NumPy, so it runs in this Python, in a process of its own.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from bench import certificate
from bench.code import ROOT
from bench.contract import trial_from_json
from bench.errors import UserError
from bench.workloads import Workload

FOLDER = "references"


def trace(
    workload: Workload,
    *,
    cache: Path,
    report: Callable[[str], None],
    steps: int = certificate.STEPS,
) -> Path:
    """The file with the reference's trace of ``workload``, for ``bench.certificate.load``.

    ``report`` gets a line before the computation, which takes seconds to minutes. Raises
    ``UserError`` when it fails.
    """
    name = f"{workload.network}-{certificate.key(workload, steps)}-{_source()}.npz"
    path = cache / FOLDER / name
    if path.exists():
        return path
    report(f"computing the float64 reference of {workload.name}, once")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unfinished", dir=path.parent) as scratch:
        unfinished = Path(scratch, "trace.npz")
        done = subprocess.run(
            [sys.executable, "-P", "-m", "bench.reference", str(unfinished), str(steps)],
            input=json.dumps(asdict(certificate.trial("reference", "numpy", workload, "fp64"))),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise UserError(f"the reference of {workload.name} cannot be computed: {reason}")
        unfinished.replace(path)
    return path


def _source() -> str:
    """Stands for the reference's own source: another one gives other numbers, perhaps."""
    state = hashlib.sha256()
    for file in sorted((ROOT / "impls" / "reference").glob("*.py")):
        state.update(file.read_bytes())
    return state.hexdigest()[:8]


def main(path: str, steps: str) -> None:
    """Compute the trace of the trial on standard input into ``path``."""
    trial = trial_from_json(sys.stdin.read())
    trainer = import_module("impls.reference.trainer").build(trial)
    found = certificate.trace(trainer, trial.workload, 0, steps=int(steps))
    certificate.save(Path(path), found)


if __name__ == "__main__":
    main(*sys.argv[1:])
