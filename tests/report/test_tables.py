from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bench.records import Record
from report.load import load_run
from report.tables import Section, Table, build_sections

Builder = Callable[..., Record]
Writer = Callable[..., Path]


@pytest.fixture
def sections_of(write_run: Writer) -> Callable[[Sequence[Record]], tuple[Section, ...]]:
    return lambda records: build_sections(load_run(write_run(records)))


Sections = Callable[[Sequence[Record]], tuple[Section, ...]]


def shown(table: Table) -> list[dict[str, str]]:
    """Rows as a reader sees them, by the titles of the columns."""
    titles = [column.title for column in table.shown]
    return [
        dict(zip(titles, (f"{text} ({more})" if more else text for text, more in row), strict=True))
        for row in table.cells(table.shown)
    ]


def test_medians_and_ranges_of_a_full_run(
    full_records: list[Record], sections_of: Sections
) -> None:
    (section,) = sections_of(full_records)
    rows = section.comparison.rows
    assert list(zip(rows["workload"], rows["framework"], rows["mode"], strict=True)) == [
        (workload, framework, mode)
        for workload in ("listing1", "listing3")
        for framework, mode in (
            ("jax", "jit"),
            ("keras", "fit"),
            ("pytorch", "compile"),
            ("pytorch", "eager"),
        )
    ]
    jax, keras, compiled, eager = (rows.iloc[place] for place in range(4))
    # Epochs take 1 s and s seconds with s = arm + block + 1; a trial's median rate is that of the
    # two epochs halfway, (1000 / 1 + 1000 / s) / 2 images/s and 1000 * (1 + s) / 2 / 8 ms/step.
    # In eager mode s is 1, 2 and 3.
    assert eager["images_per_second"] == 750.0
    assert eager["images_per_second_low"] == pytest.approx(2000 / 3)
    assert eager["images_per_second_high"] == 1000.0
    assert eager[["ms_per_step", "ms_per_step_low", "ms_per_step_high"]].tolist() == [
        187.5,
        125.0,
        250.0,
    ]
    # Compiled, 2, 3 and 4.
    assert compiled["images_per_second"] == pytest.approx(2000 / 3)
    assert compiled["images_per_second_high"] == 750.0
    # In Keras, 3, 4 and 5.
    assert keras["images_per_second"] == 625.0
    # In JAX, 4, 5 and 6.
    assert jax["images_per_second"] == pytest.approx(600.0)
    assert jax["final_test_accuracy"] == 0.51
    assert (jax["final_test_accuracy_low"], jax["final_test_accuracy_high"]) == (0.5, 0.52)
    assert rows["compared"].tolist() == rows["trials"].tolist() == [3] * 8
    assert section.problems == ()


def test_cells_of_a_full_run(full_records: list[Record], sections_of: Sections) -> None:
    (section,) = sections_of(full_records)
    assert shown(section.comparison)[3] == {
        "workload": "listing1",
        "framework (mode)": "pytorch (eager)",
        "images/s": "750 (667-1000)",
        "step": "188 (125-250)",
        "first step": "0.50",
        "import": "1.50",
        "host peak": "512",
        "host sampled": "600",
        "accuracy": "51.0 (50.0-52.0)",
        "max deviation": "1e-06",
        "repeats": "3/3",
    }


def test_headings_name_unit_and_better_side(
    full_records: list[Record], sections_of: Sections
) -> None:
    (section,) = sections_of(full_records)
    headings = [column.heading for column in section.comparison.shown]
    assert headings[2:5] == ["images/s ↑", "step (ms) ↓", "first step (s) ↓"]
    assert section.heading == (
        "cifar10 aaaaaaaaaaaa, cpu, fp32, 4 threads, 1,000 training images, 2 epochs"
    )


def test_device_memory_is_shown_where_there_is_any(
    make_record: Builder, sections_of: Sections
) -> None:
    (section,) = sections_of(
        [
            make_record(device="cuda", peak_device_bytes=3 * 2**30),
            make_record(device="cuda", framework="jax", mode="jit"),
        ]
    )
    assert [row["device peak"] for row in shown(section.comparison)] == ["-", "3072"]


def test_epochs_are_summarised_one_by_one(
    full_records: list[Record], sections_of: Sections
) -> None:
    (section,) = sections_of(full_records)
    assert len(section.epochs.rows) == 2 * 4 * 2
    first, second = shown(section.epochs)[:2]
    assert first == {
        "workload": "listing1",
        "framework (mode)": "jax (jit)",
        "epoch": "1",
        "time": "1.00",
        "training loss": "2.00",
        "accuracy": "51.0 (50.0-52.0)",
    }
    assert second["time"] == "5.00 (4.00-6.00)"
    assert second["training loss"] == "1.90"


