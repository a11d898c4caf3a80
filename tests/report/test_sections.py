from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import pytest

from bench.contract import Scenario, work
from bench.records import Inference, Record
from bench.workloads import training_operations
from report.load import load_run
from report.sections import ORDINARY, TABLE_KEYS, Section, build_sections
from report.tables.columns import Table, spread
from tests.report.conftest import make_chunks, make_gpu

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
    rows = section["comparison"].rows
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
    # Steady steps take s / 8 seconds with s = arm + block + 1, on 128 images: 1024 / s images/s.
    # In eager mode s is 1, 2 and 3.
    assert eager["images_per_second"] == 512.0
    assert eager["images_per_second_low"] == pytest.approx(1024 / 3)
    assert eager["images_per_second_high"] == 1024.0
    assert eager[list(spread("step_seconds"))].tolist() == [0.25, 0.125, 0.375]
    # Epochs take 1 second and s.
    assert eager[list(spread("epoch_seconds"))].tolist() == [1.5, 1.0, 2.0]
    # Compiled, 2, 3 and 4.
    assert compiled["images_per_second"] == pytest.approx(1024 / 3)
    assert compiled["images_per_second_high"] == 512.0
    # In Keras, 3, 4 and 5.
    assert keras["images_per_second"] == 256.0
    # In JAX, 4, 5 and 6.
    assert jax["images_per_second"] == pytest.approx(1024 / 5)
    assert jax["final_test_accuracy"] == 0.51
    assert (jax["final_test_accuracy_low"], jax["final_test_accuracy_high"]) == (0.5, 0.52)
    assert rows["compared"].tolist() == rows["trials"].tolist() == [3] * 8
    assert section.problems == ()


def test_cells_of_a_full_run(full_records: list[Record], sections_of: Sections) -> None:
    (section,) = sections_of(full_records)
    assert shown(section["comparison"])[3] == {
        "workload": "listing1",
        "framework (mode)": "pytorch (eager)",
        "images/s": "512 (341-1024)",
        "step": "250 (125-375)",
        "of ceiling": "13 (9-26)",
        "epoch": "1.50 (1.00-2.00)",
        "first step": "0.50",
        "import": "1.50",
        "host peak": "512",
        "host sampled": "600",
        "accuracy": "51.0 (50.0-52.0)",
        "max deviation": "1e-06",
        "steady": "3/3",
        "repeats": "3/3",
    }


