"""A reduced run of the simulation; results/reference/coverage.md is the full one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from report.coverage import NOISES, QUIET, Judged, Noise, judge, main
from report.decisions import MARGINS
from report.statistics import Interval, rate_interval

REPETITIONS = 600
RESAMPLES = 99


def judged(noise: Noise, blocks: int) -> list[Judged]:
    return list(judge(noise, blocks, REPETITIONS, RESAMPLES, np.random.default_rng(blocks)))


def covers(intervals: list[Interval]) -> bool:
    """Whether the share that holds the truth may be as high as the intervals say."""
    holding = sum(not interval.excludes(0.0) for interval in intervals)
    return rate_interval(holding, len(intervals), 0.99).high >= intervals[0].confidence


def shrunk(interval: Interval) -> Interval:
    """Too narrow by a quarter."""
    middle, half = interval.estimate, 0.75 * interval.half_width
    return replace(interval, low=middle - half, high=middle + half)


@pytest.mark.parametrize(
    ("noise", "blocks"),
    [
        *((NOISES[0], 5), (NOISES[0], 10), (NOISES[3], 8), (NOISES[4], 12)),
        # Of so many the bootstrap joins neighbours.
        *((NOISES[0], 45), (NOISES[2], 120)),
    ],
)
def test_intervals_cover_and_ones_too_narrow_are_noticed(noise: Noise, blocks: int) -> None:
    found = judged(noise, blocks)
    for intervals in (
        [one.primary.superiority for one in found],
        [one.primary.equivalence for one in found],
        [one.check.superiority for one in found],
        [one.check.equivalence for one in found],
    ):
        assert covers(intervals)
        assert not covers([shrunk(interval) for interval in intervals])


@pytest.mark.parametrize("blocks", [5, 10])
def test_the_percentile_bootstrap_of_the_mean_does_not_cover(blocks: int) -> None:
    found = judged(NOISES[1], blocks)
    holding = sum(low <= 0 <= high for low, high in (one.percentile for one in found))
    assert rate_interval(holding, REPETITIONS, 0.99).high < 0.95


def test_verdicts_err_as_seldom_as_they_should_and_find_what_is_there() -> None:
    margin = MARGINS["speed", "cpu"]
    found = judged(QUIET[0], 12)

    def share(effect: float, decision: str) -> int:
        return sum(one.decide(effect, margin) == decision for one in found)

    for wrong, level in (
        (share(0.0, "faster") + share(0.0, "slower"), 0.05),
        (share(margin.limit, "faster"), 0.025),
        (share(margin.limit, "equal within the margin"), 0.05),
        (share(-margin.limit, "equal within the margin"), 0.05),
        (share(2 * margin.limit, "slower"), 0.025),
    ):
        assert rate_interval(wrong, REPETITIONS, 0.99).low <= level
    assert share(0.0, "equal within the margin") > 0.8 * REPETITIONS
    assert share(2 * margin.limit, "faster") > 0.8 * REPETITIONS


def test_the_simulation_is_as_described() -> None:
    noise = Noise(name="drift only", drift=0.5, memory=0.8, process=0.0, chunk=0.0)
    times = np.log(noise.simulate(np.random.default_rng(1), 2_000, 10))
    assert times.shape == (2_000, 10, 2, 9)
    assert times.std() == pytest.approx(0.5, rel=0.05)
    # Within a block the arms are neighbours in time, in either order alike.
    first, second = times[:, :, 0, 0], times[:, :, 1, 0]
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] == pytest.approx(0.8, abs=0.03)
    forward = np.corrcoef(first[:, :-1].ravel(), second[:, 1:].ravel())[0, 1]
    backward = np.corrcoef(second[:, :-1].ravel(), first[:, 1:].ravel())[0, 1]
    assert forward == pytest.approx(backward, abs=0.03)


def test_the_noisier_arm_is_the_second() -> None:
    noise = Noise(name="second", drift=0.0, process=0.1, chunk=0.0, second_arm=3.0)
    times = np.log(noise.simulate(np.random.default_rng(1), 1_000, 10))
    spreads = times.std(axis=(0, 1, 3))
    assert spreads == pytest.approx([0.1, 0.3], rel=0.05)


def test_the_page_is_written_and_the_same_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--repetitions", "2", "--resamples", "39", "--seed", "3"]
    assert main([*options, "--output", str(tmp_path / "page.md")]) == 0
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert main(options) == 0
    assert capsys.readouterr().out == text
    lines = text.splitlines()
    assert [line for line in lines if line.startswith("## ")] == [
        "## Coverage",
        "## Verdicts",
        "## Rates",
    ]
    widths = {line.count("|") for line in lines if line.startswith("| log-normal")}
    assert widths == {13}
    assert "--repetitions 2 --resamples 39 --seed 3" in text
