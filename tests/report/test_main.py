import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.records import RECORDS, Record
from report import beside
from report.__main__ import main
from report.helpers import helpers
from report.write import PAGE

Builder = Callable[..., Record]
Writer = Callable[..., Path]


def test_a_run_is_rebuilt_and_printed(
    make_record: Builder, write_run: Writer, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run([make_record()])
    assert main([str(run)]) == 0
    assert (run / "report.md").exists()
    output = capsys.readouterr()
    assert "Comparison" in output.out
    assert f"report: {run / 'index.html'}\n" in output.out
    assert output.err == ""


def test_several_runs_make_one_report_elsewhere(
    make_record: Builder, write_run: Writer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    one = write_run([make_record()], name="one")
    other = write_run([make_record(seconds=50.0)], name="other")
    both = tmp_path / "both" / "report"
    assert main([str(one), str(other), "--output", str(both)]) == 0
    assert "one + other: 2 trials" in capsys.readouterr().out.replace("1 trial ", "2 trials ")
    assert (both / "report.md").exists()
    assert not (one / "report.md").exists()


def test_bad_folders_are_one_line_and_leave_nothing(
    make_record: Builder, write_run: Writer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    one = write_run([make_record()], name="one")
    other = write_run([make_record(seconds=50.0)], name="other")
    copy = write_run([make_record()], name="copy")
    missing, new = tmp_path / "missing", tmp_path / "new"
    for arguments, problem in (
        ([one, missing, "--output", new], f"{missing}: no such folder; give the folder of a run"),
        ([one, other], "several runs make one report; name a folder for it: --output FOLDER"),
        ([one, other, "--output", one], f"--output {one}: holds a run of its own; name another"),
        ([one, copy, "--output", new], f"{copy}: holds records of another of the runs; name it"),
    ):
        assert main(list(map(str, arguments))) == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err.startswith(f"error: {problem}")
    assert not any(path.exists() for path in (missing, new, one / "report.md"))


@pytest.mark.parametrize(
    "line", [b"{}\n", b'{"schema": 2}\n', b"\xff\n", b'{"\\u001b[2J": 1}\n', b'"\x1b[2J"\n']
)
def test_bad_input_is_one_printable_line(
    write_run: Writer, capsys: pytest.CaptureFixture[str], line: bytes
) -> None:
    run = write_run([])
    (run / RECORDS).write_bytes(line)
    assert main([str(run)]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
    assert output.err.removesuffix("\n").isprintable()
    assert not (run / "report.md").exists()


def test_a_helper_that_is_killed_is_one_line_and_leaves_nothing(
    make_record: Builder,
    write_run: Writer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with helpers(1) as pool:
        monkeypatch.setattr(beside, "drawn", lambda _specs: pool.submit(os._exit, 1))
        run = write_run([make_record()])
        assert main([str(run)]) == 2
    assert capsys.readouterr().err == "error: a process of the report was ended (out of memory?)\n"
    assert not (run / PAGE).exists()


def test_no_run_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    assert "usage: python -m report" in capsys.readouterr().err


def test_as_a_command_on_a_poor_terminal(make_record: Builder, write_run: Writer) -> None:
    run = write_run([make_record()])
    result = subprocess.run(
        [sys.executable, "-m", "report", run],
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
        capture_output=True,
        check=False,
        cwd=Path(__file__).parents[2],
        timeout=120,
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert rb"\u2191" in result.stdout


def test_no_framework_and_no_implementation_is_loaded() -> None:
    code = (
        "import sys, report.__main__; "
        "print({name.partition('.')[0] for name in sys.modules} "
        "& {'impls', 'torch', 'tensorflow', 'keras', 'jax'})"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
        timeout=120,
    )
    assert result.stdout.strip() == b"set()"
