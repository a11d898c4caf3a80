import math
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.records import Example, Inference, Mistakes, Overhead, Record
from report.load import load_run
from report.processes import covariates_of, described, find_processes, medians
from tests.report.conftest import make_chunks

Builder = Callable[..., Record]
Writer = Callable[..., Path]

WARM_UP = [3.0] * 6 + [1.0] * 20


def test_a_trials_speed_is_that_of_its_steady_stretch(
    make_record: Builder, write_run: Writer
) -> None:
    run = load_run(
        write_run(
            [
                make_record(status="error"),
                make_record(chunks=make_chunks(WARM_UP, busy=0.5)),
                make_record(block=1, chunks=make_chunks([2.0] * 12)),
            ]
        )
    )
    processes = find_processes(run)
    trials = described(run, processes)
    assert set(processes) == {1, 2}
    assert trials["steady"].tolist()[1:] == ["warm-up", "flat"]
    assert trials["steady_chunks"].tolist()[1:] == [20, 12]
    # 8 steps of 128 images to a chunk
    assert trials["step_seconds"].tolist()[1:] == [0.125, 0.25]
    assert trials["images_per_second"].tolist()[1:] == [1024, 512]
    assert trials["busy"].tolist()[1:] == [0.5, 1.0]
    assert trials.iloc[0][["steady", "step_seconds", "images_per_second", "busy"]].isna().all()
    assert trials["discarded"].tolist() == ["", "", ""]
    assert processes[1].cpu.tolist() == [0.0625] * 20


def test_what_is_compiled_late_does_not_count(make_record: Builder, write_run: Writer) -> None:
    compilations = [1, 0, 0, 1] + [0] * 12
    chunks = make_chunks([1.0] * 4 + [1.01] * 12, compilations=compilations)
    run = load_run(write_run([make_record(chunks=chunks)]))
    (process,) = find_processes(run).values()
    assert (process.kind, len(process.wall)) == ("flat", 12)


def test_what_compiles_until_the_end_has_no_speed(make_record: Builder, write_run: Writer) -> None:
    chunks = make_chunks([1.0] * 12, compilations=[1] * 12)
    run = load_run(write_run([make_record(chunks=chunks)]))
    trials = described(run, find_processes(run))
    assert np.isnan(trials["images_per_second"].item())
    assert trials["steady"].item() == "no steady state"


def test_calibrations_are_divided_by_chunk_by_chunk(
    make_record: Builder, write_run: Writer
) -> None:
    """The machine runs at half its speed for every other chunk, and nothing is left of it."""
    slow = [1.0, 2.0] * 8
    chunks = make_chunks(slow, calibration=[0.005 * factor for factor in slow])
    run = load_run(write_run([make_record(chunks=chunks)]))
    (process,) = find_processes(run).values()
    assert process.normalised == pytest.approx(25.0)


@given(st.lists(st.lists(st.floats(1e-6, 1e6), max_size=9), max_size=9))
def test_medians_are_those_of_each_series(series: list[list[float]]) -> None:
    found = medians([np.array(values) for values in series])
    expected = [median(values) if values else math.nan for values in series]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("scenario", ["training", "inference", "overhead", "example", "mistakes"])
def test_every_trial_with_chunks_may_be_discarded(
    make_record: Builder, write_run: Writer, scenario: str
) -> None:
    stolen = make_chunks([1.0] * 10, stolen=0.2)
    result = {
        "training": None,
        "inference": Inference(latencies=(0.1,), batch_size=256, chunks=stolen),
        "overhead": Overhead(trainer=stolen[:5], bare=stolen[5:]),
        "example": Example(trainer=stolen[:5], example=stolen[5:]),
        "mistakes": Mistakes(
            right=stolen[:3], fed=stolen[3:5], scored=stolen[5:8], unfenced=stolen[8:], tf32=()
        ),
    }[scenario]
    run = load_run(write_run([make_record(scenario=scenario, result=result, chunks=stolen)]))
    trials = described(run, find_processes(run))
    assert trials["discarded"].item() == "the host took 20% of the time, more than 10%"


@given(st.floats(1e-3, 1e3), st.integers(1, 64))
def test_shares_of_time_do_not_depend_on_its_scale(scale: float, threads: int) -> None:
    """What is said of the covariates: neither long chunks nor many threads are disturbed more."""
    small = covariates_of(1.0, 0.9, 5.0, 0.05, threads=1)
    large = covariates_of(
        scale, 0.9 * scale * threads, 5 * scale * threads, 0.05 * scale * threads, threads=threads
    )
    assert (large.steal, large.switches, large.busy) == pytest.approx(
        (small.steal, small.switches, small.busy)
    )
