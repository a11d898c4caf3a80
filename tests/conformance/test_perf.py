"""What times the framework (``nox -s perf``) runs: once, untimed."""

import subprocess
import sys

from bench.code import ROOT
from bench.contract import Implementation


def test_everything_that_is_timed_runs(implementation: Implementation, mode: str) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "tests/perf", "--benchmark-disable"),
            *(f"--framework={implementation.name}", f"--mode={mode}"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    assert " passed" in last
    assert "skipped" not in last