def test_headings_name_unit_and_better_side(
    full_records: list[Record], sections_of: Sections
) -> None:
    (section,) = sections_of(full_records)
    headings = [column.heading for column in section["comparison"].shown]
    assert headings[2:5] == ["images/s ↑", "step (ms) ↓", "of ceiling (%) ↑"]
    assert section.heading == (
        "cifar10 aaaaaaaaaaaa, cpu, fp32, 1 thread, 1,000 training images, 2 epochs"
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
    assert [row["device peak"] for row in shown(section["comparison"])] == ["-", "3072"]


def test_epochs_are_summarised_one_by_one(
    full_records: list[Record], sections_of: Sections
) -> None:
    (section,) = sections_of(full_records)
    assert len(section["epochs"].rows) == 2 * 4 * 2
    first, second = shown(section["epochs"])[:2]
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
        {"allocator": "keep"},
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
    assert sorted(section["comparison"].rows["framework"].tolist() for section in sections) == [
        ["jax"],
        ["pytorch"],
    ]
    assert sorted(section["comparison"].rows["trials"].tolist() for section in sections) == [
        [1],
        [2],
    ]
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
    jax, pytorch = shown(section["comparison"])
    assert (jax["images/s"], jax["repeats"]) == ("-", "0/2")
    assert (pytorch["images/s"], pytorch["repeats"]) == ("1024", "1/2")
    assert [
        (row["framework (mode)"], row["block"], row["status"], row["message"])
        for row in shown(section["unfinished"])
    ] == [
        ("jax (jit)", "0", "timeout", "slow"),
        ("jax (jit)", "1", "out of memory", "m"),
        ("pytorch (eager)", "1", "error", "boom"),
    ]


def test_a_run_of_failures_alone(make_record: Builder, sections_of: Sections) -> None:
    (section,) = sections_of([make_record(status="error", message="boom")])
    assert shown(section["comparison"]) == [
        {
            "workload": "listing1",
            "framework (mode)": "pytorch (eager)",
            "steady": "0/0",
            "repeats": "0/1",
        }
    ]
    assert len(section["environment"].rows) == len(section["epochs"].rows) == 0


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
    jax, pytorch, alone = shown(section["comparison"])
    assert [row["repeats"] for row in (jax, pytorch, alone)] == ["1/2", "1/2", "1/1"]
    assert pytorch["images/s"] == "512"
    assert section["epochs"].rows["workload"].tolist() == ["listing1"] * 4 + ["listing3"] * 2


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
    assert section["comparison"].rows["compared"].tolist() == [0]


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
    assert [row["host peak"] for row in shown(section["comparison"])] == ["-", "100"]


def test_the_environment_has_a_row_for_each_arm(
    make_record: Builder, sections_of: Sections
) -> None:
    (section,) = sections_of(
        [make_record(block=block) for block in (0, 1)] + [make_record(mode="compile")]
    )
    assert shown(section["environment"]) == [
        {
            "framework (mode)": f"pytorch ({mode})",
            "Python": "3.11.9",
            "distributions": "numpy 2.3.0, pytorch 2.0",
            "libraries": "oneDNN 3.7",
            "commit": "0123456789ab",
            "trials": trials,
            "first record": record,
        }
        for mode, trials, record in (("compile", "1", "3"), ("eager", "2", "1"))
    ]


def test_nothing_recorded_is_no_section(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{}", encoding="utf-8")
    assert build_sections(load_run(tmp_path)) == ()


def test_all_tables_are_there_in_the_order_of_reading(
    full_records: list[Record], sections_of: Sections
) -> None:
    (section,) = sections_of(full_records)
    assert tuple(table.key for table in section.tables) == TABLE_KEYS
    for key in TABLE_KEYS:
        assert section[key].key == key
    with pytest.raises(KeyError):
        section["novel"]


@pytest.mark.parametrize("scenario", get_args(Scenario))
def test_every_scenario_can_be_run_alone(
    make_record: Builder, sections_of: Sections, scenario: Scenario
) -> None:
    """Each fills the tables that are of it; those that are judged elsewhere fill none."""
    (section,) = sections_of(
        [
            make_record(scenario=scenario, block=0),
            make_record(scenario=scenario, block=1),
            make_record(scenario=scenario, block=1, framework="jax", status="error", message="no"),
        ]
    )
    filled = {table.key for table in section.tables if len(table.rows)}
    ordinary = {"verdicts", "conditions", "source", "platforms", "environment"}
    always = {"unfinished"} | (ordinary if scenario in ORDINARY else set())
    assert filled == always | {
        "training": {"comparison", "ceiling", "threads", "epochs"},
        "sweep": {"sweep", "batch-sizes"},
        "overhead": set(),
        "example": set(),
        "mistakes": set(),  # of one arm there is nothing to compare
        "regression": set(),
        "calibration": set(),
    }.get(scenario, {scenario})
    assert section.problems == ()
    assert (section.repeats == (0, 2)) == (scenario == "training")


def test_trials_of_a_twin_are_in_no_table_but_the_sentinels(
    make_record: Builder, sections_of: Sections
) -> None:
    (section,) = sections_of(
        [
            make_record(block=block, inputs=str(block), label=label, step_seconds=seconds)
            for block in range(2)
            for label, seconds in (("", 0.1), ("twin", 0.3))
        ]
    )
    (row,) = section["comparison"].rows.to_dict("records")
    assert (row["step_seconds_high"], row["trials"]) == (0.1, 2)
    assert section["threads"].rows["threads_used"].tolist() == [9]
    assert len(section["ratios"].rows) == 0
    assert section["sentinel"].rows["ratio"].item() == pytest.approx(1 / 3)
    assert section["epochs"].rows["epoch"].tolist() == [1, 2]


def test_trials_are_discarded_for_what_the_machine_did(
    make_record: Builder, sections_of: Sections
) -> None:
    stolen = make_chunks([1.0] * 10, stolen=0.5)
    (section,) = sections_of(
        [
            make_record(block=0, step_seconds=0.1),
            make_record(block=1, chunks=stolen),
            make_record(block=0, framework="jax", mode="jit", step_seconds=50.0),
            make_record(block=1, framework="jax", mode="jit"),
        ]
    )
    jax, pytorch = shown(section["comparison"])
    assert (jax["repeats"], pytorch["repeats"]) == ("2/2", "1/2")
    assert pytorch["step"] == "100"
    (row,) = shown(section["unfinished"])
    assert row["status"] == "discarded"
    assert row["message"] == "the host took 50% of the time, more than 10%"
    assert section.notes == (
        "Discarded for what the machine did to them: 1 of 4 timed trials (pytorch eager 1 of 2).",
        "Without a steady state: 0 of 3 trials.",
    )
    assert section["ratios"].rows["blocks"].tolist() == [1]
    (problem,) = section.problems
    assert problem.startswith("1 of 4 timed trials were discarded for what the machine did to them")


def test_few_discarded_trials_are_no_warning(make_record: Builder, sections_of: Sections) -> None:
    (section,) = sections_of(
        [
            make_record(block=block, inputs=str(block), chunks=make_chunks([1.0] * 10, stolen=lost))
            for block, lost in enumerate((0.5, 0.0, 0.0, 0.0, 0.0))
        ]
    )
    assert len(section["unfinished"].rows) == 1
    assert section.problems == ()


def test_the_same_rule_discards_trials_of_other_scenarios(
    make_record: Builder, sections_of: Sections
) -> None:
    stolen = make_chunks([1.0] * 10, stolen=0.5)
    disturbed = Inference(latencies=(0.1,), batch_size=256, chunks=stolen)
    (section,) = sections_of(
        [
            make_record(scenario="inference"),
            make_record(scenario="inference", block=1, result=disturbed),
        ]
    )
    assert section["inference"].rows["trials"].tolist() == [1]
    assert len(section["unfinished"].rows) == 1


def test_more_processors_than_threads_are_flagged(
    make_record: Builder, sections_of: Sections
) -> None:
    (section,) = sections_of(
        [
            make_record(threads=4, chunks=make_chunks([1.0] * 10, busy=4.04)),
            make_record(
                threads=4, block=1, framework="jax", chunks=make_chunks([1.0] * 10, busy=4.1)
            ),
        ]
    )
    assert section.problems == (
        "jax eager used up to 4.10 CPU seconds per second on 4 threads, in 1 trial.",
    )
    assert [
        (row["CPU use"], row["threads given"], row["verified"]) for row in shown(section["threads"])
    ] == [
        ("4.10", "4", "1 of them above"),
        ("4.04", "4", "yes"),
    ]


def test_the_gpus_state_is_told(make_record: Builder, sections_of: Sections) -> None:
    (section,) = sections_of(
        [
            make_record(device="cuda", gpu_before=make_gpu(), gpu_after=make_gpu(celsius=71)),
            make_record(
                device="cuda",
                block=1,
                gpu_before=make_gpu(processes=1),
                gpu_after=make_gpu(throttled=("thermal", "power"), clock_mhz=900),
            ),
        ]
    )
    assert section.problems == (
        "The GPU's clock was held down (power, thermal) at 1 trial.",
        "Other processes computed on the GPU before 1 trial.",
    )
    assert section.notes[-1] == "GPU before and after trials: 900 to 1500 MHz, 40 to 71 °C."


def test_the_ceiling_is_the_most_that_any_framework_reached(
    make_record: Builder, sections_of: Sections
) -> None:
    (section,) = sections_of(
        [
            make_record(ceiling=(0.02, 0.01, 0.05), step_seconds=0.1),
            make_record(block=1, ceiling=(0.01, 0.02, 0.05), step_seconds=0.1),
            make_record(framework="jax", ceiling=(0.04, 0.04, 0.01), step_seconds=0.2),
        ]
    )
    done = work("cpu")
    jax, pytorch = section["ceiling"].rows.to_dict("records")
    assert pytorch["matmul"] == done["matmul"] / 0.01
    assert pytorch["conv"] == done["conv"] / 0.01
    assert (pytorch["matmul_best"], jax["matmul_best"]) == (True, False)
    assert (pytorch["copy_best"], jax["copy_best"]) == (False, True)
    assert (pytorch["records"], jax["records"]) == ("2 1", "3")
    assert [row["copy"] for row in shown(section["ceiling"])] == ["6.71 (best)", "1.34"]
    best = max(done["matmul"], done["conv"]) / 0.01
    shares = section["comparison"].rows["ceiling_share"].tolist()
    assert shares[1] == pytest.approx(1280 * training_operations("listing1") / best)
    assert shares[0] == pytest.approx(shares[1] / 2)
    assert section.problems == ()


def test_more_than_the_ceiling_is_no_achievement(
    make_record: Builder, sections_of: Sections
) -> None:
    (section,) = sections_of([make_record(step_seconds=0.001)])
    (problem,) = section.problems
    assert problem.startswith("pytorch eager reached ")
    assert "steps were not waited for" in problem
