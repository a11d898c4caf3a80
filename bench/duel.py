"""The suite's way of timing against pyperf's and pytest-benchmark's, at equal wall budget.

A round has each tool compare three arms once, two the same and one with 5% more steps, and grants
it the same seconds for each arm: starts of processes, imports, warm-up and the tool's own
calibration included. All time the same calls (``bench.rivals.call``) in one environment, on the
same processor, with the same environment variables. Each is used as its documentation has it:

- pyperf by its defaults, one arm after the other, with as many processes as the budget holds;
- pytest-benchmark by its defaults, one arm after the other, run again until the budget is spent;
- ours in blocks, a process of every arm in each, until the budget is spent.

Within a round the order of the tools, and of the arms, is shuffled.
"""

import json
import os
import random
import signal
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from pydantic import TypeAdapter

from bench.code import ROOT
from bench.contract import Allocator
from bench.environments import ENVIRONMENTS, install
from bench.errors import UserError
from bench.launch import bound_to, environment
from bench.rivals import call
from bench.rivals.record import RIVALS, STEPS, Arm, Session, Tool, Value, append

ARMS: dict[Arm, int] = {"a": STEPS, "b": STEPS, "more": STEPS + 1}

LEAST = 2
"""Processes of an arm that ours and pyperf have, whatever the budget: pyperf's least spread."""

TIMEOUT = 600.0

Processes = tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """How long, how often, and where."""

    rounds: int
    budget: float
    """Wall seconds that a tool has for an arm."""
    seed: int
    allocator: Allocator
    python: Path
    cpus: Sequence[int]


def python(report: Callable[[str], None]) -> Path:
    """The interpreter of the environment that holds PyTorch and both tools, made if missing."""
    return install(
        ENVIRONMENTS / "calibrate-pytorch",
        ROOT / "locks" / "calibrate-pytorch.txt",
        lambda: report("making the environment calibrate-pytorch (takes minutes the first time)"),
    )


def measure(folder: Path, duel: Duel, report: Callable[[str], None]) -> None:
    """Carry out the rounds that ``folder`` lacks; raises ``UserError`` when a tool fails."""
    held = sessions(folder)
    done = {(of.round, of.tool) for of in held}
    paces = [pace(of) for of in held if of.tool == "pyperf"]
    for number in range(duel.rounds):
        generator = random.Random(1000 * duel.seed + number)  # noqa: S311 - an order, not a secret
        for position, tool in enumerate(generator.sample(get_args(Tool), len(get_args(Tool)))):
            order = generator.sample(list(ARMS), len(ARMS))
            if (number, tool) in done:
                continue
            report(f"round {number + 1} of {duel.rounds}: {tool}")
            if tool == "pyperf" and not paces:
                paces = [_pilot(duel)]
            started = datetime.now(UTC).isoformat(timespec="seconds")
            spent = _compare(tool, order, duel, generator, sum(paces) / max(1, len(paces)))
            found = [
                Session(
                    round=number,
                    position=position,
                    tool=tool,
                    arm=arm,
                    steps=ARMS[arm],
                    started=started,
                    seconds=seconds,
                    processes=processes,
                )
                for arm, (seconds, processes) in spent.items()
            ]
            append(folder, found)
            if tool == "pyperf":
                paces += [pace(of) for of in found]


def sessions(folder: Path) -> list[Session]:
    """What is recorded; a last line cut off by a kill is removed. Raises ``UserError``."""
    path = folder / RIVALS
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        os.truncate(path, len(whole))
    found = []
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            found.append(_SESSION.validate_json(line))
        except ValueError:
            raise UserError(f"{path}, line {number} is not a session; start a new run") from None
    return found


_SESSION = TypeAdapter(Session)


def pace(session: Session) -> float:
    """Seconds of a process of pyperf's; one more than have values calibrates the others."""
    return session.seconds / (len(session.processes) + 1)


def _pilot(duel: Duel) -> float:
    seconds, processes = _pyperf(STEPS, duel, LEAST)
    return seconds / (len(processes) + 1)


