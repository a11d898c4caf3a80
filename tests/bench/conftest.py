from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.certificate import Certificate, Tolerance
from bench.contract import Trial
from bench.data import Dataset, DatasetInfo
from bench.plan import Plan
from bench.records import (
    SCHEMA,
    Ceiling,
    Chunk,
    Code,
    Epoch,
    Machine,
    Measurement,
    Record,
    Software,
    Steady,
    Training,
)
from bench.workloads import WORKLOADS

TRIAL = Trial(
    framework="jax",
    mode="jit",
    workload=WORKLOADS["listing3"],
    device="cpu",
    precision="fp32",
    threads=1,
    block=0,
    seed=0,
    train_images=192,
    test_images=100,
    epochs=1,
)

MACHINE = Machine(
    system="Linux 6", cpu="some CPU", cores=2, memory_bytes=1, gpu=None, gpu_driver=None
)
CODE = Code(commit=None, dirty=False, digest="c" * 64)
DATASET = DatasetInfo(name="synthetic", digest="d" * 64, train_images=1000, test_images=500)
TOLERANCE = Tolerance(
    first_logits=1e-6, first_loss=1e-6, first_update=1e-6, losses=1e-6, weights=1e-6, logits=1e-6
)
CERTIFICATE = Certificate(
    steps=10,
    first_logits=1e-7,
    first_loss=1e-7,
    first_update=1e-7,
    losses=1e-7,
    weights=1e-7,
    logits=1e-7,
    tolerance=TOLERANCE,
    failure="",
)
CHUNK = Chunk(steps=2, wall=0.2, cpu=0.2, calibration=0.005, switches=0, stolen=0.0, compilations=0)
TRAINING = Training(
    steady=Steady(chunks=(CHUNK,), doubled=(replace(CHUNK, steps=4, wall=0.4),), read_seconds=0.0),
    ceiling=Ceiling(matmul=0.1, conv=0.1, copy=0.1),
    epochs=(Epoch(steps=3, images=192, seconds=0.5, cpu_seconds=0.5, loss=2.3, test_accuracy=0.1),),
    peak_host_bytes=None,
    peak_device_bytes=None,
)
MEASUREMENT = Measurement(
    software=Software(python="3.11", versions={"jax": "0"}, libraries={}),
    inputs="e" * 64,
    import_seconds=1.0,
    build_seconds=1.0,
    first_step_seconds=1.0,
    threads_used=1,
    calibration=0.005,
    result=TRAINING,
)


@pytest.fixture
def make_trial() -> Callable[..., Trial]:
    return lambda **changes: replace(TRIAL, **changes)


@pytest.fixture
def make_record() -> Callable[..., Record]:
    def make(**changes: Any) -> Record:
        record = Record(
            schema=SCHEMA,
            run="run",
            trial=TRIAL,
            position=0,
            started="2026-01-01T00:00:00+00:00",
            seconds=1.0,
            status="ok",
            message="",
            dataset=DATASET,
            machine=MACHINE,
            code=CODE,
            certificate=CERTIFICATE,
            measurement=MEASUREMENT,
            sampled_host_bytes=None,
            sampled_device_bytes=None,
            gpu_before=None,
            gpu_after=None,
        )
        return replace(record, **changes)

    return make


@pytest.fixture
def make_plan() -> Callable[..., Plan]:
    def make(**changes: Any) -> Plan:
        plan = Plan(
            schema=SCHEMA,
            run="run",
            profile="smoke",
            seed=0,
            timeout=60,
            interpreter="environments",
            dataset=DATASET,
            dataset_folder="nowhere",
            machine=MACHINE,
            code=CODE,
            trials=(TRIAL, replace(TRIAL, block=1)),
        )
        return replace(plan, **changes)

    return make


@pytest.fixture
def data() -> Dataset:
    labels = np.arange(1300, dtype=np.int32) % 10
    images = np.zeros((1300, 32, 32, 3), np.uint8)
    images[:, 0, 0, 0] = labels
    return Dataset(
        info=DatasetInfo(name="images", digest="0" * 64, train_images=1300, test_images=1300),
        train_images=images,
        train_labels=labels,
        test_images=images,
        test_labels=np.where(np.arange(1300) % 4 == 0, 9 - labels, labels).astype(np.int32),
    )
