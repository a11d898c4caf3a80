"""In float64, where rounding cannot hide a mistake: every setting of the optimizer, a deep network.

The last of these files, and each trainer built for itself: JAX computes in float64 process-wide.
"""

from dataclasses import replace

import pytest

from bench import certificate
from bench.workloads import Optimizer, Workload
from tests.conformance.conftest import BUILD, REFERENCE, plain

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


def failure(build: BUILD, reference: REFERENCE, workload: Workload) -> str:
    found = certificate.trace(build(workload, precision="fp64"), workload, 0)
    tolerance = certificate.tolerance(certificate.trial("any", "any", workload, "fp64"))
    return certificate.certify(found, reference(workload), workload, tolerance).failure


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_every_optimizer_is_the_references(
    build: BUILD, reference: REFERENCE, optimizer: Optimizer
) -> None:
    assert failure(build, reference, replace(plain("listing3"), optimizer=optimizer)) == ""


def test_a_residual_network_is_the_references(build: BUILD, reference: REFERENCE) -> None:
    workload = replace(plain("resnet18-narrow"), optimizer=OPTIMIZERS["all"])
    assert failure(build, reference, workload) == ""
