"""Constructed pipelines, of which it is known what should be said."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.contract import Source
from bench.records import Record
from report.load import load_run
from report.sections import Section, build_sections
from tests.report.conftest import make_pipeline

Builder = Callable[..., Record]
Writer = Callable[..., Path]
Growths = Mapping[str, tuple[float, float]]

SIZES = (1_024, 10_240, 102_400, 1_024_000)
SAME = {"pytorch eager": (1.0, 1.1), "tensorflow graph": (1.0, 1.1), "keras fit": (1.0, 1.1)}
"""Seconds of a batch of the smallest data set, and the factor with every tenfold of images."""


@pytest.fixture
def section_of(write_run: Writer) -> Callable[[Sequence[Record]], Section]:
    def section(records: Sequence[Record]) -> Section:
        (found,) = build_sections(load_run(write_run(records)))
        return found

    return section


@pytest.fixture
def read(make_record: Builder) -> Callable[..., list[Record]]:
    """Trials of every arm, source and size, in blocks of a machine that is never the same."""

    def records(
        growths: Growths,
        *,
        sizes: Sequence[int] = SIZES,
        sources: Sequence[Source] = ("files", "array"),
        number: int = 12,
        noise: float = 0.01,
    ) -> list[Record]:
        random = np.random.default_rng(0)
        found: list[Record] = []
        for block in range(number):
            machine = random.uniform(1, 2)
            for arm, (seconds, growth) in growths.items():
                framework, mode = arm.split()
                for source in sources:
                    for tenfold, images in enumerate(sizes):
                        scatter = random.uniform(1 - noise, 1 + noise)
                        taken = machine * scatter * 0.01 * seconds * growth**tenfold
                        found.append(
                            make_record(
                                framework=framework,
                                mode=mode,
                                workload="listing3",
                                scenario="pipeline",
                                source=source,
                                images=images,
                                block=block,
                                inputs=str(block),
                                position=len(found),
                                result=make_pipeline(alone=taken),
                            )
                        )
        return found

    return records


def verdict(section: Section) -> str:
    rows = section["verdicts"].rows
    return str(rows[rows["claim"] == "large-data"]["verdict"].item())


def conditions(section: Section, *, primary: bool = True) -> pd.DataFrame:
    rows = section["conditions"].rows
    return rows[(rows["claim"] == "large-data") & (rows["primary"] == ("yes" if primary else "no"))]


@pytest.mark.parametrize(
    ("growths", "expected"),
    [
        (SAME | {"pytorch eager": (1.0, 1.5)}, "supported"),
        (SAME, "refuted"),
        (SAME | {"tensorflow graph": (1.0, 1.5), "keras fit": (1.0, 1.5)}, "refuted"),
        # Slow from the start, and no more so with more images.
        (SAME | {"pytorch eager": (2.0, 1.1)}, "mixed"),
    ],
)
def test_both_the_level_and_the_slope_count(
    read: Callable[..., list[Record]],
    section_of: Callable[[Sequence[Record]], Section],
    growths: Growths,
    expected: str,
) -> None:
    section = section_of(read(growths))
    assert verdict(section) == expected
    assert len(conditions(section)) == 8


def test_a_level_and_a_slope_are_told_apart(
    read: Callable[..., list[Record]], section_of: Callable[[Sequence[Record]], Section]
) -> None:
    found = conditions(section_of(read(SAME | {"pytorch eager": (2.0, 1.1)})))
    level = found["condition"].str.contains("a million images or more")
    assert found[level]["verdict"].tolist() == ["supported"] * 4
    assert found[level]["ratio"].tolist() == pytest.approx([2.0] * 4, rel=0.02)
    assert found[~level]["verdict"].tolist() == ["refuted"] * 4
    assert found[~level]["ratio"].tolist() == pytest.approx([1.0] * 4, rel=0.02)


def test_growth_is_the_factor_for_ten_times_the_images(
    read: Callable[..., list[Record]], section_of: Callable[[Sequence[Record]], Section]
) -> None:
    found = conditions(section_of(read(SAME | {"pytorch eager": (1.0, 1.65)})))
    slopes = found[found["condition"].str.contains("every tenfold")]
    assert slopes["ratio"].tolist() == pytest.approx([1.5] * 4, rel=0.02)


def test_noise_decides_nothing(
    read: Callable[..., list[Record]], section_of: Callable[[Sequence[Record]], Section]
) -> None:
    section = section_of(read(SAME, number=3, noise=0.4))
    assert verdict(section) == "inconclusive"


def test_few_images_are_not_a_large_data_set(
    read: Callable[..., list[Record]], section_of: Callable[[Sequence[Record]], Section]
) -> None:
    found = conditions(section_of(read(SAME, sizes=SIZES[:2])))
    assert set(found["verdict"]) == {"not tested"}
    assert set(found["reason"]) == {
        "no block has so many of both",
        "no block has three sizes of both",
    }


def test_what_lacks_is_named(
    read: Callable[..., list[Record]], section_of: Callable[[Sequence[Record]], Section]
) -> None:
    without = {arm: growth for arm, growth in SAME.items() if arm != "keras fit"}
    section = section_of(read(without, sources=["files"]))
    found = conditions(section)
    keras = found[found["condition"].str.contains("keras")]
    assert keras["verdict"].tolist() == ["not tested"] * 4
    assert keras["reason"].str.contains("keras fit was not measured").all()
    array = found[found["condition"].str.startswith("array")]
    assert array["verdict"].tolist() == ["not tested"] * 4
    assert conditions(section, primary=False)["verdict"].tolist() == ["not tested"] * 4


def test_the_table_says_what_waiting_costs(
    read: Callable[..., list[Record]], section_of: Callable[[Sequence[Record]], Section]
) -> None:
    rows = section_of(read(SAME, number=1))["pipeline"].rows
    assert len(rows) == 3 * 2 * len(SIZES)
    assert rows["waiting"].tolist() == pytest.approx([0.2] * len(rows))
    assert rows["through"].tolist() == pytest.approx([64 / 0.025] * len(rows))
    assert rows["held"].tolist() == [64 * 2**20] * len(rows)
    assert rows["images"].tolist() == sorted(SIZES * 3) * 2
