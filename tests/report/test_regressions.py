"""What is judged to be worse, and what is not: comparisons whose truth is known."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from junitparser import Failure, JUnitXml, Skipped

from bench.comparison import COMPARISON, ITSELF, Cell, Comparison, Kind, Round
from bench.contract import TWIN
from bench.records import SCHEMA, Chunk, Record, Regression, append_record
from report.regress import JUNIT, PAGE, SUMMARY, main, sentences, table
from report.regressions import Finding, Judgement, judge, threshold
from tests.report.conftest import blocks_of

PAIRS = 12
ARMS = ("pytorch eager", "jax jit", "keras fit", "tensorflow graph")
CELLS = tuple(Cell(workload="listing1", framework=f, mode=m) for f, m in map(str.split, ARMS))
PYTORCH = CELLS[0]
MIB = 2**20


def measured(
    chunks: tuple[Chunk, ...],
    accuracy: float = 0.1,
    host: int = 400 * MIB,
    compilations: int | None = 1,
) -> Regression:
    return Regression(
        timed=chunks,
        accuracy=accuracy,
        compilations=compilations,
        peak_host_bytes=host,
        peak_device_bytes=None,
    )


def side(
    factors: dict[str, float] | None = None,
    *,
    first: int = 0,
    seed: int = 0,
    noise: float = 0.02,
    twin: float | None = None,
    step: float = 0.1,
    drift: float = 3.0,
    of: Callable[[tuple[Chunk, ...]], Regression] = measured,
    **fields: Any,
) -> list[Record]:
    """A state's records; of each block the machine may take up to ``drift`` times as long.

    With a ``twin``, PyTorch meets itself: once as it is, again with steps of so many seconds.
    """
    steps = {arm: step * (factors or {}).get(arm, 1.0) for arm in ARMS}
    records = [
        replace(record, trial=replace(record.trial, steps=2))
        for block in range(first, first + PAIRS)
        for record in blocks_of(
            steps,
            number=1,
            first=block,
            noise=noise,
            drift=1 + block % drift,
            twin=twin,
            seed=seed + block,
            chunks=6,
            scenario="regression",
            result=of,
            **fields,
        )
    ]
    if twin is None:
        return records
    once, again = ITSELF
    labels = {TWIN: again, "": once}
    itself = [
        replace(record, trial=replace(record.trial, label=labels[record.trial.label]))
        for record in records
        if record.trial.framework == PYTORCH.framework
    ]
    return [*(record for record in records if not record.trial.label), *itself]


def compared(
    folder: Path,
    base: Sequence[Record],
    head: Sequence[Record],
    *,
    again: Sequence[Cell] = (),
    threshold: float = 0.10,
    itself: tuple[Sequence[Cell], Sequence[Cell]] = ((), ()),
    kind: Kind = "code",
    pairs: int = PAIRS,
) -> Path:
    """A comparison of records, with a second round of the cells ``again``; ``itself`` by round."""
    first, second = map(tuple, itself)
    rounds = [Round(first=0, planned=PAIRS, pairs=pairs, cells=CELLS, itself=first)]
    if again:
        late = Round(first=PAIRS, planned=PAIRS, pairs=PAIRS, cells=tuple(again), itself=second)
        rounds.append(late)
    for name, records in (("base", base), ("head", head)):
        run = folder / name / "pairs"
        run.mkdir(parents=True)
        for record in records:
            append_record(run, record)
    comparison = Comparison(
        schema=SCHEMA,
        kind=kind,
        base="main (0123456789ab)",
        head="the working tree",
        base_run="base/pairs",
        head_run="head/pairs",
        budget=90.0,
        threshold=threshold,
        harness_differs=False,
        rounds=tuple(rounds),
    )
    (folder / COMPARISON).write_text(json.dumps(asdict(comparison)))
    return folder


def found(judgement: Judgement, metric: str = "time per step") -> dict[Cell, Finding]:
    return {f.cell: f for f in judgement.findings if f.metric == metric}


def test_what_is_the_same_passes(tmp_path: Path) -> None:
    judgement = judge(compared(tmp_path, side(), side(seed=100)))
    assert judgement.status == "passed"
    assert not judgement.to_confirm
    assert {f.outcome for f in judgement.findings} == {"no difference"}
    assert {f.metric for f in judgement.findings} == {
        *("time per step", "host memory", "accuracy", "compilations")
    }


def test_a_slow_down_is_to_be_confirmed_and_then_fails_alone(tmp_path: Path) -> None:
    slower = {"pytorch eager": 1.3}
    base, head = side(), side(slower, seed=100)
    first = judge(compared(tmp_path / "one", base, head))
    assert first.to_confirm == (PYTORCH,)
    # Nothing fails that was measured only once.
    assert (first.status, found(first)[PYTORCH].outcome) == ("passed", "not confirmed")
    base += side(first=PAIRS)
    confirmed = judge(
        compared(
            tmp_path / "two", base, head + side(slower, first=PAIRS, seed=200), again=[PYTORCH]
        )
    )
    assert confirmed.status == "failed"
    times = found(confirmed)
    assert times[PYTORCH].outcome == "worse"
    effect = times[PYTORCH].effect
    assert effect is not None
    assert effect.as_ratio().estimate == pytest.approx(1.3, abs=0.03)
    second = times[PYTORCH].second
    assert second is not None
    assert second.as_ratio().estimate == pytest.approx(1.3, abs=0.03)
    titles = [{column.title for column in table(of).shown} for of in (first, confirmed)]
    assert titles[1] - titles[0] == {"second round"}
    others = [f for cell, f in times.items() if cell != PYTORCH]
    assert {(f.outcome, f.second) for f in others} == {("no difference", None)}
    gone = judge(
        compared(tmp_path / "gone", base, head + side(first=PAIRS, seed=200), again=[PYTORCH])
    )
    assert gone.status == "passed"
    assert found(gone)[PYTORCH].outcome == "not confirmed"


@pytest.mark.parametrize(
    ("late", "status", "outcome"),
    [(1.2, "failed", "worse"), (1.05, "passed", "perhaps worse"), (1.0, "passed", "no difference")],
)
def test_what_may_be_worse_is_measured_again_and_that_decides(
    tmp_path: Path, late: float, status: str, outcome: str
) -> None:
    base, head = side(noise=0.1), side({"jax jit": 1.2}, seed=100, noise=0.1)
    first = judge(compared(tmp_path / "one", base, head))
    assert first.to_confirm == (CELLS[1],)
    again = only(side({"jax jit": late}, first=PAIRS, seed=200), "jax")
    judgement = judge(
        compared(tmp_path / "two", base + side(first=PAIRS), head + again, again=[CELLS[1]])
    )
    finding = found(judgement)[CELLS[1]]
    assert (judgement.status, finding.outcome) == (status, outcome)
    assert finding.reason.startswith("perhaps worse in a first round; in a second: ")


def test_a_slow_down_within_the_threshold_is_a_warning(tmp_path: Path) -> None:
    judgement = judge(compared(tmp_path, side(), side({"jax jit": 1.05}, seed=100)))
    assert judgement.status == "passed"
    assert found(judgement)[CELLS[1]].outcome == "perhaps worse"
    assert [f.cell for f in judgement.findings if f.warns] == [CELLS[1]]


def test_a_threshold_is_taken_at_its_word(tmp_path: Path) -> None:
    head = side({"jax jit": 1.08}, seed=100)
    finer = judge(compared(tmp_path / "finer", side(), head, threshold=0.05))
    assert finer.to_confirm == (CELLS[1],)
    assert not judge(compared(tmp_path / "as it is", side(), head)).to_confirm


def test_a_slow_down_of_just_the_threshold_is_no_failure(tmp_path: Path) -> None:
    slower = {"jax jit": 1.10}
    base = side() + side(first=PAIRS)
    head = side(slower, seed=100) + only(side(slower, seed=200, first=PAIRS), "jax")
    judgement = judge(compared(tmp_path, base, head, again=[CELLS[1]]))
    assert judgement.status == "passed"
    assert found(judgement)[CELLS[1]].outcome == "perhaps worse"


def test_a_speed_up_is_reported(tmp_path: Path) -> None:
    judgement = judge(compared(tmp_path, side(), side({"keras fit": 0.9}, seed=100)))
    assert judgement.status == "passed"
    assert found(judgement)[CELLS[2]].outcome == "better"


def test_a_certain_speed_up_is_reported_however_wide_the_interval(tmp_path: Path) -> None:
    head = side({"keras fit": 0.9}, seed=100, noise=0.06)
    times = found(judge(compared(tmp_path, side(noise=0.06), head, threshold=0.03)))
    effect = times[CELLS[2]].effect
    assert effect is not None
    assert effect.half_width > 0.03
    assert times[CELLS[2]].outcome == "better"
    assert times[CELLS[1]].outcome == "undecided"


def test_noise_is_undecided_and_never_a_failure(tmp_path: Path) -> None:
    folder = compared(tmp_path, side(noise=0.5), side({"jax jit": 1.2}, seed=100, noise=0.5))
    assert judge(folder).status == "undecided"
    assert main([str(folder)]) == 0
    assert main([str(folder), "--strict"]) == 1
    results = [result for of in junit_cases(folder).values() for result in of]
    assert {type(result) for result in results} == {Skipped}
    assert all(result.message.startswith("undecided: ") for result in results)


def nervous(records: Sequence[Record], seed: int) -> list[Record]:
    """The same on a machine whose pace changes the calibration twice as much as training."""
    random = np.random.default_rng(seed)

    def slowed(chunk: Chunk, pace: float) -> Chunk:
        times = {"wall": chunk.wall * pace**0.5, "cpu": chunk.cpu * pace**0.5}
        return replace(chunk, **times, calibration=chunk.calibration * pace)

    def moved(record: Record) -> Record:
        pace = float(np.exp(random.normal(0, 0.3)))
        assert record.measurement is not None
        result = record.measurement.result
        assert isinstance(result, Regression)
        timed = tuple(slowed(chunk, pace) for chunk in result.timed)
        measurement = replace(record.measurement, result=replace(result, timed=timed))
        return replace(record, measurement=measurement)

    return [moved(record) for record in records]


def test_what_the_calibration_explains_is_taken_out_and_no_more(tmp_path: Path) -> None:
    base, head = side(drift=1), side({"keras fit": 1.2}, seed=100, drift=1)
    judgement = judge(compared(tmp_path, nervous(base, 1), nervous(head, 2)))
    (slope,) = judgement.slopes
    assert slope is not None
    assert 0.4 < slope < 0.7
    times = found(judgement)
    assert judgement.to_confirm == (CELLS[2],)
    for cell, finding in times.items():
        assert finding.effect is not None
        assert finding.wall is not None
        assert finding.effect.half_width < 0.04
        assert finding.wall.half_width > 0.08
        if cell != CELLS[2]:
            assert finding.outcome == "no difference"


def test_a_run_that_tells_a_state_from_itself_says_nothing_of_time(tmp_path: Path) -> None:
    head = side({"jax jit": 1.5}, seed=100, twin=0.12)
    judgement = judge(compared(tmp_path, side(), head, itself=([PYTORCH], [])))
    assert judgement.status == "undecided"
    assert not judgement.to_confirm
    assert {f.outcome for f in found(judgement).values()} == {"undecided"}
    assert {f.outcome for f in found(judgement, "host memory").values()} == {"no difference"}


def test_a_state_that_is_told_from_itself_by_less_than_matters_does_no_harm(
    tmp_path: Path,
) -> None:
    head = side({"jax jit": 1.3}, seed=100, twin=0.103, noise=0.01)
    fine = judge(compared(tmp_path / "fine", side(), head, itself=([PYTORCH], [])))
    (sentinel,) = fine.sentinels
    assert sentinel.apart
    assert fine.to_confirm == (CELLS[1],)
    assert not fine.void
    strict = compared(tmp_path / "strict", side(), head, itself=([PYTORCH], []), threshold=0.02)
    assert not judge(strict).to_confirm
    assert "by more than the threshold" in judge(strict).void


def only(records: Sequence[Record], framework: str = "pytorch") -> list[Record]:
    return [record for record in records if record.trial.framework == framework]


def in_two_rounds(folder: Path, itself: Sequence[Record]) -> Judgement:
    """PyTorch 15% slower, twice, against a threshold of 5%; ``itself`` is the second's sentinel."""
    slower = {"pytorch eager": 1.15}
    base = side() + side(first=PAIRS)
    head = [*side(slower, seed=100), *only(side(slower, first=PAIRS, seed=200)), *itself]
    return judge(
        compared(folder, base, head, again=[PYTORCH], itself=([], [PYTORCH]), threshold=0.05)
    )


