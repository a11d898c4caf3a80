"""What a mode keeps on a machine is what its trials would make: they add nothing to it."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from bench import certificate
from bench.contract import Implementation
from tests.conformance.conftest import plain

TRAIN = """
import sys
from importlib import import_module

from bench import certificate
from bench.contract import trial_from_json

trial = trial_from_json(sys.stdin.read())
trainer = import_module(f"impls.{trial.framework}.trainer").build(trial)
certificate.trace(trainer, trial.workload, 0, steps=1)
"""


def test_what_is_kept_is_what_a_trial_would_make(
    implementation: Implementation, mode: str, tmp_path: Path
) -> None:
    wanted = implementation.modes[mode].kept
    if not wanted:
        pytest.skip("keeps nothing")
    first, second = tmp_path / "first", tmp_path / "second"
    run(first, implementation, mode, "-m", f"impls.{implementation.name}.keep")
    made = files(first / wanted)
    assert made
    (second / wanted).parent.mkdir(parents=True)
    (first / wanted).rename(tmp_path / "kept")
    (second / wanted).symlink_to(tmp_path / "kept")
    run(second, implementation, mode, "-c", TRAIN)
    assert files(tmp_path / "kept") == made


def run(home: Path, implementation: Implementation, mode: str, *program: str) -> None:
    """Run a program as a trial is run, with ``home`` for its folders and a trial as its input."""
    home.mkdir(exist_ok=True)
    trial = certificate.trial(implementation.name, mode, plain("listing1"), "fp32")
    variables = {"HOME": str(home), "TMPDIR": str(home), "PYTHONPATH": "."}
    subprocess.run(
        [sys.executable, "-P", *program],
        input=json.dumps(asdict(trial)),
        env=os.environ | variables | dict(implementation.modes[mode].variables),
        text=True,
        check=True,
    )


def files(folder: Path) -> dict[Path, tuple[int, int]]:
    """What is in ``folder``: size and time of change, by path in it."""
    return {
        path.relative_to(folder): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }
