"""``docs/adding-a-framework.md``, followed to the letter in a copy of the project."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from bench.code import ROOT
from bench.records import RECORDS

PAGE = ROOT / "docs" / "adding-a-framework.md"
COPIED = ("bench", "impls", "listings", "report", "tests", "pyproject.toml")


def commands() -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def copy_of_the_project(folder: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)


def test_a_fifth_framework_is_examined_measured_and_reported(tmp_path: Path) -> None:
    project, programs = tmp_path / "project", tmp_path / "bin"
    project.mkdir()
    programs.mkdir()
    copy_of_the_project(project)
    (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (programs / "python").chmod(0o755)
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    variables = outside | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "FCB_CACHE": str(tmp_path / "cache"),
    }
    asked = commands()
    assert [command.split()[0] for command in asked] == ["cp", *["python"] * 3]
    for command in asked:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=project,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    run = project / "results" / "runs" / "plain"
    records = [json.loads(line) for line in (run / RECORDS).read_text().splitlines()]
    assert {record["trial"]["workload"]["name"] for record in records} == {"listing1", "listing3"}
    for record in records:
        assert record["trial"]["framework"] == "plain"
        assert record["status"] == "ok"
        assert record["certificate"]["failure"] == ""
    assert "| plain (loop) |" in (run / "report.md").read_text(encoding="utf-8")
    assert (run / "index.html").exists()
