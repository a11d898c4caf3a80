"""``nox -s platforms``: where each framework's current release installs, as the index has it.

For every framework, platform and Python packages with and without CUDA, uv resolves what an
installation would take, wheels only. Nothing is installed. The dated answer is written to
``results/reference/platforms.json``, so that reports need no network.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from json import dumps

import uv

from bench import files
from bench.code import ROOT
from bench.errors import UserError, last_line
from bench.installable import Installable, Resolved

OUTPUT = ROOT / "results" / "reference" / "platforms.json"
PYTHON = "3.12"
"""That all frameworks have wheels for."""
PLATFORMS: Mapping[str, str] = {
    "Linux x86-64": "x86_64-manylinux_2_28",
    "Linux aarch64": "aarch64-manylinux_2_28",
    "macOS arm64": "aarch64-apple-darwin",
    "Windows x86-64": "x86_64-pc-windows-msvc",
}
"""Names of ours, and uv's for the same."""
MACOS = "15.0"
"""A version that wheels may ask for; uv's default is older than what is supported."""

NO_SOLUTION = 1
"""uv's exit status where nothing fits; 2 is an error, such as an index that cannot be reached."""

_CUDA = {"tensorflow": "tensorflow[and-cuda]", "jax": "jax[cuda13]", "torch": "torch"}
"""What brings CUDA along; PyTorch's package does by itself, where it does."""

REQUIREMENTS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "pytorch": (("torch",),),
    "tensorflow": (("tensorflow",),),
    "keras": (("tensorflow", "keras"), ("torch", "keras"), ("jax", "keras")),
    "jax": (("jax", "flax", "optax"),),
}
"""Distributions of each framework; of several sets one is enough. Keras needs any backend."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 written, 2 bad input or no network, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="nox -s platforms --",
        description="Ask the package index where each framework's current release installs, and "
        f"write the answer to {OUTPUT.relative_to(ROOT)}. Needs a network.",
    )
    parser.parse_args(arguments)
    try:
        rows = tuple(row for framework in REQUIREMENTS for row in resolved(framework))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    found = Resolved(date=f"{datetime.now(UTC):%Y-%m-%d}", python=PYTHON, macos=MACOS, rows=rows)
    files.replace(OUTPUT, dumps(asdict(found), indent=1) + "\n")
    count = sum(bool(row.versions) for row in rows)
    print(f"{OUTPUT.relative_to(ROOT)}: {count} of {len(rows)} install")
    return 0


def resolved(framework: str) -> list[Installable]:
    """A row for each platform, with and without CUDA, all of the current release.

    Current is what Linux on x86-64 gets. Raises ``UserError`` if that is nothing, or as ``resolve``
    does.
    """
    home = next(iter(PLATFORMS))
    current: dict[str, str] = {}
    for names in REQUIREMENTS[framework]:
        found = resolve(names, home, {})
        if not found:
            raise UserError(f"{' '.join(names)}: the package index has nothing for {home}")
        current |= {name: found[name] for name in names}
    rows = []
    for platform in PLATFORMS:
        for cuda in (False, True):
            versions = _first(REQUIREMENTS[framework], platform, current, cuda=cuda)
            rows.append(
                Installable(
                    framework=framework,
                    platform=platform,
                    cuda=cuda,
                    versions=versions,
                )
            )
            print(f"{framework}, {platform}{', CUDA' if cuda else ''}: {versions or 'no'}")
    return rows


def _first(
    sets: Sequence[Sequence[str]], platform: str, current: Mapping[str, str], *, cuda: bool
) -> dict[str, str]:
    """Versions of the first set that installs; empty if none does."""
    for names in sets:
        asked = [_CUDA.get(name, name) for name in names] if cuda else names
        found = resolve(asked, platform, {name: current[name] for name in names})
        if found and (not cuda or any(name.startswith("nvidia-") for name in found)):
            return {name: found[name] for name in names}
    return {}


def resolve(names: Sequence[str], platform: str, pinned: Mapping[str, str]) -> dict[str, str]:
    """Versions of everything that an installation would take; empty if there is none.

    Raises ``UserError`` where that cannot be told: an index out of reach is no answer.
    """
    pins = [f"{name}=={version}" for name, version in pinned.items()]
    done = subprocess.run(
        [
            *(uv.find_uv_bin(), "pip", "compile", "--quiet", "--no-header", "--no-annotate"),
            *("--no-config", "--python-version", PYTHON, "--only-binary", ":all:"),
            *("--python-platform", PLATFORMS[platform], "-"),
        ],
        input="\n".join([*names, *pins]),
        env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": MACOS},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == NO_SOLUTION:
        return {}
    if done.returncode:
        reason = last_line(done.stderr)
        raise UserError(f"the package index did not answer: {reason}")
    lines = (line.partition(";")[0].strip() for line in done.stdout.splitlines())
    pairs = (line.partition("==") for line in lines if "==" in line)
    return {name.partition("[")[0]: version for name, _, version in pairs}


if __name__ == "__main__":
    sys.exit(main())
