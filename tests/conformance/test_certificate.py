"""Every mode earns its certificate, in float32 and in bfloat16; dropout is on in training only."""

from dataclasses import replace

import pytest

from bench import certificate
from bench.contract import Precision
from bench.workloads import Workload
from tests.conformance.conftest import BUILD, REFERENCE, TOLERANCE, plain


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_mode_earns_its_certificate(
    build: BUILD,
    reference: REFERENCE,
    tolerance: TOLERANCE,
    any_workload: Workload,
    mode: str,
    precision: Precision,
) -> None:
    found = certificate.trace(build(any_workload, mode, precision), any_workload, 0)
    earned = certificate.certify(
        found, reference(any_workload), any_workload, tolerance(any_workload, precision, mode)
    )
    assert earned.failure == ""


def test_dropout_can_be_switched_off_and_is_on_in_training_only(
    build: BUILD, reference: REFERENCE, tolerance: TOLERANCE
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
            tolerance(without, "fp32"),
        ),
    )
    assert earned.failure == ""
    # Rounding is a tenth of that; and chance may drop what hardly matters.
    assert abs(found.losses[0] - expected.losses[0]) > 3e-6
