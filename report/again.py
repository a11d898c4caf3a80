"""The command that measures a section's records anew, from what the records say of themselves."""

import shlex
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

import pandas as pd

from bench.contract import TWIN
from report.source import PACKAGES

PROFILES = Path(__file__).resolve().parent.parent / "bench" / "profiles.toml"

_NUMBERS = {
    "repeats": "--repeats",
    "epochs": "--epochs",
    "train_images": "--train-images",
    "test_images": "--test-images",
    "seconds": "--seconds",
}
"""What a profile says in numbers, and the option that says otherwise."""


_MODES = {"taught": 1, "usual": 2, "all": inf}
"""Modes of each framework that a profile runs: its tutorial's, that and one that compiles, any."""


def command(trials: pd.DataFrame) -> str:
    """For the ordinary trials of one section: a checkout of their code, and one run of it.

    The profile is the one that leaves least to be said by options. A data set of the user's own is
    ``PATH``: records do not say where it lies.
    """
    name, options = min(
        ((name, list(_options(profile, trials))) for name, profile in _profiles().items()),
        key=lambda found: len(found[1]),
    )
    said = shlex.join([*("nox", "-s", "bench", "--", "--profile", name), *options])
    commits = trials["commit"].dropna().unique()
    clean = len(commits) == 1 and not trials["dirty"].any()
    return f"git checkout {commits[0][:12]} && {said}" if clean else said


@cache
def _profiles() -> dict[str, dict[str, Any]]:
    return tomllib.loads(PROFILES.read_text(encoding="utf-8"))


def _options(profile: Mapping[str, Any], trials: pd.DataFrame) -> Iterator[str]:
    """What has to be said beside the profile."""
    first = trials.iloc[0]
    measured = {
        "repeats": int(trials["block"].nunique()),
        "epochs": int(first["epochs"]),
        "train_images": int(first["train_images"]),
        "test_images": int(first["test_images"]),
        "seconds": float(first["least_seconds"]),
    }
    for key, option in _NUMBERS.items():
        if measured[key] != profile.get(key):
            yield from (option, f"{measured[key]:g}")
    workloads = sorted(set(trials["workload"]))
    if workloads != sorted(profile["workloads"]):
        yield from _each("--workload", workloads)
    scenarios = sorted(set(trials["scenario"]))
    if scenarios != sorted(profile.get("scenarios", ["training"])):
        yield from _each("--scenario", scenarios)
    yield from _images(profile, trials)
    arms = trials[trials["label"] != TWIN][["framework", "mode"]].drop_duplicates()
    most = _MODES[profile.get("modes", "usual")]
    if (arms.groupby("framework").size() > most).any():
        yield from _each("--mode", sorted(set(arms["mode"])))
    frameworks = sorted(set(arms["framework"]))
    if frameworks != sorted(PACKAGES):
        yield from _each("--framework", frameworks)
    dataset = str(first["dataset"])
    yield from ("--dataset", dataset if dataset in {"synthetic", "cifar10"} else "PATH")
    yield from ("--device", str(first["device"]), "--threads", str(first["threads"]))
    if first["precision"] != "fp32":
        yield from ("--dtype", str(first["precision"]))
    if first["allocator"] != "default":
        yield from ("--allocator", str(first["allocator"]))
    if seed := int(trials["seed"].min()):  # that of the first block
        yield from ("--seed", str(seed))


def _images(profile: Mapping[str, Any], trials: pd.DataFrame) -> Iterator[str]:
    """Sizes of the data sets that pipelines read, if any did."""
    found = sorted(set(trials["images"]) - {0})
    if found and found != sorted(profile.get("images", [])):
        yield from _each("--images", [str(number) for number in found])


def _each(option: str, values: list[str]) -> Iterator[str]:
    for value in values:
        yield from (option, value)