def met(twin: float = 0.1, noise: float = 0.02) -> list[Record]:
    """The head against itself in a second round; again with steps of ``twin`` seconds, not 0.1."""
    records = side(first=PAIRS, seed=300, twin=twin, noise=noise)
    return [record for record in records if record.trial.label]


def test_no_cell_fails_by_a_threshold_finer_than_what_it_is_told_from_itself_to(
    tmp_path: Path,
) -> None:
    judgement = in_two_rounds(tmp_path / "quiet", met())
    (sentinel,) = judgement.sentinels
    assert (sentinel.cell, sentinel.round, sentinel.pairs) == (PYTORCH, 2, PAIRS)
    assert threshold(judgement.comparison, sentinel) == 0.05
    assert judgement.status == "failed"

    judgement = in_two_rounds(tmp_path / "noisy", met(noise=0.15))
    (sentinel,) = judgement.sentinels
    limit = threshold(judgement.comparison, sentinel)
    assert limit is not None
    assert sentinel.resolution is not None
    assert limit > 2 * sentinel.resolution > 0.15
    assert found(judgement)[PYTORCH].outcome == "not confirmed"


@pytest.mark.parametrize(("twin", "blocks"), [(0.12, PAIRS), (0.1, 5)])
def test_what_cannot_be_told_from_itself_is_not_confirmed(
    tmp_path: Path, twin: float, blocks: int
) -> None:
    """Or is told from itself: the head that once takes 20% longer than the same head again."""
    itself = [record for record in met(twin) if record.trial.block < PAIRS + blocks]
    judgement = in_two_rounds(tmp_path, itself)
    finding = found(judgement)[PYTORCH]
    assert finding.outcome == "not confirmed"
    assert "in a second: undecided, " in finding.reason
    assert finding.second is not None
    assert judgement.status == "passed"


