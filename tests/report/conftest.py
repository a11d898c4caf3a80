"""Builders of valid records and run folders."""

import json
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path

import pytest

from bench.certificate import Certificate, Tolerance
from bench.contract import Device, Trial
from bench.data import DatasetInfo
from bench.records import (
    SCHEMA,
    Code,
    Epoch,
    Machine,
    Measurement,
    Record,
    Software,
    Status,
    append_record,
)
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


def _make_record(
    *,
    framework: str = "pytorch",
    mode: str = "eager",
    workload: str = "listing1",
    block: int = 0,
    position: int = 0,
    status: Status = "ok",
    message: str = "",
    epoch_seconds: Sequence[float] = (2.0, 1.0),
    timed: Sequence[float] | None = None,
    test_accuracy: float = 0.5,
    inputs: str = "1" * 64,
    device: Device = "cpu",
    threads: int = 4,
    train_images: int = 1000,
    dataset: str = "cifar10",
    digest: str = "a" * 64,
    cpu: str = "Some CPU",
    code_digest: str = "c" * 64,
    version: str = "2.0",
    peak_host_bytes: int | None = 512 * 2**20,
    peak_device_bytes: int | None = None,
    learning_rate: float = 0.01,
    deviation: float = 1e-6,
) -> Record:
    """Make a record of epochs of 1,000 images in 8 steps, with 0.1 less loss after each.

    ``timed`` are the seconds of the epochs measured, where these are not the epochs planned.
    """
    measurement = Measurement(
        software=Software(
            python="3.11.9",
            versions={framework: version, "numpy": "2.3.0"},
            libraries={"oneDNN": "3.7"},
        ),
        inputs=inputs,
        import_seconds=1.5,
        build_seconds=0.25,
        first_step_seconds=0.5,
        epochs=tuple(
            Epoch(
                steps=8,
                images=1000,
                seconds=seconds,
                cpu_seconds=3 * seconds,
                loss=2.0 - 0.1 * number,
                test_accuracy=test_accuracy,
            )
            for number, seconds in enumerate(epoch_seconds if timed is None else timed)
        ),
        peak_host_bytes=peak_host_bytes,
        peak_device_bytes=peak_device_bytes,
        threads_used=9,
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
            block=block,
            seed=block,
            train_images=train_images,
            test_images=500,
            epochs=len(epoch_seconds),
        ),
        position=position,
        started="2025-11-23T12:00:00+00:00",
        seconds=10.0,
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
    )


@pytest.fixture(scope="session")
def make_record() -> Callable[..., Record]:
    return _make_record


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

    An arm's first epoch takes a second; its second ``arm + block + 1`` seconds, arms counted from
    0 as in ``ARMS``. Accuracies are 0.50, 0.51, 0.52 in the three blocks.
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
