import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from bench.errors import UserError
from bench.records import RECORDS, Record
from report.__main__ import main
from report.console import print_tables
from report.load import load_run
from report.overview import FIGURES, TABLES, arrange
from report.sections import TABLE_KEYS
from report.write import PAGE, REPORT, SUMMARY, write_report

Builder = Callable[..., Record]
Writer = Callable[..., Path]


def page(folder: Path) -> str:
    write_report(arrange(load_run(folder)), folder)
    return (folder / "report.md").read_text(encoding="utf-8")


def printed(folder: Path, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    with console.capture() as capture:
        print_tables(console, arrange(load_run(folder)))
    return capture.get()


def test_a_full_run(full_records: list[Record], write_run: Writer) -> None:
    run = write_run(full_records, planned=24, name="2025-11-23")
    text = page(run)
    assert text.startswith("# Run 2025-11-23\n\n24 of 24 trials recorded (24 ok). Timed")
    assert "resume" not in text
    assert "## 1. cifar10 aaaaaaaaaaaa, cpu, fp32, 1 thread, 1,000 training images" in text
    assert "| listing1 | pytorch (eager) | 512 (341-1024) | 250 (125-375) | 13 (9-26) |" in text
    assert "A row of a comparison has 3 repeats" in text
    # per trial ten chunks of s seconds, one of twice as many, and epochs of 1 second and s
    assert "recorded (24 ok). Timed: 1,116 of 2,400 seconds of all trials (46%).\n" in text
    assert "no confidence interval" in text
    assert "Some CPU, 8 logical processors, no GPU, Linux 6.1, 16.0 GiB memory" in text
    assert "    python -m report 2025-11-23\n" in text
    assert "Warning" not in text
    assert "did not finish" not in text
    assert str(run.parent) not in text
    assert not [line for line in text.splitlines() if line.endswith("..")]


ROW = ["listing1", "pytorch", "512"]


def test_the_terminal_shows_the_same_numbers_within_its_width(
    full_records: list[Record], write_run: Writer
) -> None:
    text = printed(write_run(full_records))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    (row,) = (place for place, line in enumerate(lines) if line.split()[:3] == ROW)
    assert lines[row].split()[3:] == ["13", "0.50", "512", "51.0", "3/3"]
    assert lines[row + 1].split() == ["eager", "341-1024", "9-26", "50.0-52.0"]


def test_no_number_is_broken_in_two(make_record: Builder, write_run: Writer) -> None:
    records = [
        make_record(block=block, inputs=str(block), step_seconds=seconds, peak_host_bytes=peak)
        for block, seconds, peak in ((0, 0.0102, 10**11), (1, 0.0099, 2 * 10**11))
    ]
    text = printed(write_run(records))
    assert "12549-12929" in text
    assert "95367-190735" in text


def test_the_terminal_shows_other_scenarios_and_intervals(
    make_record: Builder, write_run: Writer
) -> None:
    arms = (("jax", "jit"), ("pytorch", "eager"))
    records = [
        make_record(
            framework=framework, mode=mode, block=block, inputs=str(block), scenario=scenario
        )
        for block in range(3)
        for framework, mode in arms
        for scenario in ("training", "inference", "sweep", "memory")
    ]
    text = printed(write_run(records))
    for title in ("Comparison", "Speed as a ratio", "Ceiling", "Inference", "Memory of training"):
        assert f"\n{title}" in text
    assert "1.00 to 1.00" in text
    assert "Timed: " in text
    assert "Discarded for what the machine did to them: 0 of 18 timed trials." in text
    assert "Epoch by epoch" not in text


def test_csv_files_hold_twelve_digits(full_records: list[Record], write_run: Writer) -> None:
    run = write_run(full_records)
    write_report(arrange(load_run(run)), run)
    assert {path.name for path in (run / "tables").iterdir()} == {
        f"1-{key}.csv" for key in TABLE_KEYS
    }
    rows = pd.read_csv(run / "tables" / "1-comparison.csv")
    eager = rows[(rows["workload"] == "listing1") & (rows["mode"] == "eager")].iloc[0]
    assert eager["images_per_second_low"] == 341.333333333
    assert eager["peak_host_bytes"] == 512 * 2**20
    assert eager["dataset_digest"] == "a" * 64
    assert eager["threads"] == 1


def test_an_unfinished_run_says_how_to_go_on(full_records: list[Record], write_run: Writer) -> None:
    run = write_run(full_records[:12], planned=24, name="a run")
    text = page(run)
    assert "12 of 24 trials recorded (12 ok)." in text
    assert "    nox -s bench -- --resume 'a run'\n" in text
    assert "A row of a comparison has 1 to 2 repeats" in text
    assert "12 of 24 trials recorded" in printed(run)
    assert "resume with: nox -s bench -- --resume 'a run'" in printed(run)


def test_commands_name_the_folder_from_where_they_are_given(
    make_record: Builder, write_run: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run([make_record()], planned=2)
    monkeypatch.chdir(run.parent.parent)
    text = page(run.relative_to(Path.cwd()))
    assert f"--resume {run.parent.name}/run\n" in text
    assert f"    python -m report {run.parent.name}/run\n" in text


def test_a_run_without_records(write_run: Writer) -> None:
    planned = write_run([], planned=24, name="planned")
    assert "0 of 24 trials recorded." in page(planned)
    assert "0 of 24 trials recorded" in printed(planned)
    (planned / "plan.json").write_text("?", encoding="utf-8")
    assert "Nothing was recorded." in page(planned)


def test_a_repeated_failure_is_one_trial_of_the_plan(
    make_record: Builder, write_run: Writer
) -> None:
    failed = make_record(status="error", message="boom")
    assert "1 of 2 trials recorded (1 error, 1 ok)." in page(
        write_run([failed, make_record()], planned=2)
    )


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        ("synthetic", "generated images: accuracies are not those of CIFAR-10"),
        ("cifar10-jpeg", "a lossy re-encoding of CIFAR-10, not the canonical pixels"),
        ("images", "a folder of the user's own images"),
    ],
)
def test_what_is_not_cifar10_is_said_to_be_so(
    make_record: Builder, write_run: Writer, dataset: str, said: str
) -> None:
    run = write_run([make_record(dataset=dataset)])
    assert said in page(run)
    assert said in " ".join(printed(run, width=1000).split())


