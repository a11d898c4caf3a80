"""From a profile and the user's choices to the list of trials, in the order they are run."""

import json
import os
import random
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import ConfigDict, TypeAdapter, ValidationError

from bench import files
from bench.code import ROOT
from bench.contract import (
    BASELINE,
    TWIN,
    Allocator,
    Device,
    Precision,
    Scenario,
    Source,
    Trial,
)
from bench.data import DatasetInfo
from bench.errors import UserError
from bench.records import RECORDS, SCHEMA, Code, Machine
from bench.workloads import WORKLOADS, shortened

PLAN = "plan.json"
RUNS = ROOT / "results" / "runs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How much of everything. ``epochs`` None: as many as each workload names."""

    about: str
    workloads: tuple[str, ...]
    """Those that are run when none is named."""
    repeats: int
    train_images: int
    test_images: int
    timeout: float
    seconds: float
    """How long steady training is timed in each trial, at least."""
    epochs: int | None = None
    modes: Literal["taught", "usual", "all"] = "usual"
    """Of each framework: as its tutorial has it, that and compiled, or whatever it has."""
    scenarios: tuple[Scenario, ...] = ("training",)
    images: tuple[int, ...] = (1_024, 10_240, 102_400, 1_024_000)
    """Of the data sets that pipelines read, a trial each."""
    sentinel: bool = False
    """Whether one arm is run twice in every block, to see whether the run tells it from itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run, decided before it starts and kept beside its records: resuming needs nothing else."""

    schema: int
    run: str
    profile: str
    seed: int
    timeout: float
    interpreter: str
    """``environments`` (one per framework) or the path of the interpreter used for all."""
    dataset: DatasetInfo
    dataset_folder: str
    machine: Machine
    code: Code
    trials: tuple[Trial, ...]
    precision: float | None = None
    """Largest half width that an interval of speeds may have, as a share; None: as planned."""
    budget: float | None = None
    """Seconds of trials after which no more blocks are added for ``precision``."""


LOOKS = (10, 20, 30)
"""Blocks after which precision is looked at; never in between, and never at significance."""

BATCH_SIZES = (32, 128, 512)
"""Of memory passes, a trial each."""


def profiles() -> dict[str, Profile]:
    """The profiles of ``profiles.toml``, by name."""
    text = (Path(__file__).parent / "profiles.toml").read_text(encoding="utf-8")
    return {name: _PROFILE.validate_python(fields) for name, fields in tomllib.loads(text).items()}


_PROFILE = TypeAdapter(Profile)


