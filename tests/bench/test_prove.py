"""Proofs: several at once, in the order asked for; what cannot be proven is told in a line."""

import sys
from pathlib import Path

import pytest

from bench import prove
from bench.contract import Device, Precision
from bench.prove import Case

REFERENCE = [
    Case("listing3", "reference", "numpy", "fp32"),
    Case("listing3", "reference", "numpy", "bf16"),
]
"""The judge, held against itself."""


def test_cases_are_proven_at_once_and_told_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FCB_CACHE", str(tmp_path))
    lines: list[str] = []
    wanted = {
        case: prove.ready(case, "cpu", lines.append, Path(sys.executable)) for case in REFERENCE
    }
    assert lines == ["computing the float64 reference of listing3, once"]
    found = list(prove.carried_out(wanted, prove.places_for(2, "cpu"), "cpu"))
    assert [case for case, _ in found] == REFERENCE
    for _, outcome in found:
        assert (outcome.status, outcome.message) == ("ok", "")
        assert outcome.certificate is not None
        assert outcome.certificate.losses == 0


def test_what_computes_on_a_gpu_shares_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.machine.usable_cpus", lambda: list(range(7)))

    def places(jobs: int, device: Device) -> list[list[int]]:
        found = prove.places_for(jobs, device)
        return [found.get() for _ in range(found.qsize())]

    assert places(2, "cuda") == [[4, 5, 6], [1, 2, 3]]
    assert places(2, "cpu") == [[6], [5]]
    assert places(7, "cuda") == [[cpu] for cpu in range(6, -1, -1)]


def test_a_failed_case_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference takes no other device than the CPU."""
    monkeypatch.setenv("FCB_CACHE", str(tmp_path))
    case = REFERENCE[0]
    wanted = {case: prove.ready(case, "cpu", lambda _: None, Path(sys.executable))}
    ((_, outcome),) = prove.carried_out(wanted, prove.places_for(1, "cpu"), "cuda")
    assert (outcome.status, outcome.certificate) == ("error", None)
    assert "the reference computes on the CPU only" in outcome.message


def test_the_wide_network_is_proven_on_gpus() -> None:
    def networks(precision: Precision, device: Device) -> set[str]:
        return {of.network for of in prove.workloads(precision, device).values()}

    assert "resnet18" in networks("bf16", "cuda")
    assert "resnet18" not in networks("fp64", "cuda") | networks("bf16", "cpu")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--jobs", "0"], "--jobs 0: must be 1 to "),
        (["--jobs", "999"], "--jobs 999: must be 1 to "),
        (["--workload", "resnet18"], "resnet18 is proven on GPUs alone"),
        (["--workload", "listing1", "--dtype", "tf32"], "tf32 is a way of GPUs to multiply"),
    ],
)
def test_bad_input_is_told_in_a_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    given = ["--device", "cpu", "--interpreter", "current", *arguments]
    assert prove.main(given) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"error: {complaint}")


def test_nothing_is_proven_where_no_framework_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert prove.main(["--device", "cpu", "--interpreter", "current"]) == 2
    assert "has none of the frameworks; install one" in capsys.readouterr().err