def test_cifar10_needs_no_note(make_record: Builder, write_run: Writer) -> None:
    text = page(write_run([make_record()]))
    assert "generated" not in text
    assert "lossy" not in text


def test_problems_come_first(make_record: Builder, write_run: Writer) -> None:
    run = write_run([make_record(), make_record(framework="jax", inputs="2" * 64)])
    with (run / RECORDS).open("ab") as file:
        file.write(b'{"schema"')
    text = page(run)
    assert text.index("**Warning:** not the same training: ") < text.index("## 1.")
    assert text.index("**Warning:** The last line of records.jsonl was cut") < text.index("## 1.")
    assert "not the same training" in printed(run)


HOSTILE = "\x1b[2J\n| <script>alert(1)</script> [x](http://x.y) ![i](j) `c` *b* [bold]r[/bold]"


def test_text_from_outside_stays_text(make_record: Builder, write_run: Writer) -> None:
    failed = make_record(status="error", message=HOSTILE, cpu=HOSTILE, dataset="<b>|\n# x")
    run = write_run([replace(failed, code=replace(failed.code, commit=HOSTILE))])
    text = page(run)
    assert "\x1b" not in text
    assert "<script>" not in text.replace(r"\<", "")
    assert "<b>" not in text.replace(r"\<", "")
    assert "://" not in text
    assert "\n# x" not in text
    (row,) = (line for line in text.splitlines() if "| error |" in line)
    assert row.count("|") - row.count(r"\|") == 7
    assert r"\\x1b\[2J\\n\| \<script\>alert(1)\</script\> \[x\](http:\//x.y)" in row
    shown = printed(run, width=400)
    assert "\x1b" not in shown
    assert r"\x1b[2J\n| <script>alert(1)</script> [x](http://x.y)" in shown
    assert "[bold]r[/bold]" in shown
    csv = (run / "tables" / "1-unfinished.csv").read_text(encoding="utf-8")
    assert "\x1b" not in csv
    assert len(csv.splitlines()) == 2


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_no_text_is_a_formula_of_a_spreadsheet(
    make_record: Builder, write_run: Writer, start: str
) -> None:
    run = write_run([make_record(status="error", message=f"{start}1+1")])
    write_report(arrange(load_run(run)), run)
    rows = pd.read_csv(run / "tables" / "1-unfinished.csv")
    assert rows["message"].tolist() == [f"'{start}1+1"]


