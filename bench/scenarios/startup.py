"""How long from the start of a process to its first trained step, cold and compiled before?"""

import os
import tempfile
from importlib import import_module
from pathlib import Path
from types import ModuleType

from bench.contract import Trainer, Trial
from bench.inputs import Inputs
from bench.kept import lend
from bench.records import Startup
from bench.scenarios.fresh import ask


def measure(_module: ModuleType, _trainer: Trainer, _inputs: Inputs, trial: Trial) -> Startup:
    """Start two processes one after the other that share a home.

    For the first it is empty but for what the mode keeps on a machine. What else a framework keeps
    of its compilations it keeps there: TorchInductor by itself, JAX because its cache is switched
    on for both (``jax_compilation_cache_dir``), TensorFlow nothing.
    """
    mode = import_module(f"impls.{trial.framework}").IMPLEMENTATION.modes[trial.mode]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        variables = {
            **os.environ,
            "HOME": home,
            "TMPDIR": home,
            "JAX_COMPILATION_CACHE_DIR": str(Path(home, "jax")),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
        lend(mode, Path(tempfile.gettempdir(), mode.kept), Path(home))
        cold, cached = (_start(trial, variables) for _ in range(2))
    return Startup(cold_seconds=cold, cached_seconds=cached)


def _start(trial: Trial, variables: dict[str, str]) -> float:
    """Seconds it took; raises ``RuntimeError`` where it failed."""
    answer, status = ask("bench.starter", trial, variables)
    if status:
        raise RuntimeError(f"a process that was to train one step ended with status {status}")
    return float(answer)
