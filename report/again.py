"""The commands that measure a section's records anew, from what the records say of themselves."""

import shlex
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import pandas as pd

from bench.contract import TWIN
from bench.workloads import WORKLOADS
from report.source import PACKAGES
from report.speeds import COMPILED, TAUGHT

PROFILES = Path(__file__).resolve().parent.parent / "bench" / "profiles.toml"

_NUMBERS = {
    "repeats": "--repeats",
    "epochs": "--epochs",
    "train_images": "--train-images",
    "test_images": "--test-images",
    "seconds": "--seconds",
}
"""What a profile says in numbers, and the option that says otherwise."""


def command(trials: pd.DataFrame) -> str:
    """For the ordinary trials of one section: a checkout of their code, and each run of it.

    A run's profile is the one that leaves least to be said by options. A data set of the user's
    own is ``PATH``: records do not say where it lies.
    """
    said = [_run(asked) for asked in (_Asked.of(of) for _, of in trials.groupby("run", sort=False))]
    commits = trials["commit"].dropna().unique()
    if len(commits) == 1 and not trials["dirty"].any():
        said.insert(0, f"git checkout {commits[0][:12]}")
    return " && ".join(said)


def _run(asked: "_Asked") -> str:
    # Whether an arm runs against itself is the profile's to say.
    name, options = min(
        (
            (name, list(_options(profile, asked)))
            for name, profile in _profiles().items()
            if "training" not in asked.scenarios or profile.get("sentinel", False) == asked.sentinel
        ),
        # A mode that is named is that of every framework that has it, so rather none.
        key=lambda found: ("--mode" in found[1], len(found[1])),
    )
    return shlex.join([*("nox", "-s", "bench", "--", "--profile", name), *options])


@cache
def _profiles() -> dict[str, dict[str, Any]]:
    return tomllib.loads(PROFILES.read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the trials of a run were asked for."""

    first: Mapping[str, Any]
    """Of the first trial: what all have in common."""
    repeats: int
    seed: int
    """Of the first block."""
    workloads: list[str]
    scenarios: list[str]
    arms: set[tuple[str, str]]
    """Framework and mode."""
    sentinel: bool
    images: list[int]
    """In the data sets that pipelines read, if any did."""
    batch_size: int
    """In the place of the workloads' own; 0 if it is that of each."""

    @classmethod
    def of(cls, trials: pd.DataFrame) -> "_Asked":
        twins = trials["label"] == TWIN
        arms = trials.loc[~twins, ["framework", "mode"]].drop_duplicates()
        sizes = trials[["workload", "batch_size"]].drop_duplicates()
        others = [
            int(size)
            for name, size in sizes.itertuples(index=False)
            if name in WORKLOADS and size != WORKLOADS[name].batch_size
        ]
        return cls(
            first=cast("dict[str, Any]", trials.iloc[0].to_dict()),
            repeats=int(trials["block"].nunique()),
            seed=int(trials["seed"].min()),
            workloads=sorted(trials["workload"].unique()),
            scenarios=sorted(trials["scenario"].unique()),
            arms=set(arms.itertuples(index=False, name=None)),
            sentinel=bool(twins.any()),
            images=sorted(set(trials["images"]) - {0}),
            batch_size=max(others, default=0),
        )


def _options(profile: Mapping[str, Any], asked: _Asked) -> Iterator[str]:
    """What has to be said beside the profile."""
    first = asked.first
    measured = {
        "repeats": asked.repeats,
        "epochs": int(first["epochs"]),
        "train_images": int(first["train_images"]),
        "test_images": int(first["test_images"]),
        "seconds": float(first["least_seconds"]),
    }
    for key, option in _NUMBERS.items():
        if measured[key] != profile.get(key):
            yield from (option, f"{measured[key]:g}")
    yield from _chosen(profile, asked)
    dataset = str(first["dataset"])
    yield from ("--dataset", dataset if dataset in {"synthetic", "cifar10"} else "PATH")
    yield from ("--device", str(first["device"]), "--threads", str(first["threads"]))
    if asked.batch_size:
        yield from ("--batch-size", str(asked.batch_size))
    if first["precision"] != "fp32":
        yield from ("--dtype", str(first["precision"]))
    if first["allocator"] != "default":
        yield from ("--allocator", str(first["allocator"]))
    if asked.seed:
        yield from ("--seed", str(asked.seed))


def _chosen(profile: Mapping[str, Any], asked: _Asked) -> Iterator[str]:
    """What is run in the place of what the profile names."""
    if asked.workloads != sorted(profile["workloads"]):
        yield from _each("--workload", asked.workloads)
    if asked.scenarios != sorted(profile.get("scenarios", ["training"])):
        yield from _each("--scenario", asked.scenarios)
    if asked.images and asked.images != sorted(profile.get("images", [])):
        yield from _each("--images", [str(number) for number in asked.images])
    frameworks = sorted({framework for framework, _ in asked.arms})
    if asked.arms != _unnamed(profile, frameworks):
        yield from _each("--mode", sorted({mode for _, mode in asked.arms}))
    if frameworks != sorted(PACKAGES):
        yield from _each("--framework", frameworks)


def _unnamed(profile: Mapping[str, Any], frameworks: list[str]) -> set[tuple[str, str]] | None:
    """Arms of a profile where no mode is named; None for all, which records cannot show to be."""
    taught = {(framework, TAUGHT.get(framework, "")) for framework in frameworks}
    match profile.get("modes", "usual"):
        case "taught":
            return taught
        case "usual":
            return taught | {arm for arm in COMPILED.items() if arm[0] in frameworks}
    return None


def _each(option: str, values: list[str]) -> Iterator[str]:
    for value in values:
        yield from (option, value)
