"""The exam of all modes of one environment: ``python -m tests.conformance keras jax [OPTIONS]``.

Modes that must start with other environment variables are examined in processes of their own. The
process of the framework's first mode takes the whole exam; the others, whose code is the same, what
is asked of every mode. In float64 Keras is examined on TensorFlow only: on PyTorch its dense layers
compute in float32 whatever they are told (``keras.backend.result_type``, Keras 3.15).
"""

import os
import subprocess
import sys
from importlib import import_module

from bench.contract import Implementation


def main(framework: str, environment: str, *options: str) -> int:
    """Exit status: 0 if all passed; ``options`` are pytest's."""
    implementation: Implementation = import_module(f"impls.{framework}").IMPLEMENTATION
    first = next(iter(implementation.modes))
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name, mode in implementation.modes.items():
        if mode.environment == environment and "cpu" in mode.devices:
            groups.setdefault(mode.variables, []).append(name)
    statuses: list[int] = []
    for variables, modes in groups.items():
        command = (
            *(sys.executable, "-m", "pytest", "tests/conformance", f"--framework={framework}"),
            *(f"--mode={mode}" for mode in modes),
            *(() if first in modes else ("-k", " or ".join(modes))),
            *options,
        )
        done = subprocess.run(command, env=os.environ | dict(variables), check=False)
        statuses.append(done.returncode)
    return max(statuses)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
