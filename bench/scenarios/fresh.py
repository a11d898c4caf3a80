"""A module of ``bench`` in a process of its own, started by a worker."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict

from bench.contract import Trial


def ask(module: str, trial: Trial, variables: Mapping[str, str]) -> tuple[str, int]:
    """What ``python -P -m MODULE PIPE < trial.json`` wrote to its pipe, and its exit status."""
    reader, writer = os.pipe()
    with os.fdopen(reader) as answer:
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", module, str(writer)],
                input=json.dumps(asdict(trial)),
                text=True,
                env=variables,
                pass_fds=[writer],
                check=False,
            )
        finally:
            os.close(writer)
        return answer.read(), done.returncode
