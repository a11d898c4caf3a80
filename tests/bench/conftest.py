from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bench.certificate import Certificate, Tolerance
from bench.contract import Trial
from bench.data import DatasetInfo
from bench.plan import Plan
from bench.records import SCHEMA, Code, Epoch, Machine, Measurement, Record, Software
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
MEASUREMENT = Measurement(
    software=Software(python="3.11", versions={"jax": "0"}, libraries={}),
    inputs="e" * 64,
    import_seconds=1.0,
    build_seconds=1.0,
    first_step_seconds=1.0,
    epochs=(Epoch(steps=3, images=192, seconds=0.5, cpu_seconds=0.5, loss=2.3, test_accuracy=0.1),),
    peak_host_bytes=None,
    peak_device_bytes=None,
    threads_used=1,
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