def test_a_cell_that_is_told_from_itself_badly_blinds_no_other(tmp_path: Path) -> None:
    slower = {"jax jit": 1.2}
    noisy = only(side(seed=100, twin=0.1, noise=0.3))
    quiet = [r for r in side(slower, seed=200) if r.trial.framework != "pytorch"]
    judgement = judge(compared(tmp_path, side(), noisy + quiet, itself=([PYTORCH], [])))
    (sentinel,) = judgement.sentinels
    limit = threshold(judgement.comparison, sentinel)
    assert limit is not None
    assert limit > 0.2
    assert judgement.to_confirm == (CELLS[1],)


def test_a_difference_too_small_to_be_felt_is_no_failure(tmp_path: Path) -> None:
    judgement = judge(
        compared(tmp_path, side(step=1e-4), side({"jax jit": 1.4}, seed=100, step=1e-4))
    )
    assert found(judgement)[CELLS[1]].outcome == "perhaps worse"
    assert not judgement.to_confirm


def test_memory_accuracy_and_compilations_are_judged_too(tmp_path: Path) -> None:
    def larger(chunks: tuple[Chunk, ...]) -> Regression:
        return measured(chunks, host=460 * MIB)

    def wrong(chunks: tuple[Chunk, ...]) -> Regression:
        return measured(chunks, accuracy=0.08)

    def compiled(chunks: tuple[Chunk, ...]) -> Regression:
        return measured(chunks, compilations=3)

    for metric, of in (("host memory", larger), ("accuracy", wrong), ("compilations", compiled)):
        head = side(seed=100, of=of) + side(seed=200, first=PAIRS, of=of)
        base = side() + side(first=PAIRS)
        judgement = judge(compared(tmp_path / metric, base, head, again=CELLS))
        assert judgement.status == "failed"
        outcomes = {(f.metric, f.outcome) for f in judgement.findings}
        assert (metric, "worse") in outcomes
        assert {m for m, outcome in outcomes if outcome != "no difference"} == {metric}
        better = judge(compared(tmp_path / f"no {metric}", head, base, again=CELLS))
        assert better.status == "passed"
        assert (metric, "better") in {(f.metric, f.outcome) for f in better.findings}


