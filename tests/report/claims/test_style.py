"""Proxies of the implementations as they are: not what comes out, but that it follows from them."""

import pandas as pd
import pytest

from report.claims import CLAIMS, flexible_readable, style
from report.material import Material
from report.proxies import compare
from report.source import read
from report.verdicts import Finding


@pytest.fixture
def material() -> Material:
    """No record at all: none is needed."""
    nothing = pd.DataFrame()
    return Material(device="cpu", trials=nothing, counted=nothing, processes={})


def by_condition(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.condition: finding for finding in findings}


def test_style_is_decided_by_each_proxy(material: Material) -> None:
    found = by_condition(list(style.judge(material)))
    assert len(found) == 12
    assert sum(finding.primary for finding in found.values()) == 8
    for proxy in style.PROXIES:
        for framework in ("tensorflow", "keras", "jax"):
            finding = found[f"{proxy.title}, by proxy: {framework} below pytorch"]
            own, other = (proxy.value(read(name)) for name in (framework, "pytorch"))
            better = compare(proxy, own, other)[0] == "better"
            assert finding.answer == ("supported" if better else "refuted")
            assert f"{own:.{proxy.digits}f} against {other:.{proxy.digits}f}" in finding.reason


def test_equal_supports_that_pytorch_is_flexible_and_refutes_that_it_is_below(
    material: Material,
) -> None:
    """No worse is not better: the two claims ask for different things."""
    equals = [f for f in flexible_readable.judge(material) if f.reason.endswith("equal")]
    assert {finding.answer for finding in equals} <= {"supported"}
    equals = [f for f in style.judge(material) if f.reason.endswith("equal")]
    assert {finding.answer for finding in equals} <= {"refuted"}


def test_proxies_are_called_proxies(material: Material) -> None:
    for claim in CLAIMS:
        if claim.key in {"style", "flexible-readable"}:
            assert all("by proxy" in finding.condition for finding in claim.judge(material))
