"""What the records say of each claim, and of each condition that it was put to."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from report.claims import CLAIMS
from report.material import Material
from report.tables.columns import (
    EVIDENCE,
    Column,
    Table,
    digits,
    frame,
    judged,
    limits,
    named,
    ratio,
    spread,
    text,
)
from report.verdicts import RULE, Claim, Finding, whole

KEY = "verdicts"
CONDITIONS_KEY = "conditions"

_DECIDED = {"supported", "refuted", "mixed"}

_CLAIM = Column(keys=("claim",), title="claim", show=text)
_VERDICT = Column(
    keys=("verdict", "provisional", "caveat"),
    title="verdict",
    show=lambda verdict, provisional, caveat: (
        verdict,
        "provisional" if provisional else caveat,
    ),
    holds="verdict",
    meaning=RULE,
)

_VERDICTS = (
    _CLAIM,
    Column(keys=("statement",), title="that", show=text, holds="words"),
    _VERDICT,
    Column(keys=("counts",), title="because", show=text, holds="words"),
)

_CONDITIONS = (
    _CLAIM,
    Column(keys=("condition",), title="condition", show=text, holds="words"),
    Column(
        keys=("primary",),
        title="primary",
        show=text,
        holds="words",
        meaning="declared to count for the verdict; the others stand beside it, corrected (Holm) "
        "among themselves",
    ),
    Column(
        keys=spread("ratio"),
        title="times as fast",
        show=ratio,
        meaning="with its interval at 95%, before any correction",
    ),
    Column(
        keys=("verdict", "provisional"),
        title="verdict",
        show=judged,
        holds="verdict",
    ),
    Column(keys=("reason",), title="why", show=text, holds="words"),
    Column(
        keys=("minutes",),
        title="settled by",
        unit="minutes more",
        show=lambda minutes: ("-" if np.isnan(minutes) else digits(minutes), ""),
        meaning="what more blocks of these two arms would take, nine times of ten; none where as "
        "many as should do did not",
    ),
    EVIDENCE,
)


def tables(material: Material) -> tuple[Table, Table]:
    """A row for each claim, and a row for each condition of each; none where nothing was tried."""
    claims = CLAIMS if len(material.trials) else ()
    findings = {claim.key: list(claim.judge(material)) for claim in claims}
    return (
        Table(
            key=KEY,
            title="Verdicts",
            columns=_VERDICTS,
            rows=frame([_verdict(claim, findings[claim.key]) for claim in claims], _VERDICTS),
        ),
        Table(
            key=CONDITIONS_KEY,
            title="Conditions of the verdicts",
            columns=_CONDITIONS,
            rows=frame(
                [
                    row
                    for key, of in findings.items()
                    for row in _rows(key, of, material.trials["record"])
                ],
                _CONDITIONS,
            ),
            page_only=True,
        ),
    )


def _verdict(claim: Claim, findings: list[Finding]) -> dict[str, object]:
    verdict, counts = whole(findings)
    return {
        "claim": claim.key,
        "statement": claim.statement,
        "verdict": verdict,
        "provisional": verdict in _DECIDED
        and any(of.provisional for of in findings if of.primary and of.decided),
        "caveat": claim.caveat,
        "counts": counts,
    }


def _rows(
    claim: str, findings: list[Finding], records: "pd.Series[str]"
) -> Iterator[dict[str, object]]:
    for of in findings:
        yield {
            "claim": claim,
            "condition": of.condition,
            "primary": "yes" if of.primary else "no",
            **limits("ratio", of.interval),
            "verdict": of.answer,
            "provisional": of.provisional and of.decided,
            "reason": of.reason,
            "minutes": np.nan if of.minutes is None else of.minutes,
            "records": named(records[list(of.trials)]),
        }
