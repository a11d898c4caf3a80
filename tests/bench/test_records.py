import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.records import RECORDS, Epoch, Record, append_record
from tests.bench.conftest import CERTIFICATE, CHUNK, TRAINING


def test_a_record_is_one_line_of_json(tmp_path: Path, make_record: Callable[..., Record]) -> None:
    append_record(tmp_path, make_record(position=0))
    append_record(tmp_path, make_record(position=1, run="two\nlines\u2028"))
    lines = (tmp_path / RECORDS).read_bytes().splitlines(keepends=True)
    assert [json.loads(line)["position"] for line in lines] == [0, 1]
    assert all(line.endswith(b"\n") for line in lines)


def test_what_is_not_a_number_is_refused_before_anything_is_written(
    tmp_path: Path, make_record: Callable[..., Record]
) -> None:
    with pytest.raises(ValueError, match="JSON"):
        append_record(tmp_path, make_record(seconds=float("nan")))
    assert not (tmp_path / RECORDS).exists()


def test_a_record_has_a_measurement_exactly_when_ok(make_record: Callable[..., Record]) -> None:
    with pytest.raises(ValueError, match="exactly when"):
        make_record(status="error")
    with pytest.raises(ValueError, match="exactly when"):
        make_record(measurement=None)
    failed = make_record(status="timeout", measurement=None, certificate=None)
    assert failed.measurement is None


def test_a_record_is_ok_with_a_passed_certificate_only(make_record: Callable[..., Record]) -> None:
    failed = replace(CERTIFICATE, failure="the loss of step 1 deviates")
    for wrong in (
        {"certificate": None},
        {"certificate": failed},
        {"status": "not equivalent", "measurement": None},
        {"status": "error", "measurement": None, "certificate": failed},
    ):
        with pytest.raises(ValueError, match="passed certificate"):
            make_record(**wrong)
    record = make_record(status="not equivalent", measurement=None, certificate=failed)
    assert record.certificate == failed


def test_a_void_trial_keeps_its_certificate_and_no_measurement(
    make_record: Callable[..., Record],
) -> None:
    assert make_record(status="void", measurement=None).certificate == CERTIFICATE
    with pytest.raises(ValueError, match="exactly when"):
        make_record(status="void")


@pytest.mark.parametrize("change", [{"steps": 0}, {"wall": 0.0}, {"calibration": 0.0}])
def test_a_chunk_without_substance_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="has steps, time and a calibration"):
        replace(CHUNK, **change)  # type: ignore[arg-type]
    steady = TRAINING.steady
    for wrong in ({"chunks": ()}, {"doubled": ()}, {"doubled": (CHUNK, CHUNK)}):
        with pytest.raises(ValueError, match="has chunks, and doubled ones"):
            replace(steady, **wrong)


@pytest.mark.parametrize(
    "change", [{"steps": 0}, {"images": 0}, {"seconds": 0.0}, {"test_accuracy": 50.0}]
)
def test_an_epoch_without_substance_is_refused(change: dict[str, float]) -> None:
    (epoch,) = TRAINING.epochs
    with pytest.raises(ValueError, match=r"has steps|is a share"):
        replace(epoch, **change)  # type: ignore[arg-type]
    assert replace(epoch, loss=None) == Epoch(
        steps=3, images=192, seconds=0.5, cpu_seconds=0.5, loss=None, test_accuracy=0.1
    )
    with pytest.raises(ValueError, match="at least one epoch"):
        replace(TRAINING, epochs=())
