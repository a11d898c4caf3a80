from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.records import Record
from report.load import load_run
from report.precision import main, precision
from report.sections import build_sections
from tests.report.conftest import make_chunks

Builder = Callable[..., Record]
Writer = Callable[..., Path]


def noisy(
    make_record: Builder, blocks: int, noise: float, *, waiting: float = 0.0, threads: int = 1
) -> list[Record]:
    """Two equal arms whose times scatter by ``noise``, and wall times alone by ``waiting``."""
    random = np.random.default_rng(0)
    records: list[Record] = []
    for block in range(blocks):
        for framework, mode in (("jax", "jit"), ("pytorch", "eager")):
            seconds = np.exp(noise * random.normal()) * np.ones(12)
            waited = 1 + waiting * random.uniform()
            records.append(
                make_record(
                    framework=framework,
                    mode=mode,
                    block=block,
                    inputs=str(block),
                    threads=threads,
                    chunks=make_chunks((waited * seconds).tolist(), busy=1 / waited),
                )
            )
    return records


def printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> float:
    assert main([str(folder)]) == 0
    return float(capsys.readouterr().out)


def test_it_is_the_widest_half_width(
    make_record: Builder, write_run: Writer, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(noisy(make_record, 10, 0.05))
    (section,) = build_sections(load_run(run))
    (row,) = section["ratios"].rows.to_dict("records")
    found = printed(run, capsys)
    assert (1 + found) ** 2 == pytest.approx(row["ratio_high"] / row["ratio_low"])


def test_noise_and_blocks_show(make_record: Builder, write_run: Writer) -> None:
    found = [
        precision(build_sections(load_run(write_run(noisy(make_record, *how), name=str(how)))))
        for how in ((10, 0.2), (10, 0.05), (30, 0.05))
    ]
    assert found == sorted(found, reverse=True)


def test_cpu_time_counts_where_it_may_decide(
    make_record: Builder, write_run: Writer, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = noisy(make_record, 10, 0.01, waiting=0.9)
    assert printed(write_run(waiting, name="one"), capsys) < 0.03
    waiting = noisy(make_record, 10, 0.01, waiting=0.9, threads=2)
    assert printed(write_run(waiting, name="two"), capsys) > 0.1


def test_nothing_to_compare_is_precise_and_nothing_compared_is_not(
    make_record: Builder, write_run: Writer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert printed(write_run([make_record()], name="one arm"), capsys) == 0
    assert printed(write_run(noisy(make_record, 1, 0.1), name="one block"), capsys) == np.inf
    apart = [make_record(), make_record(framework="jax", block=1, inputs="2")]
    assert printed(write_run(apart, name="no block in common"), capsys) == np.inf
    assert printed(write_run([], planned=2, name="none"), capsys) == np.inf
    failing = [make_record(), make_record(framework="jax", status="error")]
    assert printed(write_run(failing, name="an arm that fails"), capsys) == 0
    busy = make_chunks([1.0] * 10, stolen=0.5)
    thrown = [make_record(chunks=busy), make_record(framework="jax", chunks=busy)]
    assert printed(write_run(thrown, name="all discarded"), capsys) == np.inf
    workloads = [make_record(), make_record(workload="listing3", inputs="2")]
    assert printed(write_run(workloads, name="one arm of two workloads"), capsys) == 0


def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "missing")]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