def test_what_nobody_counts_is_not_judged(tmp_path: Path) -> None:
    def uncounted(chunks: tuple[Chunk, ...]) -> Regression:
        return measured(chunks, compilations=None)

    judgement = judge(compared(tmp_path, side(of=uncounted), side(seed=100, of=uncounted)))
    assert not found(judgement, "compilations")


def failed(record: Record) -> Record:
    return replace(
        record,
        status="error",
        message="RuntimeError: <no> | such thing",
        certificate=None,
        measurement=None,
    )


def test_processes_that_fail_in_the_head_only_are_a_failure(tmp_path: Path) -> None:
    head = [
        failed(record) if record.trial.framework == "jax" and record.trial.block % 2 else record
        for record in side(seed=100)
    ]
    judgement = judge(compared(tmp_path, side(), head))
    assert judgement.status == "failed"
    (failure,) = (f for f in judgement.findings if f.fails)
    assert (failure.cell, failure.metric) == (CELLS[1], "failures")
    assert found(judgement)[CELLS[1]].outcome == "undecided"


def test_what_fails_in_both_is_undecided(tmp_path: Path) -> None:
    broken = [failed(r) if r.trial.framework == "jax" else r for r in side()]
    judgement = judge(compared(tmp_path, broken, broken))
    assert judgement.status == "undecided"
    assert found(judgement)[CELLS[1]].reason == "no pair of processes is left"


