"""Every mode earns its certificate; so does every setting of the optimizer. In float32."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from bench import certificate
from bench.workloads import Optimizer, Workload
from impls.reference.trainer import build as build_reference
from tests.conformance.conftest import BUILD, plain

REFERENCE = Callable[[Workload], certificate.Trace]


@pytest.fixture(scope="session")
def reference() -> REFERENCE:
    """The reference's trace of a workload, computed once."""

    @cache
    def computed(workload: Workload) -> certificate.Trace:
        trial = certificate.trial("reference", "numpy", workload, "fp64")
        return certificate.trace(build_reference(trial), workload, 0)

    return computed


def failure(build: BUILD, reference: REFERENCE, workload: Workload, mode: str = "") -> str:
    found = certificate.trace(build(workload, mode), workload, 0)
    tolerance = certificate.tolerance(workload.network, "fp32")
    return certificate.certify(found, reference(workload), workload, tolerance).failure


def test_every_mode_earns_its_certificate(
    build: BUILD, reference: REFERENCE, any_workload: Workload, mode: str
) -> None:
    assert failure(build, reference, any_workload, mode) == ""


OPTIMIZERS = {
    "momentum": Optimizer(learning_rate=0.02, momentum=0.9),
    "never zeroed": Optimizer(learning_rate=0.005, momentum=1.0),
    "nesterov": Optimizer(learning_rate=0.02, momentum=0.9, nesterov=True),
    "decay": Optimizer(learning_rate=0.02, weight_decay=0.1),
    "schedule": Optimizer(learning_rate=0.02, schedule=((3, 0.5), (6, 0.05))),
    "all": Optimizer(
        learning_rate=0.02,
        momentum=0.9,
        nesterov=True,
        weight_decay=0.1,
        schedule=((3, 0.5), (6, 0.05)),
    ),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_every_optimizer_earns_its_certificate(
    build: BUILD, reference: REFERENCE, optimizer: Optimizer
) -> None:
    assert failure(build, reference, replace(plain("listing3"), optimizer=optimizer)) == ""


def test_dropout_can_be_switched_off_and_is_on_in_training_only(
    build: BUILD, reference: REFERENCE
) -> None:
    without = plain("rosetta")
    with_dropout = replace(without, dropout=True)
    trainer = build(with_dropout)
    found = certificate.trace(trainer, with_dropout, 0, steps=1)
    expected = reference(without)
    earned = certificate.certify_evaluation(
        found.first_logits,
        expected,
        certificate.certify(
            certificate.trace(build(without), without, 0),
            expected,
            without,
            certificate.tolerance("rosetta", "fp32"),
        ),
    )
    assert earned.failure == ""
    assert abs(found.losses[0] - expected.losses[0]) > 1e-4