@pytest.mark.parametrize(
    "other",
    [
        {"digest": "b" * 64},
        {"dataset": "synthetic"},
        {"device": "cuda"},
        {"threads": 8},
        {"train_images": 2000},
        {"epoch_seconds": (1.0, 1.0, 1.0)},
        {"cpu": "Another CPU"},
        {"code_digest": "d" * 64},
    ],
)
def test_what_cannot_be_compared_never_meets(
    make_record: Builder, sections_of: Sections, other: dict[str, object]
) -> None:
    sections = sections_of(
        [
            make_record(framework="pytorch"),
            make_record(framework="jax", **other),
            make_record(framework="pytorch", block=1),
        ]
    )
    assert len(sections) == 2
    assert sorted(section.comparison.rows["framework"].tolist() for section in sections) == [
        ["jax"],
        ["pytorch"],
    ]
    assert sorted(section.comparison.rows["trials"].tolist() for section in sections) == [[1], [2]]
    assert all(section.problems == () for section in sections)


def test_failures_are_counted_and_listed_and_give_no_numbers(
    make_record: Builder, sections_of: Sections
) -> None:
    (section,) = sections_of(
        [
            make_record(block=0),
            make_record(block=1, status="error", message="boom"),
            make_record(framework="jax", mode="jit", block=1, status="out of memory", message="m"),
            make_record(framework="jax", mode="jit", block=0, status="timeout", message="slow"),
        ]
    )
    jax, pytorch = shown(section.comparison)
    assert (jax["images/s"], jax["repeats"]) == ("-", "0/2")
    assert (pytorch["images/s"], pytorch["repeats"]) == ("750", "1/2")
    assert [
        (row["framework (mode)"], row["block"], row["status"], row["message"])
        for row in shown(section.unfinished)
    ] == [
        ("jax (jit)", "0", "timeout", "slow"),
        ("jax (jit)", "1", "out of memory", "m"),
        ("pytorch (eager)", "1", "error", "boom"),
    ]


def test_a_run_of_failures_alone(make_record: Builder, sections_of: Sections) -> None:
    (section,) = sections_of([make_record(status="error", message="boom")])
    assert shown(section.comparison) == [
        {"workload": "listing1", "framework (mode)": "pytorch (eager)", "repeats": "0/1"}
    ]
    assert len(section.environment.rows) == len(section.epochs.rows) == 0


def test_different_inputs_are_told_and_left_out(
    make_record: Builder, sections_of: Sections
) -> None:
    (section,) = sections_of(
        [
            make_record(block=0, inputs="1" * 64),
            make_record(block=0, inputs="2" * 64, framework="jax", mode="jit"),
            make_record(block=1, inputs="3" * 64, epoch_seconds=(2.0, 2.0)),
            make_record(block=1, inputs="3" * 64, framework="jax", mode="jit"),
            make_record(block=0, inputs="4" * 64, workload="listing3"),
        ]
    )
    (problem,) = section.problems
    assert problem == (
        "not the same training: workload listing1, block 0: "
        "inputs 111111111111 of pytorch eager; inputs 222222222222 of jax jit. "
        "These 2 trials are left out of the comparison."
    )
    jax, pytorch, alone = shown(section.comparison)
    assert [row["repeats"] for row in (jax, pytorch, alone)] == ["1/2", "1/2", "1/1"]
    assert pytorch["images/s"] == "500"
    assert section.epochs.rows["workload"].tolist() == ["listing1"] * 4 + ["listing3"] * 2


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"learning_rate": 0.1},
            "not the same workload: workload listing1: network listing1, batch size 128",
        ),
        ({"timed": (1.0,)}, "not the same number of timed epochs: workload listing1: timed epo"),
        ({"version": "2.1"}, "not the same software: workload listing1, framework pytorch, mode"),
    ],
)
def test_medians_do_not_mix_workloads_or_versions(
    make_record: Builder, sections_of: Sections, change: dict[str, object], problem: str
) -> None:
    (section,) = sections_of([make_record(block=0), make_record(block=1, **change)])
    assert [told.startswith(problem) for told in section.problems] == [True]
    assert section.comparison.rows["compared"].tolist() == [0]


def test_memory_that_the_kernel_did_not_tell_is_not_zero(
    make_record: Builder, sections_of: Sections
) -> None:
    (section,) = sections_of(
        [
            make_record(block=0, peak_host_bytes=None),
            make_record(block=1, peak_host_bytes=100 * 2**20),
            make_record(block=0, framework="jax", mode="jit", peak_host_bytes=None),
        ]
    )
    assert [row["host peak"] for row in shown(section.comparison)] == ["-", "100"]


def test_the_environment_has_a_row_for_each_arm(
    make_record: Builder, sections_of: Sections
) -> None:
    (section,) = sections_of(
        [make_record(block=block) for block in (0, 1)] + [make_record(mode="compile")]
    )
    assert shown(section.environment) == [
        {
            "framework (mode)": f"pytorch ({mode})",
            "Python": "3.11.9",
            "distributions": "numpy 2.3.0, pytorch 2.0",
            "libraries": "oneDNN 3.7",
            "commit": "0123456789ab",
            "trials": trials,
        }
        for mode, trials in (("compile", "1"), ("eager", "2"))
    ]


def test_nothing_recorded_is_no_section(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{}", encoding="utf-8")
    assert build_sections(load_run(tmp_path)) == ()