def test_a_head_that_computes_something_else_is_a_failure(tmp_path: Path) -> None:
    head = [record for record in side(seed=100) if record.trial.framework != "jax"]
    folder = compared(tmp_path, side(), head)
    proof = folder / "head" / "proof"
    proof.mkdir()
    for record in side(seed=100)[: len(ARMS)]:
        append_record(proof, failed(record) if record.trial.framework == "jax" else record)
    judgement = judge(folder)
    (failure,) = (f for f in judgement.findings if f.fails)
    assert (failure.cell, failure.metric) == (CELLS[1], "equivalence")
    assert CELLS[1] not in found(judgement)


def test_trials_that_the_machine_disturbed_are_left_out(tmp_path: Path) -> None:
    def stolen(record: Record) -> Record:
        assert record.measurement is not None
        result = record.measurement.result
        assert isinstance(result, Regression)
        timed = tuple(replace(chunk, stolen=chunk.wall) for chunk in result.timed)
        measurement = replace(record.measurement, result=replace(result, timed=timed))
        return replace(record, measurement=measurement)

    head = [
        stolen(record) if record.trial.framework == "jax" and record.trial.block < 6 else record
        for record in side(seed=100)
    ]
    judgement = judge(compared(tmp_path, side(), head))
    jax = found(judgement)[CELLS[1]]
    assert (jax.outcome, jax.pairs) == ("undecided", 6)


def test_stored_records_serve_for_every_round_and_are_said_to_be_weaker(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = side({"jax jit": 1.3}, seed=100) + side({"jax jit": 1.3}, seed=200, first=PAIRS)
    folder = compared(tmp_path, side(), head, again=[CELLS[1]], kind="stored")
    assert main([str(folder)]) == 1
    assert "a weaker comparison" in " ".join(capsys.readouterr().out.split())
    assert found(judge(folder))[CELLS[1]].outcome == "worse"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("code", "The base has another bench/; both are measured by the head's."),
        ("stored", "The base's records were made by another bench/: "),
    ],
)
def test_whose_harness_measured_the_base_is_said(tmp_path: Path, kind: Kind, said: str) -> None:
    judgement = judge(compared(tmp_path, side(), side(seed=100), kind=kind))
    differing = replace(judgement.comparison, harness_differs=True)
    assert not any("bench/" in line for line in sentences(judgement))
    assert any(
        line.startswith(said) for line in sentences(replace(judgement, comparison=differing))
    )


# Of the elements we write, what junit-10.xsd (Jenkins' xUnit plugin) allows: attributes, children.
JUNIT_ELEMENTS = {
    "testsuites": ("name time tests failures errors", "testsuite"),
    "testsuite": (
        "name tests failures errors group time skipped timestamp hostname id package file log url",
        "testsuite properties testcase system-out system-err",
    ),
    "testcase": ("name time classname group", "skipped error failure system-out system-err"),
    "failure": ("type message", ""),
    "skipped": ("type message", ""),
    "system-out": ("", ""),
}