def trials(
    arms: Sequence[tuple[str, str]],
    workloads: Sequence[str],
    profile: Profile,
    *,
    dataset: DatasetInfo,
    device: Device,
    precision: Precision,
    threads: int,
    seed: int,
    allocator: Allocator = "default",
    batch_size: int | None = None,
    plain: Mapping[tuple[str, str], str] | None = None,
) -> tuple[Trial, ...]:
    """Every arm (framework, mode) of every workload in every repeat, as shuffled blocks.

    All of block 0 comes before block 1, and so on. Within a block the workloads, and within a
    workload the arms, are in an order shuffled from ``seed``: a machine that drifts, drifts under
    every framework alike. ``plain`` names, of arms that have one, the mode that their compilation
    is set against. ``batch_size`` takes the place of each workload's own, whose rate stays as it
    is. Raises ``UserError`` for fewer images than a trial needs.
    """
    generator = random.Random(seed)  # noqa: S311 - an order, not a secret
    train = min(profile.train_images, dataset.train_images)
    twin = None
    if profile.sentinel:
        twin = BASELINE if BASELINE in arms else arms[0]
    planned: list[Trial] = []
    for block in range(profile.repeats):
        for name in generator.sample(workloads, len(workloads)):
            own = WORKLOADS[name]
            size = batch_size or own.batch_size
            if train < size:
                raise UserError(f"{name} needs at least {size} training images, not {train}")
            epochs = profile.epochs or own.epochs
            workload = replace(shortened(own, epochs * (train // size)), batch_size=size)
            of_workload = [
                Trial(
                    framework=framework,
                    mode=mode,
                    workload=workload,
                    device=device,
                    precision=precision,
                    threads=threads,
                    block=block,
                    seed=seed + block,
                    train_images=train,
                    test_images=min(profile.test_images, dataset.test_images),
                    epochs=epochs,
                    seconds=profile.seconds,
                    allocator=allocator,
                    plain=(plain or {}).get((framework, mode), ""),
                    **kind,
                )
                for framework, mode in arms
                for kind in _kinds(profile, sentinel=(framework, mode) == twin)
            ]
            for trial in of_workload:
                if trial.images % workload.batch_size:
                    raise UserError(
                        f"--images {trial.images}: {name} reads batches of {workload.batch_size}; "
                        "ask for a multiple of that"
                    )
            planned += generator.sample(of_workload, len(of_workload))
    return tuple(planned)


def _kinds(profile: Profile, *, sentinel: bool) -> Iterator[dict[str, Any]]:
    """What else tells the trials of one arm in one block apart."""
    for scenario in profile.scenarios:
        of: dict[str, Any] = {"scenario": scenario}
        match scenario:
            case "memory":
                yield from (of | {"batch_size": size} for size in BATCH_SIZES)
            case "pipeline":
                yield from (
                    of | {"source": source, "images": images}
                    for source in get_args(Source)
                    for images in profile.images
                )
            case _:
                yield of
    if sentinel and "training" in profile.scenarios:
        yield {"label": TWIN}


def extended(plan: Plan, blocks: int) -> Plan:
    """The plan with as many blocks more, of the same trials, in orders and with seeds of their own.

    Raises ``ValueError`` for a plan without trials.
    """
    have = max(trial.block for trial in plan.trials) + 1
    generator = random.Random(plan.seed * 1000 + have)  # noqa: S311 - an order, not a secret
    first = [trial for trial in plan.trials if trial.block == 0]
    more: list[Trial] = []
    for block in range(have, have + blocks):
        names = list(dict.fromkeys(trial.workload.name for trial in first))
        for name in generator.sample(names, len(names)):
            own = [trial for trial in first if trial.workload.name == name]
            more += [
                replace(trial, block=block, seed=plan.seed + block)
                for trial in generator.sample(own, len(own))
            ]
    return replace(plan, trials=(*plan.trials, *more))


def run_folder(wanted: Path | None, kind: str) -> Path:
    """The folder of a new run: ``wanted``, or one among ``RUNS`` that is named after ``kind``.

    Raises ``UserError`` where something is in it.
    """
    folder = wanted or RUNS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{kind}"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"--out {folder} exists; name another folder, or --resume {folder}")
    return folder


def save(folder: Path, plan: Plan) -> None:
    """Write the plan at once and whole."""
    files.replace(folder / PLAN, json.dumps(asdict(plan), indent=1))


def load(folder: Path) -> Plan:
    """The plan of a run. Raises ``UserError`` when there is none or it cannot be read."""
    try:
        fields = json.loads((folder / PLAN).read_text(encoding="utf-8"))
    except OSError:
        raise UserError(f"{folder} holds no run: it has no {PLAN}") from None
    except ValueError:
        raise UserError(f"{folder / PLAN} is not JSON; start a new run") from None
    written = fields.get("schema") if isinstance(fields, Mapping) else None
    if isinstance(written, int) and written != SCHEMA:
        age = "a newer" if written > SCHEMA else "an older"
        raise UserError(
            f"{folder} was written by {age} version of the suite (schema {written}, not {SCHEMA}); "
            "start a new run"
        )
    try:
        plan = _PLAN.validate_python(fields)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise UserError(f"{folder / PLAN} cannot be used (at {where}); start a new run") from None
    if plan is None or not plan.trials:
        raise UserError(f"{folder / PLAN} plans nothing; start a new run")
    return plan


# Given to a union, the configuration reaches every dataclass below it; a dataclass refuses it.
_PLAN: TypeAdapter[Plan | None] = TypeAdapter(Plan | None, config=ConfigDict(extra="forbid"))


_TRIAL = TypeAdapter(Trial)


def recorded(folder: Path) -> set[str]:
    """Names of the trials that have a record, after removing a last line cut off by a kill.

    Raises ``UserError`` for any other line that is not a record.
    """
    path = folder / RECORDS
    if not path.exists():
        return set()
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        os.truncate(path, len(whole))
    names = set()
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            names.add(_TRIAL.validate_python(json.loads(line)["trial"]).name)
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{path}, line {number} is not a record; start a new run") from None
    return names


def seconds(folder: Path) -> float:
    """How long the recorded trials of a run took, in all."""
    lines = (folder / RECORDS).read_bytes().splitlines()
    return float(sum(json.loads(line)["seconds"] for line in lines))
