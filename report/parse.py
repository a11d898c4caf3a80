"""Parse a line of records, strictly: what is from outside is hostile until it is a ``Record``."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import cast

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, SchemaValidator

from bench.records import (
    SCHEMA,
    Calibration,
    Energy,
    Example,
    Inference,
    Memory,
    Mistakes,
    Overhead,
    Pipeline,
    Record,
    Regression,
    Result,
    Startup,
    Sweep,
    Training,
)
from report.text import plain


def parse_record(line: bytes) -> Record:
    """Parse one line of JSON; raise ``ValueError`` saying in one line what is wrong first."""
    try:
        record = _validated(line)
    except ValidationError as error:
        raise ValueError(_schema_problem(line) or _first_problem(error, line)) from None
    if record is None:
        raise ValueError("Input should be an object")
    if record.schema != SCHEMA:
        raise ValueError(_schema_problem(line))
    if record.measurement is not None:
        found, wanted = type(record.measurement.result), RESULTS[record.trial.scenario]
        if found is not wanted:
            raise ValueError(
                f"measurement.result: of {found.__name__.lower()}, not of {record.trial.scenario}"
            )
    trial = record.trial
    if (trial.scenario == "pipeline") != (trial.source is not None and trial.images > 0):
        raise ValueError("trial: a pipeline, and nothing else, has a source and images")
    return record


RESULTS: Mapping[str, type[Result]] = {
    "training": Training,
    "inference": Inference,
    "startup": Startup,
    "sweep": Sweep,
    "memory": Memory,
    "energy": Energy,
    "pipeline": Pipeline,
    "overhead": Overhead,
    "example": Example,
    "mistakes": Mistakes,
    "regression": Regression,
    "calibration": Calibration,
}
"""What a trial of each scenario measures. Each has keys that no other has, and none is optional, so
JSON that is valid as one of them is not as another."""


# A configuration handed to TypeAdapter is refused for a dataclass that might have its own, but one
# handed to a union reaches every dataclass below it (pydantic 2.14; tests/report/test_load.py).
_RECORD: TypeAdapter[Record | None] = TypeAdapter(
    Record | None, config=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
)


def _validated(line: bytes) -> Record | None:
    """The record of a line, or None of ``null``. Raises ``ValidationError``.

    A union tries each of its members, and lists what is wrong with a value as one of the others:
    that took most of the time. So the line is first taken for a record of the scenario that
    it seems to name. Only what is refused as that, for whatever reason, is held against the union.
    """
    named = _NAMED.search(line)
    if named and (scenario := named[1].decode()) in RESULTS:
        with suppress(ValidationError):
            return cast("Record | None", validator(scenario).validate_json(line))
    return _RECORD.validate_json(line)


_NAMED = re.compile(rb'"scenario": ?"(\w+)"')


@cache
def validator(scenario: str) -> SchemaValidator:
    """As ``_RECORD``, but for the results: of these it takes those of one scenario only."""
    return SchemaValidator(cast("CoreSchema", _narrowed(_RECORD.core_schema, RESULTS[scenario])))


def _narrowed(schema: object, result: type[Result]) -> object:
    """A core schema with ``result`` in the place of the union that it is a member of."""
    if isinstance(schema, list):
        return [_narrowed(inner, result) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "union":
        for member in schema["choices"]:
            if isinstance(member, dict) and member.get("cls") is result:
                return member
    return {key: _narrowed(inner, result) for key, inner in schema.items()}


def _schema_problem(line: bytes) -> str:
    """Say how the line's schema differs from ours; empty if it does not, or cannot be told."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    schema = values.get("schema") if isinstance(values, dict) else None
    if type(schema) is not int or schema == SCHEMA:
        return ""
    if schema > SCHEMA:
        return (
            f"written by a newer version of the suite: schema {_digits(schema)}, "
            f"this one reads {SCHEMA}; update the suite"
        )
    return (
        f"written by an older version of the suite: schema {_digits(schema)}, "
        f"this one reads {SCHEMA}; report it with the version that wrote it"
    )


def _digits(number: int) -> str:
    return str(number) if abs(number) < 2**63 else "out of range"


def _first_problem(error: ValidationError, line: bytes) -> str:
    """What is wrong first; of a result, what is wrong with it as one of the trial's scenario.

    A union complains about a value once for each of its members.
    """
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    wanted = _RESULT_OF.get(_scenario(line), "Training")
    of_result = ("measurement", "result")
    for problem in problems:
        where = problem["loc"]
        if where[:2] == of_result and len(where) > len(of_result):
            if where[2] != wanted:
                continue
            where = (*of_result, *where[3:])
        break
    said = f"{'.'.join(map(str, where))}: {problem['msg']}" if where else problem["msg"]
    return plain(said)[:200]


_RESULT_OF = {scenario: result.__name__ for scenario, result in RESULTS.items()}


def _scenario(line: bytes) -> str:
    """The scenario that a line names, if it can be told."""
    try:
        return str(json.loads(line)["trial"]["scenario"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
