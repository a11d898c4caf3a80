"""One exam for every implementation, run in that framework's own environment:

    nox -s "conformance(framework='pytorch')"

Every test here is about the contract in ``bench/contract.py``; none knows a framework.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from bench import certificate
from bench.contract import Implementation, Precision, Trainer
from bench.data import Dataset, DatasetInfo, open_dataset, save_dataset
from bench.workloads import Optimizer, Workload
from impls.reference.trainer import build as build_reference

BUILD = Callable[..., Trainer]
REFERENCE = Callable[[Workload], certificate.Trace]
TOLERANCE = Callable[..., certificate.Tolerance]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--framework", required=True, help="the folder under impls/ to examine")
    parser.addoption("--mode", action="append", help="only this mode; may be repeated")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise over networks and over the modes the implementation declares."""
    if "workload" in metafunc.fixturenames:
        metafunc.parametrize("workload", [plain(name) for name in PLAIN], ids=PLAIN)
    if "any_workload" in metafunc.fixturenames:
        names = (*PLAIN, *RESIDUAL)
        metafunc.parametrize("any_workload", [plain(name) for name in names], ids=names)
    if "mode" in metafunc.fixturenames:
        metafunc.parametrize("mode", examined(metafunc.config).modes)


def examined(config: pytest.Config) -> Implementation:
    """The implementation, with those modes only that are to be examined in this process.

    By default those that a CPU can run in the framework's first environment, as it is.
    """
    found: Implementation = import_module(f"impls.{config.getoption('--framework')}").IMPLEMENTATION
    wanted = config.getoption("--mode") or [
        name
        for name, mode in found.modes.items()
        if "cpu" in mode.devices and not mode.environment and not mode.variables
    ]
    return replace(found, modes={name: found.modes[name] for name in wanted})


@pytest.fixture(scope="session")
def implementation(pytestconfig: pytest.Config) -> Implementation:
    return examined(pytestconfig)


@pytest.fixture(scope="session")
def module(implementation: Implementation) -> ModuleType:
    return import_module(f"impls.{implementation.name}.trainer")


@pytest.fixture(scope="session")
def build(module: ModuleType, implementation: Implementation) -> BUILD:
    """Trainers by workload, mode and precision; each is built (and compiled) once."""

    @cache
    def built(workload: Workload, mode: str = "", precision: Precision = "fp32") -> Trainer:
        chosen = mode or next(iter(implementation.modes))
        trial = certificate.trial(implementation.name, chosen, workload, precision)
        trainer: Trainer = module.build(replace(trial, workload=workload))
        return trainer

    return built


@pytest.fixture(scope="session")
def tolerance(implementation: Implementation) -> TOLERANCE:
    """What rounding explains, by workload, precision and mode, in this framework."""
    first = next(iter(implementation.modes))
    return lambda workload, precision, mode=first: certificate.tolerance(
        certificate.trial(implementation.name, mode, workload, precision)
    )


@pytest.fixture(scope="session")
def reference() -> REFERENCE:
    """The reference's trace of a workload, computed once."""

    @cache
    def computed(workload: Workload) -> certificate.Trace:
        trial = certificate.trial("reference", "numpy", workload, "fp64")
        return certificate.trace(build_reference(trial), workload, 0)

    return computed


BATCH = 16
IMAGES = 64
LEARNING_RATE = 0.05

PLAIN = ("listing1", "listing3")
"""Networks whose loss in training is that of the logits in evaluation."""
RESIDUAL = ("rosetta", "resnet20", "resnet18-narrow")


def plain(network: str) -> Workload:
    """Plain gradient descent, small batches, no dropout."""
    return Workload(
        name=network,
        network=network,
        optimizer=Optimizer(learning_rate=LEARNING_RATE),
        batch_size=BATCH,
        epochs=1,
    )


@pytest.fixture(scope="session")
def images() -> NDArray[np.uint8]:
    """[64, 32, 32, 3], read-only like the memory-mapped data sets of a real run."""
    drawn = np.random.default_rng(0).integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    drawn.flags.writeable = False
    return drawn


@pytest.fixture(scope="session")
def labels() -> NDArray[np.int32]:
    drawn = np.random.default_rng(1).integers(0, 10, IMAGES).astype(np.int32)
    drawn.flags.writeable = False
    return drawn


@pytest.fixture(scope="session")
def data(
    tmp_path_factory: pytest.TempPathFactory,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
) -> Dataset:
    """The images and labels, as a prepared data set."""
    folder = tmp_path_factory.mktemp("data")
    info = DatasetInfo(name="images", digest="0" * 64, train_images=IMAGES, test_images=IMAGES)
    save_dataset(
        folder,
        Dataset(
            info=info,
            train_images=images,
            train_labels=labels,
            test_images=images,
            test_labels=labels,
        ),
    )
    return open_dataset(folder)


@pytest.fixture(scope="session")
def batches() -> NDArray[np.int32]:
    """[4, 16]: every image once, shuffled."""
    order = np.random.default_rng(2).permutation(IMAGES)
    return order.reshape(-1, BATCH).astype(np.int32)
