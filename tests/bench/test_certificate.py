"""What a certificate says of constructed traces, and how the reference's are kept."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import certificate, reference
from bench.certificate import Trace
from bench.contract import Floats, Precision
from bench.errors import UserError
from bench.workloads import WORKLOADS, Optimizer, Workload, shortened

SMALL = Workload(
    name="small",
    network="listing3",
    optimizer=Optimizer(learning_rate=0.01),
    batch_size=2,
    epochs=1,
)


def tolerance(
    workload: Workload, precision: Precision, framework: str = "pytorch"
) -> certificate.Tolerance:
    return certificate.tolerance(certificate.trial(framework, "any", workload, precision))


TOLERANCE = tolerance(SMALL, "fp64")


@pytest.fixture(scope="module")
def trace() -> Trace:
    trial = certificate.trial("reference", "numpy", SMALL, "fp64")
    trainer = import_module("impls.reference.trainer").build(trial)
    return certificate.trace(trainer, SMALL, 0)


def failure(found: Trace, trace: Trace) -> str:
    return certificate.certify(found, trace, SMALL, TOLERANCE).failure


def moved(weights: Mapping[str, Floats], name: str, factor: float) -> dict[str, Floats]:
    return {**weights, name: weights[name] * factor}


def test_a_trace_agrees_with_itself(trace: Trace) -> None:
    earned = certificate.certify(trace, trace, SMALL, TOLERANCE)
    assert earned.failure == ""
    assert (earned.steps, earned.losses, earned.weights) == (10, 0.0, 0.0)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: replace(t, first_logits=t.first_logits * 1.001), "the first logits deviates"),
        (lambda t: replace(t, losses=t.losses * np.r_[1.001, [1] * 9]), "the loss of step 1 "),
        (lambda t: replace(t, losses=t.losses * np.r_[[1] * 6, 1.001, [1] * 3]), "of step 7 "),
        (
            lambda t: replace(t, first=moved(t.first, "conv2.bias", 1.1)),
            "first update of conv2.bias",
        ),
        (lambda t: replace(t, last=moved(t.last, "dense1.kernel", 1.1)), "dense1.kernel after 10"),
        (lambda t: replace(t, logits=t.logits + 0.001), "the logits after 10 steps"),
    ],
)
def test_the_first_quantity_that_differs_is_named_with_its_place(
    trace: Trace, change: Callable[[Trace], Trace], named: str
) -> None:
    assert named in failure(change(trace), trace)


def test_what_is_no_number_never_passes(trace: Trace) -> None:
    losses = trace.losses.copy()
    losses[3] = np.nan
    earned = certificate.certify(replace(trace, losses=losses), trace, SMALL, TOLERANCE)
    assert "the loss of step 4 deviates by nan" in earned.failure
    assert earned.losses is None
    weights = moved(trace.last, "conv1.bias", np.nan)
    assert "conv1.bias after 10 steps" in failure(replace(trace, last=weights), trace)


def test_evaluation_with_dropout_is_held_to_the_first_logits(trace: Trace) -> None:
    passed = certificate.certify(trace, trace, SMALL, TOLERANCE)
    assert certificate.certify_evaluation(trace.first_logits, trace, passed) == passed
    other = certificate.certify_evaluation(trace.first_logits * 1.01, trace, passed)
    assert other.failure.startswith("the first logits with dropout deviate by 1.0e-02")


def test_many_steps_in_one_call_are_held_to_what_single_ones_do(trace: Trace) -> None:
    trial = certificate.trial("reference", "numpy", SMALL, "fp64")
    trainer = import_module("impls.reference.trainer").build(trial)
    found = certificate.trace(trainer, SMALL, 0, together=True)
    passed = certificate.certify(trace, trace, SMALL, TOLERANCE)
    assert certificate.certify_together(found, trace, SMALL, passed).failure == ""
    for wrong, named in (
        (replace(found, last=moved(found.last, "dense1.bias", 1.001)), "dense1.bias after 10"),
        (replace(found, losses=found.losses * np.r_[1, [1.001] * 9]), "the loss of step"),
    ):
        earned = certificate.certify_together(wrong, trace, SMALL, passed)
        assert earned.failure.startswith("in one call, ")
        assert named in earned.failure


def test_a_trace_survives_its_file(tmp_path: Path, trace: Trace) -> None:
    certificate.save(tmp_path / "trace.npz", trace)
    loaded = certificate.load(tmp_path / "trace.npz")
    assert certificate.certify(loaded, trace, SMALL, TOLERANCE).failure == ""
    assert loaded.first.keys() == trace.first.keys()


@pytest.mark.parametrize("count", [0, 1024])
def test_a_data_set_of_any_size_holds_the_batches(count: int) -> None:
    workload = WORKLOADS["listing1"]
    pixels, labels = certificate.images(workload)
    assert len(pixels) == len(labels) == 10 * workload.batch_size
    held, of_held, rows = certificate.dataset(pixels, labels, count)
    assert rows.shape == (10, workload.batch_size)
    assert len(held) == len(of_held) == max(count, 400)
    assert (held[rows.ravel()] == pixels).all()
    assert (of_held[rows.ravel()] == labels).all()


def test_a_trainer_that_takes_its_data_as_it_lies_does_not_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workload = WORKLOADS["listing3"]

    def trace() -> Trace:
        trial = certificate.trial("reference", "numpy", workload, "fp64")
        trainer = import_module("impls.reference.trainer").build(trial)
        return certificate.trace(trainer, workload, 0, steps=1)

    right = trace()
    dataset = certificate.dataset

    def in_order(*given: Any) -> tuple[Any, ...]:
        pixels, labels, rows = dataset(*given)
        return pixels, labels, np.arange(rows.size, dtype=np.int32).reshape(rows.shape)

    monkeypatch.setattr(certificate, "dataset", in_order)
    earned = certificate.certify(trace(), right, workload, TOLERANCE)
    assert earned.failure.startswith("the loss of step 1 ")


def test_the_key_is_of_all_that_determines_the_trace_but_dropout() -> None:
    keys = {
        certificate.key(workload, steps)
        for workload in (
            SMALL,
            replace(SMALL, batch_size=4),
            replace(SMALL, network="listing1"),
            replace(SMALL, optimizer=replace(SMALL.optimizer, momentum=0.5)),
        )
        for steps in (10, 20)
    }
    assert len(keys) == 8
    assert certificate.key(replace(SMALL, dropout=True), 10) in keys


def test_the_reference_is_computed_once(tmp_path: Path, trace: Trace) -> None:
    said: list[str] = []
    first = reference.trace(SMALL, cache=tmp_path, report=said.append)
    assert reference.trace(SMALL, cache=tmp_path, report=said.append) == first
    assert said == ["computing the float64 reference of small, once"]
    assert failure(certificate.load(first), trace) == ""
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_a_reference_that_cannot_be_computed_is_one_line(tmp_path: Path) -> None:
    wrong = replace(SMALL, optimizer=replace(SMALL.optimizer, momentum="much"))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"^the reference of small cannot be computed: .*Error.*$"):
        reference.trace(wrong, cache=tmp_path, report=lambda _: None)
    assert list((tmp_path / reference.FOLDER).iterdir()) == []


def test_every_workload_has_a_tolerance_and_float64_has_the_tightest() -> None:
    for workload in WORKLOADS.values():
        single, half = (tolerance(workload, p) for p in ("fp32", "bf16"))
        assert tolerance(workload, "fp64").weights == 1e-11
        assert max(single.first_logits, single.first_loss) < 1e-5
        assert single.first_update < 1e-3
        assert half.first_logits < 0.05
        assert tolerance(workload, "tf32").first_logits == half.first_logits / 8


def test_other_settings_are_held_as_tightly_in_the_first_step_only() -> None:
    own = WORKLOADS["listing3"]
    other = replace(own, optimizer=replace(own.optimizer, momentum=0.9))
    as_published, varied = (tolerance(w, "fp32") for w in (own, other))
    assert varied.first_update == as_published.first_update
    assert varied.losses > as_published.losses


def test_a_schedule_is_another_setting_only_where_the_certificate_sees_it() -> None:
    whole = WORKLOADS["resnet20"]
    late, early = shortened(whole, 1000), shortened(whole, 10)
    assert tolerance(late, "fp32") == tolerance(whole, "fp32") != tolerance(early, "fp32")
    keys = {certificate.key(workload, 10) for workload in (whole, late, early)}
    assert len(keys) == 2


def test_what_was_never_measured_is_held_to_the_widest_spread() -> None:
    for precision in ("fp32", "bf16"):
        unknown = tolerance(WORKLOADS["resnet20"], precision, "another")
        known = (tolerance(w, precision) for w in WORKLOADS.values())
        assert all(values.first_update <= unknown.first_update for values in known)


def test_no_batch_has_more_than_a_few_images_and_its_size_does_not_choose_them() -> None:
    pixels, labels = certificate.images(WORKLOADS["listing3"])
    batch = pixels[:64]
    assert len(np.unique(batch, axis=0)) == certificate.DISTINCT
    assert len(np.unique(labels[:64])) > certificate.DISTINCT
    larger, _ = certificate.images(replace(WORKLOADS["listing3"], batch_size=128))
    assert (larger[128:132] == pixels[64:68]).all()


def test_a_nudge_is_one_unit_in_the_last_place_and_counts_as_the_start(trace: Trace) -> None:
    weights, nudged = (certificate.start(SMALL, nudge=nudge) for nudge in (0, 1))
    for name, value in weights.items():
        assert (np.nextafter(value, nudged[name]) == nudged[name]).all()
        assert (value != nudged[name]).all()
    trial = certificate.trial("reference", "numpy", SMALL, "fp64")
    trainer = import_module("impls.reference.trainer").build(trial)
    found = certificate.trace(trainer, SMALL, 0, nudge=1)
    single = tolerance(SMALL, "fp32")
    assert certificate.certify(found, trace, SMALL, single, nudge=1).failure == ""
    assert certificate.certify(found, trace, SMALL, TOLERANCE, nudge=1).failure != ""


def test_the_worst_of_several_is_the_largest_of_each_and_the_first_failure(trace: Trace) -> None:
    good = certificate.certify(trace, trace, SMALL, TOLERANCE)
    off = certificate.certify(replace(trace, logits=trace.logits + 1), trace, SMALL, TOLERANCE)
    lost = replace(off, losses=None, failure="another")
    found = certificate.worst([good, off, lost])
    assert found == replace(off, losses=None)
