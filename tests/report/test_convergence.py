from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.records import Record
from report.convergence import departures
from report.load import load_run
from report.sections import Section, build_sections

Builder = Callable[..., Record]
Writer = Callable[..., Path]

ARMS = ("pytorch eager", "tensorflow graph", "keras fit", "jax jit")


@pytest.fixture
def run(make_record: Builder, write_run: Writer) -> Callable[..., Path]:
    def build(
        apart: Mapping[str, float],
        *,
        blocks: int = 6,
        noise: float = 0.001,
        arms: Sequence[str] = ARMS,
        workloads: Sequence[str] = ("listing1",),
    ) -> Path:
        """Arms that end alike but for noise, and those ``apart`` by as much in ``listing1``."""
        random = np.random.default_rng(0)
        return write_run(
            [
                make_record(
                    framework=name.split()[0],
                    mode=name.split()[1],
                    workload=workload,
                    block=block,
                    inputs=f"{workload} {block}",
                    # Seeds differ far more than arms of one seed.
                    test_accuracy=0.6
                    + 0.02 * block
                    + random.normal(0, noise)
                    + (apart.get(name, 0.0) if workload == "listing1" else 0.0),
                    step_seconds=1.0 if name == "pytorch eager" else 2.0,
                )
                for workload in workloads
                for block in range(blocks)
                for name in arms
            ]
        )

    return build


def section(folder: Path) -> Section:
    (found,) = build_sections(load_run(folder))
    return found


@pytest.mark.parametrize("size", [0.03, -0.03])
def test_who_learns_otherwise_has_no_speed_to_compare(
    run: Callable[..., Path], size: float
) -> None:
    found = section(run({"jax jit": size}, workloads=["listing1", "listing3"]))
    (problem,) = found.problems
    where = "above" if size > 0 else "below"
    assert problem.startswith(("jax jit ends 3.0 points", "jax jit ends 2.9 points"))
    assert f"{where} the other arms on listing1" in problem
    assert set(found["ratios"].rows["workload"]) == {"listing3"}
    conditions = found["conditions"].rows
    speeds = conditions[(conditions["claim"] == "efficiency") & (conditions["primary"] == "yes")]
    of = speeds["condition"].str.contains("listing1")
    assert set(speeds["verdict"][of]) == {"not tested"}
    assert "not tested" not in set(speeds["verdict"][~of])
    # The measurements themselves are shown.
    assert set(found["comparison"].rows["workload"]) == {"listing1", "listing3"}


def test_seeds_and_noise_are_no_departure(run: Callable[..., Path]) -> None:
    assert section(run({}, noise=0.004)).problems == ()


def test_less_than_the_margin_is_no_departure_however_sure(run: Callable[..., Path]) -> None:
    assert section(run({"jax jit": 0.004}, noise=1e-5)).problems == ()


def test_what_a_single_block_shows_may_be_chance(run: Callable[..., Path]) -> None:
    assert section(run({"jax jit": 0.2}, blocks=1)).problems == ()


def test_one_arm_alone_departs_from_nothing(run: Callable[..., Path]) -> None:
    trials = load_run(run({"jax jit": 0.2}, arms=["jax jit"])).trials
    assert list(departures(trials)) == []


def test_chance_alone_departs_rarely() -> None:
    """Of runs whose arms are alike at most one in twenty, as declared, has any departure."""
    random = np.random.default_rng(1)
    runs = 300
    flagged = 0
    for _ in range(runs):
        rows = [
            {
                "workload": "listing1",
                "framework": name,
                "mode": "",
                "label": "",
                "device": "cpu",
                "block": block,
                "final_test_accuracy": random.normal(0.6, 0.01),
            }
            for block in range(5)
            for name in ARMS
        ]
        flagged += any(departures(pd.DataFrame(rows)))
    assert flagged / runs < 0.05
