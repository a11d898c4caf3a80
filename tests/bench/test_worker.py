import json
from collections.abc import Callable
from dataclasses import asdict

import pytest

from bench.contract import Trial, trial_from_json
from bench.worker import failure


def test_a_trial_survives_the_way_to_the_worker(make_trial: Callable[..., Trial]) -> None:
    trial = make_trial(threads=2, seed=5)
    assert trial_from_json(json.dumps(asdict(trial))) == trial


def test_an_unknown_field_is_refused(make_trial: Callable[..., Trial]) -> None:
    with pytest.raises(TypeError, match="novel"):
        trial_from_json(json.dumps(asdict(make_trial()) | {"novel": 1}))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("no"),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1073741824 bytes"),
        RuntimeError("OOM when allocating tensor with shape[128,32]"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
    ],
)
def test_out_of_memory_is_recognised_as_each_framework_says_it(error: Exception) -> None:
    assert failure(error)["status"] == "out of memory"


def test_any_other_failure_is_an_error_with_its_type() -> None:
    assert failure(ValueError("weight x is missing")) == {
        "status": "error",
        "message": "ValueError: weight x is missing",
    }
