"""The certificate's own exam: seeded faults, run in a framework's own environment in float64:

    pytest tests/faults --framework pytorch

The faults live here, never in ``impls/``: those that any trainer can have in ``generic.py``, those
that need the framework's own code in the module of its name. How many seeds the true implementation
has to pass: ``FAULT_SEEDS`` in the environment, 5 by default.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache, lru_cache
from importlib import import_module
from types import ModuleType

import pytest

from bench import certificate
from bench.certificate import Trace
from bench.contract import Implementation, Precision, Trainer, Trial
from bench.workloads import Workload
from tests.faults import generic


def pytest_addoption(parser: pytest.Parser) -> None:
    with suppress(ValueError):  # conformance's has registered it
        parser.addoption("--framework", required=True, help="the folder under impls/ to examine")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise over what is possible in the framework, and over the certificate's seeds."""
    faults = _faults(metafunc.config)
    tables = {
        "fault": [*generic.FAULTS, *faults.FAULTS],
        "visible": [
            name
            for name in (*generic.FAULTS, *faults.FAULTS)
            if name not in generic.UNSEEN_IN_FLOAT32 | getattr(faults, "UNSEEN_IN_FLOAT32", set())
        ],
        "harmless": [*generic.HARMLESS, *faults.HARMLESS],
        "stale": [*faults.STALE],
        "evaluation": [*faults.EVALUATION],
        "seed": range(int(os.environ.get("FAULT_SEEDS", "5"))),
    }
    for name in tables.keys() & set(metafunc.fixturenames):
        metafunc.parametrize(name, tables[name])


def _faults(config: pytest.Config) -> ModuleType:
    return import_module(f"tests.faults.{config.getoption('--framework')}")


@pytest.fixture(scope="session")
def faults(pytestconfig: pytest.Config) -> ModuleType:
    """The framework's own faults: what to change to have them, by name."""
    return _faults(pytestconfig)


@pytest.fixture(scope="session")
def build(pytestconfig: pytest.Config) -> Callable[[Trial], Trainer]:
    found: Callable[[Trial], Trainer] = import_module(
        f"impls.{pytestconfig.getoption('--framework')}.trainer"
    ).build
    return found


@pytest.fixture(scope="session")
def trial(pytestconfig: pytest.Config) -> Callable[..., Trial]:
    """Trials by workload and precision, in the framework's first mode."""
    name = pytestconfig.getoption("--framework")
    found: Implementation = import_module(f"impls.{name}").IMPLEMENTATION

    def made(workload: Workload, precision: Precision = "fp64") -> Trial:
        return Trial(
            framework=found.name,
            mode=next(iter(found.modes)),
            workload=workload,
            device="cpu",
            precision=precision,
            threads=1,
            block=0,
            seed=0,
            train_images=certificate.STEPS * workload.batch_size,
            test_images=workload.batch_size,
            epochs=1,
        )

    return made


@pytest.fixture(scope="session")
def truth(
    build: Callable[[Trial], Trainer], trial: Callable[..., Trial]
) -> Callable[[Workload], Trainer]:
    """The true implementation's trainers in float64, each built (and compiled) once."""
    return cache(lambda workload: build(trial(workload)))


@pytest.fixture(scope="session")
def reference(trial: Callable[..., Trial]) -> Callable[..., Trace]:
    """The reference's traces by workload and seed."""
    judge: Callable[[Trial], Trainer] = import_module("impls.reference.trainer").build

    @lru_cache(maxsize=12)  # a hundred seeds of everything would fill the memory
    def traced(workload: Workload, seed: int | None = None) -> Trace:
        return certificate.trace(judge(trial(workload)), workload, 0, steps=STEPS, seed=seed)

    return traced


STEPS = 6
"""Of every trace: a few more than there are before ``generic``'s schedule changes the rate."""
