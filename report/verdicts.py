"""From what each condition of a claim shows to a verdict on the claim."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from report.material import Material
from report.statistics import Interval

Answer = Literal["supported", "refuted", "inconclusive", "not tested"]
Whole = Literal["supported", "refuted", "mixed", "inconclusive", "not tested"]

RULE = (
    "A claim without a qualifier must hold in every primary condition. It is supported if it is in "
    "all of them; refuted if it is in at least one, and supported in none; mixed if conditions "
    "support it and others refute it; else inconclusive, or not tested if none was"
)
"""What ``whole`` does, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one condition shows."""

    condition: str
    """For people: ``training listing1, as taught: keras fit faster than pytorch eager``."""
    answer: Answer
    reason: str
    """A clause in plain words."""
    primary: bool
    """Declared to count for the verdict; others stand beside it."""
    interval: Interval | None = None
    """How many times as fast, at 95%; None where nothing was estimated."""
    provisional: bool = False
    """From too few blocks to be sure of."""
    minutes: float | None = None
    """Of more measuring that would probably settle it; None where that is unknown or settled."""
    trials: tuple[int, ...] = ()
    """The evidence: rows of ``Run.trials``."""

    @property
    def decided(self) -> bool:
        """Whether it supports or refutes."""
        return self.answer in {"supported", "refuted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Something that is said of the frameworks, and how to find out."""

    key: str
    place: int
    """In the order in which claims are shown."""
    statement: str
    """What is claimed, in our words."""
    caveat: str = ""
    """What to know of any verdict on it, in a word or two: ``by proxy``."""
    judge: Callable[[Material], Iterator[Finding]]
    """Its conditions: which there are and which are primary is declared before any data."""


def whole(findings: Sequence[Finding]) -> tuple[Whole, str]:
    """The verdict on a claim by ``RULE``, and how its primary conditions came out.

    Raises ``ValueError`` if there is no primary condition.
    """
    answers = Counter(finding.answer for finding in findings if finding.primary)
    if not answers:
        raise ValueError("a claim without primary conditions cannot be judged")
    total = answers.total()
    counts = ", ".join(f"{answers[name]} {name}" for name in get_args(Answer) if answers[name])
    return _whole(answers), f"of {total} primary condition{'s' * (total > 1)}: {counts}"


def _whole(answers: Mapping[Answer, int]) -> Whole:
    if set(answers) == {"supported"}:
        return "supported"
    if answers.get("refuted"):
        return "mixed" if answers.get("supported") else "refuted"
    return "not tested" if set(answers) == {"not tested"} else "inconclusive"
