"""Builders of valid records and run folders."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.certificate import Certificate, Tolerance
from bench.contract import BASELINE, TWIN, Allocator, Device, Scenario, Source, Trial
from bench.data import DatasetInfo
from bench.records import (
    SCHEMA,
    Calibration,
    Ceiling,
    Chunk,
    Code,
    Energy,
    Epoch,
    Example,
    GpuState,
    Inference,
    Machine,
    Measurement,
    Memory,
    Mistakes,
    Overhead,
    Pipeline,
    Record,
    Regression,
    Result,
    Rung,
    Series,
    Software,
    Startup,
    Status,
    Steady,
    Sweep,
    Training,
    append_record,
)
from bench.rivals.record import Arm, Session, Tool, Value
from bench.workloads import WORKLOADS


def certificate(status: Status, deviation: float) -> Certificate | None:
    """As it belongs to a status; the first update deviates by ``deviation``, the rest by less."""
    if status not in {"ok", "not equivalent"}:
        return None
    return Certificate(
        steps=10,
        first_logits=1e-7,
        first_loss=1e-7,
        first_update=deviation,
        losses=1e-7,
        weights=1e-3,
        logits=1e-3,
        tolerance=Tolerance(**dict.fromkeys(TOLERANCE_FIELDS, 1e-5)),
        failure="" if status == "ok" else "the first update of conv1.kernel deviates",
    )


TOLERANCE_FIELDS = tuple(field.name for field in fields(Tolerance))


def make_chunks(
    seconds: Sequence[float],
    *,
    steps: int = 8,
    busy: float = 1.0,
    calibration: float | Sequence[float] = 0.005,
    switches: int = 0,
    stolen: float = 0.0,
    compilations: Sequence[int | None] | None = None,
) -> tuple[Chunk, ...]:
    """Chunks of ``steps`` steps that take ``seconds`` each; what else was seen, in each of them.

    ``busy`` are CPU seconds per second, ``calibration`` one for all or one for each.
    """
    beside = [calibration] * len(seconds) if isinstance(calibration, float) else calibration
    return tuple(
        Chunk(
            steps=steps,
            wall=wall,
            cpu=busy * wall,
            calibration=kernel,
            switches=switches,
            stolen=stolen,
            compilations=compiled,
        )
        for wall, kernel, compiled in zip(
            seconds,
            beside,
            compilations or [None] * len(seconds),
            strict=True,
        )
    )


def make_training(
    *,
    step_seconds: float | None = None,
    chunks: Sequence[Chunk] = (),
    epoch_seconds: Sequence[float] = (2.0, 1.0),
    test_accuracy: float = 0.5,
    ceiling: tuple[float, float, float] = (0.01, 0.02, 0.05),
    peak_host_bytes: int | None = 512 * 2**20,
    peak_device_bytes: int | None = None,
) -> Training:
    """Make ten chunks of 8 steps, or those given, and epochs of 1,000 images in 8 steps.

    A step takes ``step_seconds``, or else an eighth of the last epoch. Losses fall by 0.1.
    """
    step = epoch_seconds[-1] / 8 if step_seconds is None else step_seconds
    timed = tuple(chunks) or make_chunks([8 * step] * 10)
    last = timed[-1]
    return Training(
        steady=Steady(
            chunks=timed,
            doubled=(replace(last, steps=2 * last.steps, wall=2 * last.wall, cpu=2 * last.cpu),),
            read_seconds=0.0,
        ),
        ceiling=Ceiling(matmul=ceiling[0], conv=ceiling[1], copy=ceiling[2]),
        epochs=tuple(
            Epoch(
                steps=8,
                images=1000,
                seconds=seconds,
                cpu_seconds=3 * seconds,
                loss=2.0 - 0.1 * number,
                test_accuracy=test_accuracy,
            )
            for number, seconds in enumerate(epoch_seconds)
        ),
        peak_host_bytes=peak_host_bytes,
        peak_device_bytes=peak_device_bytes,
    )


def make_pipeline(*, alone: float, resident: float = 0.02, through: float = 0.025) -> Pipeline:
    """Seconds of a batch that is only read, of a step, and of a step on batches that are read."""
    return Pipeline(
        first_batch_seconds=0.5,
        alone=make_chunks([8 * alone] * 5),
        resident=make_chunks([8 * resident] * 5),
        through=make_chunks([8 * through] * 5),
        held_before_bytes=200 * 2**20,
        held_bytes=264 * 2**20,
    )


def make_gpu(**state: Any) -> GpuState:
    """A GPU at rest, but for what is given."""
    usual: dict[str, Any] = {"clock_mhz": 1500, "celsius": 40, "watts": 60.0, "processes": 0}
    return GpuState(**({"throttled": ()} | usual | state))


RESULTS: dict[Scenario, Result] = {
    "training": make_training(),
    "inference": Inference(
        latencies=tuple(0.001 * (1 + number / 100) for number in range(101)),
        batch_size=256,
        chunks=make_chunks([0.5] * 10, steps=4),
    ),
    "startup": Startup(cold_seconds=9.0, cached_seconds=4.0),
    "sweep": Sweep(
        rungs=tuple(
            Rung(
                batch_size=size,
                first_step_seconds=0.5,
                chunks=make_chunks([8 * (0.002 + 0.0001 * size)] * 5),
            )
            for size in (8, 32, 128)
        ),
        stopped="out of memory at 256",
    ),
    "memory": Memory(
        batch_size=32,
        baseline_host_bytes=200 * 2**20,
        peak_host_bytes=332 * 2**20,
        peak_device_bytes=None,
        smallest_cap_bytes=None,
    ),
    "energy": Energy(images=10_000, seconds=10.0, joules=2_500.0, idle_watts=50.0),
    "pipeline": make_pipeline(alone=0.01),
    "overhead": Overhead(trainer=make_chunks([0.2] * 3), bare=make_chunks([0.19] * 3)),
    "example": Example(trainer=make_chunks([0.2] * 3), example=make_chunks([0.22] * 3)),
    "mistakes": Mistakes(
        right=make_chunks([0.2] * 3),
        fed=make_chunks([0.25] * 3),
        scored=make_chunks([0.3] * 3),
        unfenced=make_chunks([0.1] * 3),
        tf32=(),
    ),
    "regression": Regression(
        timed=make_chunks([0.2] * 6),
        accuracy=0.1,
        compilations=1,
        peak_host_bytes=400 * 2**20,
        peak_device_bytes=None,
    ),
    "calibration": Calibration(
        series=(Series(batch_size=1, counted=40, planted=2, chunks=make_chunks([0.2] * 3)),)
    ),
}
"""One result of each scenario."""


def _make_record(
    *,
    framework: str = "pytorch",
    mode: str = "eager",
    plain: str = "",
    workload: str = "listing1",
    scenario: Scenario = "training",
    label: str = "",
    batch_size: int = 0,
    source: Source | None = None,
    images: int = 0,
    block: int = 0,
    position: int = 0,
    status: Status = "ok",
    message: str = "",
    seconds: float = 100.0,
    result: Result | None = None,
    step_seconds: float | None = None,
    chunks: Sequence[Chunk] = (),
    epoch_seconds: Sequence[float] = (2.0, 1.0),
    timed: Sequence[float] | None = None,
    first_step_seconds: float = 0.5,
    test_accuracy: float = 0.5,
    inputs: str = "1" * 64,
    device: Device = "cpu",
    threads: int = 1,
    allocator: Allocator = "default",
    threads_used: int = 9,
    calibration: float = 0.005,
    train_images: int = 1000,
    dataset: str = "cifar10",
    digest: str = "a" * 64,
    cpu: str = "Some CPU",
    code_digest: str = "c" * 64,
    version: str = "2.0",
    ceiling: tuple[float, float, float] = (0.01, 0.02, 0.05),
    peak_host_bytes: int | None = 512 * 2**20,
    peak_device_bytes: int | None = None,
    learning_rate: float = 0.01,
    deviation: float = 1e-6,
    gpu_before: GpuState | None = None,
    gpu_after: GpuState | None = None,
) -> Record:
    """Make a record; of training, as ``make_training`` does, else of ``RESULTS``, or ``result``.

    ``timed`` are the seconds of the epochs measured, where these are not the epochs planned.
    """
    if result is None and scenario != "training":
        result = RESULTS[scenario]
    measurement = Measurement(
        software=Software(
            python="3.11.9",
            versions={framework: version, "numpy": "2.3.0"},
            libraries={"oneDNN": "3.7"},
        ),
        inputs=inputs,
        import_seconds=1.5,
        build_seconds=0.25,
        first_step_seconds=first_step_seconds,
        threads_used=threads_used,
        calibration=calibration,
        result=result
        or make_training(
            step_seconds=step_seconds,
            chunks=chunks,
            epoch_seconds=epoch_seconds if timed is None else timed,
            test_accuracy=test_accuracy,
            ceiling=ceiling,
            peak_host_bytes=peak_host_bytes,
            peak_device_bytes=peak_device_bytes,
        ),
    )
    spec = WORKLOADS[workload]
    return Record(
        schema=SCHEMA,
        run="a-run",
        trial=Trial(
            framework=framework,
            mode=mode,
            workload=replace(spec, optimizer=replace(spec.optimizer, learning_rate=learning_rate)),
            device=device,
            precision="fp32",
            threads=threads,
            allocator=allocator,
            block=block,
            seed=block,
            train_images=train_images,
            test_images=500,
            epochs=len(epoch_seconds),
            scenario=scenario,
            label=label,
            batch_size=batch_size,
            source=source or ("files" if scenario == "pipeline" else None),
            images=images or (1024 if scenario == "pipeline" else 0),
            plain=plain,
        ),
        position=position,
        started="2025-11-23T12:00:00+00:00",
        seconds=seconds,
        status=status,
        message=message,
        dataset=DatasetInfo(name=dataset, digest=digest, train_images=50000, test_images=10000),
        machine=Machine(
            system="Linux 6.1", cpu=cpu, cores=8, memory_bytes=2**34, gpu=None, gpu_driver=None
        ),
        code=Code(commit="0123456789abcdef", dirty=False, digest=code_digest),
        certificate=certificate(status, deviation),
        measurement=measurement if status == "ok" else None,
        sampled_host_bytes=600 * 2**20,
        sampled_device_bytes=None,
        gpu_before=gpu_before,
        gpu_after=gpu_after,
    )


@pytest.fixture(scope="session")
def make_record() -> Callable[..., Record]:
    return _make_record


def blocks_of(
    steps: Mapping[str, float],
    *,
    number: int = 12,
    noise: float = 0.01,
    workloads: Sequence[str] = ("listing1",),
    twin: float | None = None,
    drift: float = 3.0,
    chunks: int = 12,
    seed: int = 0,
    first: int = 0,
    result: Callable[[tuple[Chunk, ...]], Result] | None = None,
    **fields: Any,
) -> Iterator[Record]:
    """Blocks of arms, from number ``first`` on, of a machine that may be another one in each.

    ``steps`` are seconds by arm, such as ``keras fit``; of ``twin``, PyTorch's second one. In a
    block the machine may take up to ``drift`` times as long; processes scatter by ``noise``, their
    ``chunks`` by 1%. Of another scenario than training, ``result`` is made of these chunks.
    """
    random = np.random.default_rng(seed)
    arms = [(name, seconds, "") for name, seconds in steps.items()]
    arms += [] if twin is None else [(" ".join(BASELINE), twin, TWIN)]
    for workload in workloads:
        for block in range(first, first + number):
            machine = random.uniform(1, drift)
            for name, seconds, label in arms:
                framework, mode = name.split()
                process = machine * seconds * random.uniform(1 - noise, 1 + noise)
                timed = make_chunks(
                    (process * random.uniform(0.99, 1.01, chunks)).tolist(),
                    calibration=0.005 * machine,
                )
                yield _make_record(
                    framework=framework,
                    mode=mode,
                    label=label,
                    plain="eager" if mode == "compile" else "",
                    workload=workload,
                    block=block,
                    inputs=f"{workload} {block}",
                    chunks=timed,
                    result=result(timed) if result else None,
                    calibration=0.005 * machine,
                    **fields,
                )


@pytest.fixture
def make_blocks() -> Callable[..., list[Record]]:
    return lambda *arguments, **fields: list(blocks_of(*arguments, **fields))


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    """Write records, as the harness does, and a plan of as many trials as is said."""

    def write(records: Sequence[Record], *, planned: int | None = None, name: str = "run") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for record in records:
            append_record(folder, record)
        if planned is not None:
            plan = {"run": name, "trials": [{}] * planned}
            (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
        return folder

    return write


ARMS = (("pytorch", "eager"), ("pytorch", "compile"), ("keras", "fit"), ("jax", "jit"))


@pytest.fixture(scope="session")
def full_records() -> list[Record]:
    """24 records: 4 arms of 2 workloads in 3 blocks.

    An arm's first epoch takes a second; its second ``arm + block + 1`` seconds, and a steady step
    an eighth of that; arms are counted from 0 as in ``ARMS``. Accuracies are 0.50, 0.51, 0.52 in
    the three blocks.
    """
    return [
        _make_record(
            framework=framework,
            mode=mode,
            workload=workload,
            block=block,
            position=position,
            epoch_seconds=(1.0, arm + block + 1.0),
            test_accuracy=0.50 + 0.01 * block,
            inputs=f"{workload}-{block}",
        )
        for position, (block, workload, arm, (framework, mode)) in enumerate(
            (block, workload, arm, names)
            for block in (2, 0, 1)
            for workload in ("listing3", "listing1")
            for arm, names in enumerate(ARMS)
        )
    ]


@pytest.fixture(scope="session")
def make_sessions() -> Callable[..., list[Session]]:
    """Rounds of all tools on a machine whose speed changes from process to process."""

    def make(rounds: int) -> list[Session]:
        generator = np.random.default_rng(4)

        def process(steps: int, chunks: int, *, calibrated: bool) -> tuple[Value, ...]:
            speed = float(np.exp(0.2 * generator.normal()))
            seconds = 0.005 * steps * speed * np.exp(0.01 * generator.normal(size=chunks))
            return tuple(
                Value(wall=2 * cpu, cpu=cpu, calibration=0.01 * speed)
                if calibrated
                else Value(wall=2 * cpu)
                for cpu in seconds.tolist()
            )

        return [
            Session(
                round=number,
                position=position,
                tool=tool,
                arm=arm,
                steps=steps,
                started="2026-11-25T12:00:00+00:00",
                seconds=30.0,
                processes=tuple(
                    process(steps, chunks, calibrated=tool == "ours") for _ in range(processes)
                ),
            )
            for number in range(rounds)
            for position, (tool, processes, chunks) in enumerate(TOOLS)
            for arm, steps in ARM_STEPS
        ]

    return make


TOOLS: tuple[tuple[Tool, int, int], ...] = (
    ("ours", 8, 10),
    ("pyperf", 9, 3),
    ("pytest-benchmark", 6, 8),
)
ARM_STEPS: tuple[tuple[Arm, int], ...] = (("a", 20), ("b", 20), ("more", 21))