def _compare(
    tool: Tool, order: Sequence[Arm], duel: Duel, generator: random.Random, pace: float
) -> dict[Arm, tuple[float, Processes]]:
    """Have ``tool`` measure the arms: wall seconds and values of each."""
    if tool == "ours":
        return _in_blocks(order, duel, generator)
    if tool == "pyperf":
        # As many for every arm: pyperf does not compare unequal numbers of values.
        count = max(LEAST, round(duel.budget / pace) - 1)
        return {arm: _pyperf(ARMS[arm], duel, count) for arm in order}
    return {arm: _pytest_benchmark(ARMS[arm], duel) for arm in order}


def _in_blocks(
    order: Sequence[Arm], duel: Duel, generator: random.Random
) -> dict[Arm, tuple[float, Processes]]:
    """Add blocks as long as one more is likely to fit into the arms' budgets together."""
    seconds: dict[Arm, float] = defaultdict(float)
    values: dict[Arm, list[tuple[Value, ...]]] = defaultdict(list)
    blocks = 0
    while blocks < LEAST or sum(seconds.values()) * (blocks + 1) / blocks <= duel.budget * len(
        order
    ):
        for arm in generator.sample(order, len(order)):
            spent, text = _run(("-m", "bench.rivals.ours"), ARMS[arm], duel)
            seconds[arm] += spent
            values[arm].append(
                tuple(
                    Value(wall=of["wall"], cpu=of["cpu"], calibration=of["calibration"])
                    for of in json.loads(text)
                )
            )
        blocks += 1
    return {arm: (seconds[arm], tuple(values[arm])) for arm in order}


def _pyperf(steps: int, duel: Duel, processes: int) -> tuple[float, Processes]:
    command = ("-m", "bench.rivals.pyperf_script", "--quiet", "--copy-env")
    seconds, text = _run((*command, f"--processes={processes}", "-o"), steps, duel)
    runs = json.loads(text)["benchmarks"][0]["runs"]
    found = (tuple(Value(wall=wall) for wall in run.get("values", ())) for run in runs)
    return seconds, tuple(filter(None, found))


def _pytest_benchmark(steps: int, duel: Duel) -> tuple[float, Processes]:
    """Add runs as long as one more is likely to fit; one at least."""
    command = (
        *("-m", "pytest", "-q", "-c", os.devnull, f"--rootdir={ROOT}", "-p", "no:cacheprovider"),
        *("--import-mode=importlib", "bench/rivals/pytest_benchmark_script.py"),
        "--benchmark-json",
    )
    seconds = 0.0
    runs: list[tuple[Value, ...]] = []
    while not runs or seconds * (len(runs) + 1) / len(runs) <= duel.budget:
        spent, text = _run(command, steps, duel)
        seconds += spent
        data = json.loads(text)["benchmarks"][0]["stats"]["data"]
        runs.append(tuple(Value(wall=wall) for wall in data))
    return seconds, tuple(runs)


def _run(arguments: Sequence[str], steps: int, duel: Duel) -> tuple[float, str]:
    """Run Python with ``arguments`` and the file that it is to write: wall seconds, its text."""
    with tempfile.TemporaryDirectory(prefix="duel-") as home:
        file, log = Path(home, "values.json"), Path(home, "log")
        trial = replace(call.TRIAL, allocator=duel.allocator)
        variables = environment(trial, home, os.environ) | {call.STEPS: str(steps)}
        begin = time.monotonic()
        with log.open("wb") as output, bound_to(duel.cpus):
            process = subprocess.Popen(
                [str(duel.python), "-P", *arguments, str(file)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=variables,
                start_new_session=True,  # Ctrl-C reaches us alone; pyperf's workers end with it
            )
        try:
            process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            raise UserError(f"{arguments[1]} took more than {TIMEOUT:g} s") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        seconds = time.monotonic() - begin
        if process.returncode or not file.exists():
            said = log.read_text(encoding="utf-8", errors="replace").split()
            raise UserError(f"{arguments[1]} failed: {' '.join(said)[-300:]}")
        return seconds, file.read_text(encoding="utf-8")