def junit_cases(folder: Path) -> dict[tuple[str, str], list[Any]]:
    """What a reader of JUnit's files finds: class and name, and how it ended; nothing if well."""
    tree = ET.fromstring((folder / JUNIT).read_text(encoding="utf-8"))  # noqa: S314, our own file
    for element in tree.iter():
        attributes, children = (set(of.split()) for of in JUNIT_ELEMENTS[element.tag])
        assert set(element.attrib) <= attributes
        assert {child.tag for child in element} <= children
    read = JUnitXml.fromfile(str(folder / JUNIT))
    (suite,) = read
    cases = {(case.classname, case.name): case.result for case in suite}
    assert (read.tests, suite.tests) == (len(cases), len(cases))
    results = [type(result) for of in cases.values() for result in of]
    assert (suite.failures, suite.skipped) == (results.count(Failure), results.count(Skipped))
    return cases


def test_it_is_written_for_people_programs_and_whatever_shows_tests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slower = {"pytorch eager": 1.3}
    head = side(slower, seed=100, twin=0.13) + side(slower, first=PAIRS, seed=200)
    folder = compared(
        *(tmp_path, side() + side(first=PAIRS), head),
        again=[PYTORCH],
        itself=([PYTORCH], [PYTORCH]),
    )
    assert main([str(folder)]) == 0
    said = "Round 2, listing1 pytorch eager against itself: 0 pairs are left, too few."
    assert said in " ".join(capsys.readouterr().out.split())
    for record in met():
        append_record(folder / "head" / "pairs", record)
    assert main([str(folder)]) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "failed, because of listing1 pytorch eager (time per step)" in printed
    for number in (1, 2):
        said = rf"Round {number}, {PYTORCH} against itself: \d\.\d+ \(.*?\), so told apart"
        assert re.search(said, printed)
    page = (folder / PAGE).read_text()
    assert page.startswith("# Regressions: failed\n")
    (row,) = (line for line in page.splitlines() if "pytorch (eager) | time per step" in line)
    assert "| worse |" in row
    summary = json.loads((folder / SUMMARY).read_text())
    assert summary["status"] == "failed"
    assert {row["outcome"] for row in summary["findings"]} == {"worse", "no difference"}
    assert [(of["round"], of["pairs"], of["apart"]) for of in summary["sentinels"]] == [
        *((1, PAIRS, False), (2, PAIRS, False))
    ]
    cases = junit_cases(folder)
    assert len(cases) == len(summary["findings"])
    (name,) = (name for name, results in cases.items() if results)
    assert name == ("regress.listing1", "pytorch eager: time per step")
    assert [type(result) for result in cases[name]] == [Failure]


def test_a_round_without_all_of_its_pairs_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # What a block that was broken off may have left does not count.
    folder = compared(tmp_path, side(), side(seed=100), pairs=9)
    assert main([str(folder)]) == 0
    said = "Round 1 has 9 of 12 pairs: after 1.5 minutes none was begun any more (--budget)."
    assert said in " ".join(capsys.readouterr().out.split())
    assert said in (folder / PAGE).read_text()
    assert {of.pairs for of in found(judge(folder)).values()} == {9}


def test_texts_from_outside_stay_texts(tmp_path: Path) -> None:
    head = [failed(r) if r.trial.framework == "jax" else r for r in side(seed=100)]
    folder = compared(tmp_path, side(), head)
    assert main([str(folder)]) == 1
    page = (folder / PAGE).read_text()
    assert r"\<no\> \| such thing" in page
    (result,) = junit_cases(folder)["regress.listing1", "jax jit: failures"]
    assert "<no> | such thing" in result.message


def test_cells_to_confirm_are_all_that_is_printed_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = compared(tmp_path, side(), side({"jax jit": 1.3}, seed=100))
    assert main([str(folder), "--confirm"]) == 0
    assert json.loads(capsys.readouterr().out) == [asdict(CELLS[1])]
    assert not (folder / PAGE).exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "holds no comparison"),
        ("{", "cannot be used"),
        ('{"schema": 3}', "cannot be used (at "),
        ("null", "of another version"),
    ],
)
def test_what_is_no_comparison_is_one_line(
    tmp_path: Path, content: str | None, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / COMPARISON).write_text(content)
    assert main([str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert problem in said
    assert len(said.splitlines()) == 1
