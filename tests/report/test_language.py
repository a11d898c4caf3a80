"""Nothing on the page lacks a translation."""

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import get_args

import pytest

from bench.contract import Scenario
from bench.records import RECORDS, Record
from report import html
from report.language import Catalogue, Pattern
from report.load import load_run
from report.mistakes import MISTAKES
from report.overview import arrange
from tests.report.conftest import make_chunks, make_gpu

Builder = Callable[..., Record]
Writer = Callable[..., Path]
Untranslated = Callable[[Path], set[str]]

REPORT = Path(html.__file__).parent
REFERENCE = REPORT.parent / "results" / "reference" / "cpu"


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue.load("zh")


@pytest.fixture
def untranslated(catalogue: Catalogue) -> Untranslated:
    """What the page of a run says that the catalogue does not know."""

    def find(folder: Path) -> set[str]:
        catalogue.missing.clear()
        html.page(arrange(load_run(folder)), catalogue)
        return catalogue.missing

    return find


def test_places_are_the_same_in_both_languages(catalogue: Catalogue) -> None:
    assert len(catalogue.patterns) > 50


def test_a_pattern_is_filled_with_what_is_known_and_what_is_not() -> None:
    catalogue = Catalogue(
        {
            "{a} of {n:number}: {all:list}; {rest:clauses}": "{n}/{a}/{all}/{rest}",
            "cat": "chat",
            "{n:number} dogs": "{n} chiens",
        },
        joined={"list": "+", "clauses": "|"},
    )
    assert catalogue.translate("cat of 7: 2 dogs, bird; x; cat") == "7/chat/2 chiens+bird/x|chat"
    assert catalogue.translate("cat of seven: 2 dogs; x") is None
    assert catalogue.translate("bird") is None


def test_places_that_differ_are_an_error() -> None:
    with pytest.raises(ValueError, match="do not have the same places"):
        Pattern("{a} and {b}", "{a}")


@pytest.mark.parametrize(
    "name", sorted(path.parent.name for path in REFERENCE.glob(f"*/{RECORDS}"))
)
def test_the_reference_runs_are_translated(untranslated: Untranslated, name: str) -> None:
    assert untranslated(REFERENCE / name) == set()


@pytest.mark.parametrize("scenario", get_args(Scenario))
def test_every_scenario_is_translated(
    make_record: Builder, write_run: Writer, untranslated: Untranslated, scenario: Scenario
) -> None:
    failed = [
        make_record(scenario=scenario, framework="jax", mode="jit", block=block, status=status)
        for block, status in enumerate(("error", "timeout", "out of memory", "void"))
    ]
    records = [make_record(scenario=scenario, block=block) for block in range(3)]
    assert untranslated(write_run([*records, *failed], planned=20)) == set()
    assert untranslated(write_run([], planned=1, name=f"no {scenario}")) == set()


ARMS = ("tensorflow graph", "keras fit", "jax jit", "pytorch compile")


@pytest.mark.parametrize(("noise", "factor"), [(0.01, 1.2), (0.01, 1.0), (0.5, 1.2), (0.01, 1.06)])
def test_every_verdict_is_translated(
    make_blocks: Callable[..., list[Record]],
    write_run: Writer,
    untranslated: Untranslated,
    noise: float,
    factor: float,
) -> None:
    steps = dict.fromkeys(ARMS, 1.0) | {"pytorch eager": factor}
    assert untranslated(write_run(make_blocks(steps, noise=noise, twin=factor))) == set()


def test_every_problem_is_translated(
    make_record: Builder, write_run: Writer, untranslated: Untranslated
) -> None:
    hot = make_gpu(throttled=("thermal",), processes=2)
    records = [
        make_record(inputs="a"),
        make_record(framework="jax", mode="jit", inputs="b"),
        make_record(block=1, chunks=make_chunks([1.0] * 10, stolen=5.0)),
        make_record(block=2, chunks=make_chunks([1.0] * 10, busy=3.0)),
        make_record(block=3, ceiling=(9.0, 9.0, 9.0)),
        make_record(block=4, gpu_before=hot, gpu_after=hot),
        make_record(block=5, chunks=make_chunks(([1.0] * 5 + [2.0] * 5) * 3)),
        make_record(block=6, dataset="synthetic", digest="b" * 64),
        make_record(block=7, allocator="keep", threads=2),
    ]
    folder = write_run(records)
    with (folder / "records.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"schema"')
    assert untranslated(folder) == set()


def test_every_mistake_is_translated(catalogue: Catalogue) -> None:
    """Not every one of them is in a table here."""
    texts = {
        text
        for mistake in MISTAKES
        for text in (mistake.name, mistake.example, *mistake.impossible.values())
    }
    assert {text for text in texts if catalogue.translate(text) is None} == set()


def spoken() -> Iterator[tuple[str, str]]:
    """Texts in the source that the page may show: titles, meanings, statements; where they are."""
    for path in sorted(REPORT.rglob("*.py")):
        if path.stem == "regress":  # has no page
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg in {"title", "meaning", "statement"}:
                for text in samples(node.value):
                    yield f"{path.stem} {node.value.lineno}", text


REASONS = {
    "decisions": ("_decision", "_too_coarse"),
    "contrasts": ("_final",),
    "covariates": ("discarded",),
    "sections": (
        "_of_departure",
        "_of_discarded",
        "_of_threads",
        "_of_ceiling",
        "_of_gpu",
        "_notes",
    ),
    "about": ("about", "_training"),
    "html": ("_left_out", "_unlisted"),
    "tables/columns": ("rest",),
}
"""Functions that make sentences, by module."""


def reasons() -> Iterator[tuple[str, str]]:
    """Their sentences, longest first: a part of one need not be known."""
    for module, names in REASONS.items():
        tree = ast.parse((REPORT / f"{module}.py").read_text(encoding="utf-8"))
        functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
        assert set(names) <= {function.name for function in functions}
        for function in functions:
            for node in ast.walk(function) if function.name in names else ():
                if isinstance(node, ast.JoinedStr) and len(literal(node).split()) > 3:
                    yield f"{module} {node.lineno}", literal(node)


def literal(node: ast.JoinedStr) -> str:
    """An f-string without what is put in."""
    return " ".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))


def samples(node: ast.expr) -> Sequence[str]:
    return [str(node.value)] if isinstance(node, ast.Constant) and node.value else []


def test_what_the_source_says_is_known(catalogue: Catalogue) -> None:
    texts = dict(spoken())
    assert len(texts) > 100
    assert {at: text for at, text in texts.items() if catalogue.translate(text) is None} == {}


def test_words_of_every_reason_are_in_some_pattern(catalogue: Catalogue) -> None:
    """Not every reason can be brought about here, so their words are looked for."""
    known = " ".join(re.sub(r"\{[^}]*\}", " ", text) for text in catalogue.texts)
    words = set(re.findall(r"[a-z]{4,}", known))
    found = dict(reasons())
    assert len(found) > 15
    for at, text in found.items():
        assert set(re.findall(r"[a-z]{4,}", text)) <= words, at
