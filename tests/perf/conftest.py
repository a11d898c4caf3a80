"""Timings by pytest-benchmark of one mode or more, in that framework's own environment:

    pytest tests/perf --framework pytorch --mode eager

``nox -s perf`` runs those of all. A timed call needs no fence: that the device has finished when a
method of a trainer returns is the contract's promise, and conformance's to test.
"""

import os
from dataclasses import asdict
from importlib import import_module
from types import ModuleType

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench import synthetic
from bench.contract import Implementation, Trainer, Trial
from bench.data import Dataset, open_dataset, save_dataset
from bench.inputs import Inputs, inputs
from bench.worker import software
from tests.conformance.conftest import examined
from tests.conformance.conftest import pytest_addoption as pytest_addoption
from tests.perf.trial import TEST_IMAGES, TRAIN_IMAGES, trial_of


def pytest_configure(config: pytest.Config) -> None:
    """Refuse pytest-xdist: it turns benchmarks off and says so in a warning."""
    if config.getoption("dist", "no") != "no" or "PYTEST_XDIST_WORKER" in os.environ:
        raise pytest.UsageError("what is timed does not run beside others; leave out xdist's -n")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise over the modes: names of timings then tell frameworks and modes apart."""
    found = examined(metafunc.config)
    metafunc.parametrize(("framework", "mode"), [(found.name, mode) for mode in found.modes])


@pytest.fixture
def trial(framework: str, mode: str, workload: str) -> Trial:
    return trial_of(framework, mode, workload)


@pytest.fixture
def module(trial: Trial) -> ModuleType:
    return import_module(f"impls.{trial.framework}.trainer")


@pytest.fixture
def trainer(module: ModuleType, trial: Trial) -> Trainer:
    """Of its own for every test: what one of them compiled or cached is not another's."""
    built: Trainer = module.build(trial)
    return built


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Drawn images, as a prepared data set."""
    folder = tmp_path_factory.mktemp("data")
    drawn = synthetic.synthesize(TRAIN_IMAGES, TEST_IMAGES)
    save_dataset(folder, drawn.named("synthetic"))
    return open_dataset(folder)


@pytest.fixture
def given(trial: Trial, data: Dataset) -> Inputs:
    return inputs(trial, data)


@pytest.fixture
def benchmark(
    benchmark: BenchmarkFixture,
    pytestconfig: pytest.Config,
    module: ModuleType,
    trial: Trial,
    data: Dataset,
) -> BenchmarkFixture:
    """pytest-benchmark's own, which is told what is timed, and with what."""
    implementation: Implementation = examined(pytestconfig)
    benchmark.extra_info |= {
        "framework": trial.framework,
        "mode": trial.mode,
        "workload": trial.workload.name,
        "batch_size": trial.workload.batch_size,
        "device": trial.device,
        "precision": trial.precision,
        "threads": trial.threads,
        "dataset": data.info.name,
        **asdict(software(implementation, module)),
    }
    return benchmark
