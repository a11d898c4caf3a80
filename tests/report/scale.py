"""What a report takes, and how large its page is, by how many records it is of.

``python -m tests.report.scale`` (``nox -s scale``) constructs runs in a temporary folder, makes the
report of each in a process of its own, and prints a table.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import Any

from bench.launch import resident_bytes
from bench.records import (
    RECORDS,
    Chunk,
    Inference,
    Memory,
    Mistakes,
    Record,
    Result,
    Rung,
    Startup,
    Sweep,
)
from report.write import PAGE
from tests.report.conftest import blocks_of

COUNTS = (1_000, 10_000, 100_000)
WORKLOADS = ("listing1", "listing3", "rosetta", "resnet20")
ARMS = {
    "pytorch eager": 0.120,
    "pytorch channels-last": 0.118,
    "pytorch compile": 0.105,
    "tensorflow graph": 0.090,
    "tensorflow eager": 0.142,
    "tensorflow xla": 0.098,
    "keras fit": 0.093,
    "keras fit-jax": 0.108,
    "keras fit-torch": 0.132,
    "jax jit": 0.112,
    "jax jit-xla-conv": 0.111,
}
"""Every mode that there is on a CPU, as the profile ``full`` has them; seconds of a chunk."""
CHUNKS = 24
SWEPT = (8, 16, 32, 64, 128, 256, 512, 1024)
PASSES = (32, 128, 512)
"""Batch sizes of a sweep, and of passes of memory."""
FAILED = 100
"""Of so many trials one fails."""


def records(number: int) -> Iterator[Record]:
    """So many, block after block: what the profile ``full`` measures on a CPU in each."""
    return islice(map(_perhaps_failed, count(), _endless()), number)


def _endless() -> Iterator[Record]:
    kinds: list[dict[str, Any]] = [
        {"scenario": "training", "twin": ARMS["pytorch eager"]},
        {"scenario": "inference", "result": _inference},
        {"scenario": "startup", "result": _startup},
        {"scenario": "sweep", "result": _sweep},
        {"scenario": "mistakes", "result": _mistakes},
        *({"scenario": "memory", "batch_size": size, "result": _memory(size)} for size in PASSES),
    ]
    for block in count():
        for kind in kinds:
            yield from blocks_of(
                ARMS,
                number=1,
                noise=0.03,
                drift=1.5,
                workloads=WORKLOADS,
                chunks=CHUNKS,
                epoch_seconds=(2.0, 1.0, 1.1),
                seed=block,
                first=block,
                **kind,
            )


def _perhaps_failed(position: int, record: Record) -> Record:
    if position % FAILED != FAILED - 1:
        return replace(record, position=position)
    return replace(
        record,
        position=position,
        status="error",
        message=f"RuntimeError: made to fail, as one of {FAILED} is",
        certificate=None,
        measurement=None,
    )


def _inference(chunks: tuple[Chunk, ...]) -> Result:
    latencies = tuple(chunks[0].wall / 100 * (1 + call / 500) for call in range(200))
    return Inference(latencies=latencies, batch_size=256, chunks=chunks)


def _startup(chunks: tuple[Chunk, ...]) -> Result:
    return Startup(cold_seconds=50 * chunks[0].wall, cached_seconds=30 * chunks[1].wall)


def _sweep(chunks: tuple[Chunk, ...]) -> Result:
    return Sweep(
        rungs=tuple(
            Rung(
                batch_size=size,
                first_step_seconds=0.5,
                chunks=tuple(replace(one, wall=one.wall * (1 + size / 32)) for one in chunks[:5]),
            )
            for size in SWEPT
        ),
        stopped="",
    )


def _mistakes(chunks: tuple[Chunk, ...]) -> Result:
    fed, scored, unfenced = (
        tuple(replace(one, wall=one.wall * times) for one in chunks[:5])
        for times in (1.05, 1.02, 0.3)
    )
    return Mistakes(right=chunks[:5], fed=fed, scored=scored, unfenced=unfenced, tf32=())


def _memory(size: int) -> Callable[[tuple[Chunk, ...]], Result]:
    return lambda chunks: Memory(
        batch_size=size,
        baseline_host_bytes=int(2**28 * (1 + chunks[0].wall)),
        peak_host_bytes=int(2**28 * (2 + chunks[0].wall)) + size * 2**18,
        peak_device_bytes=None,
        smallest_cap_bytes=None,
    )


def write(number: int, folder: Path) -> None:
    """Make a run of so many records."""
    with (folder / RECORDS).open("w", encoding="utf-8") as file:
        for record in records(number):
            file.write(json.dumps(asdict(record), separators=(",", ":")) + "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one report."""

    seconds: float
    """From its start to its end."""
    cpu_seconds: float
    """Of all its processes, as the kernel accounts them."""
    peak: int
    """Resident bytes of all its processes at their highest."""


def measure(folder: Path) -> Cost:
    """What ``python -m report`` takes, in a process of its own."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "report", str(folder)], stdout=subprocess.DEVNULL
    )
    sampled = ended = 0
    while not ended:
        sampled = max(sampled, resident_bytes(process.pid))
        time.sleep(0.2)
        # Waited for here and not by `process`, because this tells what it used.
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the report of {folder} failed")
    return Cost(
        seconds=seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        # The kernel's is exact, but that of the largest process alone.
        peak=max(sampled, usage.ru_maxrss * 1024),
    )


def rows(counts: Sequence[int], folder: Path) -> Iterator[str]:
    """The table, a line each; runs and reports are left in ``folder``."""
    yield (
        "| records | records.jsonl (MB) | seconds | CPU seconds | peak memory (MB) "
        "| index.html (MB) |"
    )
    yield "| ---: | ---: | ---: | ---: | ---: | ---: |"
    for number in counts:
        run = folder / str(number)
        run.mkdir()
        write(number, run)
        cost = measure(run)
        read, page = ((run / name).stat().st_size / 1e6 for name in (RECORDS, PAGE))
        yield (
            f"| {number:,} | {read:.0f} | {cost.seconds:.1f} | {cost.cpu_seconds:.1f} "
            f"| {cost.peak / 1e6:.0f} | {page:.1f} |"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.report.scale",
        description="Measure how long a report takes, and how much memory, by how many records "
        "it is of.",
    )
    parser.add_argument(
        "counts", nargs="*", type=int, default=COUNTS, metavar="N", help="so many records"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(options.counts, Path(folder)):
            print(row, flush=True)


if __name__ == "__main__":
    main()
