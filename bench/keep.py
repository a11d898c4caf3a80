"""Makes what a framework keeps on a machine for all its programs, so that no trial has to.

A user waits for that once. A trial, whose folders are empty, would each time, and report it as the
time that its own program takes to compile.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.code import ROOT
from bench.contract import Trial
from bench.environments import frameworks
from bench.kept import held
from bench.launch import environment


def keep(trial: Trial, python: Path, report: Callable[[str], None], root: Path = ROOT) -> None:
    """Make what the mode of ``trial`` keeps, unless it is there, for the environment of ``python``.

    The program that makes it is of the tree ``root``. Where it fails, which ``report`` is told,
    there is nothing, and every trial does it on its own.
    """
    mode = frameworks(root)[trial.framework].modes[trial.mode]
    place = held(python, mode)
    if not mode.kept or place.exists():
        return
    report(f"making what {trial.framework} {trial.mode} keeps on a machine (takes a minute)")
    # Beside the place, so that it is moved there whole.
    place.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=place.parent, ignore_cleanup_errors=True) as home:
        done = subprocess.run(
            [str(python), "-P", "-m", f"impls.{trial.framework}.keep"],
            cwd=root,
            env=environment(trial, home, os.environ, root),
            capture_output=True,
            text=True,
            check=False,
        )
        made = Path(home, mode.kept)
        if done.returncode == 0 and made.is_dir():
            made.rename(place)
            return
    said = " ".join(done.stderr.split())[-200:]
    report(f"that failed ({said}): each trial of {trial.framework} {trial.mode} makes its own")
