"""Let TensorFlow, which asks for CUDA 12, find the CUDA 13 of other frameworks' packages.

``python -m bench.offline.links FOLDER``: in ``FOLDER``, which then goes into ``LD_LIBRARY_PATH``,
the names that TensorFlow 2.21 opens become links to the libraries that the running Python has. The
functions that a network's training calls are the same in both; certificates tell whether they
compute the same. The CUDA runtime has to be the real one: its structures changed. Standard library
only.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.errors import UserError

NAMES = {
    "libcudart.so.12": ("libcudart.so.12",),
    "libcublas.so.12": ("libcublas.so.12", "libcublas.so.13"),
    "libcublasLt.so.12": ("libcublasLt.so.12", "libcublasLt.so.13"),
    "libcufft.so.11": ("libcufft.so.11", "libcufft.so.12"),
    "libcusolver.so.11": ("libcusolver.so.11", "libcusolver.so.12"),
    "libcusparse.so.12": ("libcusparse.so.12",),
    "libcudnn.so.9": ("libcudnn.so.9",),
}
"""What TensorFlow opens, and does without the GPU if one is missing: what may stand for it, the
library itself first."""

BESIDE = ("libcublas*.so.*", "libnvJitLink.so.*", "libnvrtc*.so.*", "libcudnn_*.so.*")
"""What these open in turn, by their own names, beside themselves."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 where a library is missing."""
    parser = argparse.ArgumentParser(prog="python -m bench.offline.links", description=__doc__)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    try:
        for name, library in link(options.folder, [Path(of) for of in sys.path if of]).items():
            print(f"{name} -> {library}")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def link(folder: Path, sites: Sequence[Path]) -> dict[str, Path]:
    """Make the links in ``folder`` to what is below ``nvidia`` in ``sites``; what each leads to.

    Raises ``UserError``, and makes none, where a library is missing.
    """
    found: dict[str, Path] = {}
    for site in sites:
        for library in sorted(site.glob("nvidia/**/lib/*.so*")):
            found.setdefault(library.name, library.resolve())
    wanted = {
        name: next((found[of] for of in candidates if of in found), None)
        for name, candidates in NAMES.items()
    }
    if lacking := [name for name, library in wanted.items() if library is None]:
        raise UserError(f"no {', '.join(lacking)} in the packages of {sys.executable}; install it")
    links = {name: of for name, of in found.items() if any(Path(name).match(p) for p in BESIDE)}
    links |= {name: library for name, library in wanted.items() if library is not None}
    folder.mkdir(parents=True, exist_ok=True)
    for name, library in links.items():
        place = folder / name
        place.unlink(missing_ok=True)
        place.symlink_to(library)
    return links


if __name__ == "__main__":
    sys.exit(main())
