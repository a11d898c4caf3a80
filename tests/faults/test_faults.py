"""Every seeded fault must fail the certificate, and nothing else may."""

from collections.abc import Callable
from types import ModuleType

import pytest

from bench import certificate
from bench.certificate import Certificate, Trace
from bench.contract import Floats, Precision, Trainer, Trial
from bench.workloads import Workload
from tests.faults import generic
from tests.faults.conftest import STEPS

Build = Callable[[Trial], Trainer]
Trials = Callable[..., Trial]
Reference = Callable[..., Trace]


class Exam:
    """Builds faulty trainers of one framework, and certifies trainers."""

    def __init__(self, build: Build, trial: Trials, reference: Reference) -> None:
        self.build = build
        self.trial = trial
        self.reference = reference

    def trainer(
        self,
        name: str,
        faults: ModuleType,
        patch: pytest.MonkeyPatch,
        precision: Precision = "fp64",
    ) -> Trainer:
        """With the fault (or harmless change) in it for as long as ``patch`` lasts."""
        trial = self.trial(generic.workload(name), precision)
        everywhere = generic.FAULTS | generic.HARMLESS
        own = faults.FAULTS | faults.HARMLESS | faults.STALE | faults.EVALUATION
        if name in everywhere:
            return everywhere[name](self.build, trial)
        own[name](patch)
        return self.build(trial)

    def certify(
        self,
        trainer: Trainer,
        workload: Workload,
        precision: Precision = "fp64",
        seed: int | None = None,
    ) -> Certificate:
        return certificate.certify(
            certificate.trace(trainer, workload, 0, steps=STEPS, seed=seed),
            self.reference(workload, seed),
            workload,
            certificate.tolerance(self.trial(workload, precision)),
            seed=seed,
        )


@pytest.fixture(scope="session")
def exam(build: Build, trial: Trials, reference: Reference) -> Exam:
    return Exam(build, trial, reference)


@pytest.mark.parametrize("workload", generic.WORKLOADS, ids=lambda workload: workload.name)
def test_no_false_alarm(
    exam: Exam, truth: Callable[[Workload], Trainer], workload: Workload, seed: int
) -> None:
    found = exam.certify(truth(workload), workload, seed=seed)
    assert not found.failure, found


def test_harmless(
    exam: Exam, faults: ModuleType, monkeypatch: pytest.MonkeyPatch, harmless: str
) -> None:
    trainer = exam.trainer(harmless, faults, monkeypatch)
    found = exam.certify(trainer, generic.workload(harmless))
    assert not found.failure, found


def test_fault(exam: Exam, faults: ModuleType, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    trainer = exam.trainer(fault, faults, monkeypatch)
    found = exam.certify(trainer, generic.workload(fault))
    print(f"FOUND|fp64|{fault}|{found.failure}")
    assert found.failure, found


def test_fault_in_float32(
    exam: Exam, faults: ModuleType, monkeypatch: pytest.MonkeyPatch, visible: str
) -> None:
    trainer = exam.trainer(visible, faults, monkeypatch, "fp32")
    found = exam.certify(trainer, generic.workload(visible), "fp32")
    print(f"FOUND|fp32|{visible}|{found.failure}")
    assert found.failure, found


def test_stale_state(
    exam: Exam, faults: ModuleType, monkeypatch: pytest.MonkeyPatch, stale: str
) -> None:
    """Shows in a trainer that was trained before; a fresh one has no state to be stale."""
    workload = generic.workload(stale)
    trainer = exam.trainer(stale, faults, monkeypatch)
    fresh = exam.certify(trainer, workload)
    found = exam.certify(trainer, workload)
    print(f"FOUND|fp64|{stale}|{found.failure}")
    assert not fresh.failure, fresh
    assert found.failure, found


def test_evaluation_with_dropout(
    exam: Exam,
    faults: ModuleType,
    truth: Callable[[Workload], Trainer],
    monkeypatch: pytest.MonkeyPatch,
    evaluation: str,
) -> None:
    """A trainer with dropout is held to the reference in evaluation only."""
    workload = generic.DROPOUT
    passed = exam.certify(truth(workload), workload)
    true = _evaluated(generic.with_dropout(exam.build, exam.trial(workload)), workload)
    assert not certificate.certify_evaluation(true, exam.reference(workload), passed).failure
    faults.EVALUATION[evaluation](monkeypatch)
    wrong = _evaluated(generic.with_dropout(exam.build, exam.trial(workload)), workload)
    found = certificate.certify_evaluation(wrong, exam.reference(workload), passed)
    print(f"FOUND|fp64|{evaluation}|{found.failure}")
    assert found.failure, found


def _evaluated(trainer: Trainer, workload: Workload) -> Floats:
    pixels, labels = certificate.images(workload)
    trainer.load_data(pixels, labels)
    trainer.load_weights(certificate.start(workload))
    return trainer.logits(pixels[: workload.batch_size])