def test_long_messages_are_shortened_on_the_page_only(
    make_record: Builder, write_run: Writer
) -> None:
    run = write_run([make_record(status="error", message="x" * 5000)])
    assert "x" * 299 + "… |" in page(run)
    assert "x" * 5000 in (run / "tables" / "1-unfinished.csv").read_text(encoding="utf-8")


def test_the_terminal_says_where_the_rest_of_a_table_is(
    make_record: Builder, write_run: Writer
) -> None:
    run = write_run([make_record(block=block, status="error") for block in range(201)])
    assert "The first 200 of 201 rows; tables/1-unfinished.csv has all." in printed(run)


def test_two_data_sets_are_two_sections(make_record: Builder, write_run: Writer) -> None:
    run = write_run([make_record(), make_record(dataset="synthetic", digest="b" * 64)])
    text = page(run)
    assert text.index("## 1. cifar10 aaaaaaaaaaaa") < text.index("## 2. synthetic bbbbbbbbbbbb")
    assert text.count("### Comparison") == 2
    assert "cannot be compared with each other" in text
    assert "cannot be compared with each other" in printed(run, width=200)


def test_rebuilding_changes_nothing_and_leaves_nothing(
    make_record: Builder, write_run: Writer
) -> None:
    run = write_run([make_record(), make_record(digest="b" * 64)])
    first = page(run)
    (run / "tables" / "mine.csv").touch()
    assert page(run) == first
    lines = (run / RECORDS).read_bytes().splitlines(keepends=True)
    (run / RECORDS).write_bytes(lines[0])
    write_report(arrange(load_run(run)), run)
    names = {path.name for path in (run / "tables").iterdir()}
    assert "mine.csv" in names
    assert "1-comparison.csv" in names
    assert not any(name.startswith(("2-", ".")) for name in names)
    written = [FIGURES, PAGE, RECORDS, REPORT, SUMMARY, TABLES]
    assert sorted(path.name for path in run.iterdir()) == sorted(written)


def test_an_old_report_survives_a_bad_record(make_record: Builder, write_run: Writer) -> None:
    run = write_run([make_record()])
    before = page(run)
    with (run / RECORDS).open("ab") as file:
        file.write(b"{}\n")
    assert main([str(run)]) == 2
    assert (run / "report.md").read_text(encoding="utf-8") == before


def test_a_file_is_replaced_whole_or_not_at_all(
    make_record: Builder, write_run: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run([make_record()])
    before = page(run)

    def fail(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(UserError, match="cannot write the report"):
        write_report(arrange(load_run(run)), run)
    assert (run / "report.md").read_text(encoding="utf-8") == before
    assert not list(run.rglob(".*"))


def test_a_folder_that_cannot_be_written(make_record: Builder, write_run: Writer) -> None:
    run = write_run([make_record()])
    (run / "tables").touch()
    with pytest.raises(UserError, match="cannot write the report"):
        write_report(arrange(load_run(run)), run)
