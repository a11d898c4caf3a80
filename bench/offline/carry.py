"""Bring a folder to a machine without a network: in slices, each with its hash.

``python -m bench.offline.carry pack SOURCE SLICES`` here, ``... unpack SLICES TARGET`` there.
Standard library only: what it brings is what is lacking there.

The slices of ``SOURCE`` are pieces of one tar archive, compressed each on its own: they can be
carried one after the other, and are unpacked side by side.
"""

import argparse
import hashlib
import io
import lzma
import sys
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench.errors import UserError
from bench.files import new_folder

SUMS = "SHA256SUMS"
"""As sha256sum(1) writes and checks it."""

PIECE = 2**24
"""Bytes of the archive that are compressed at once; a slice is as many of these as fit."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 bad input."""
    options = parser().parse_args(arguments)
    try:
        if options.job == "pack":
            pack(options.source, options.slices, options.mib * 2**20)
        else:
            unpack(options.slices, options.target)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    """Every option, explained."""
    result = argparse.ArgumentParser(prog="python -m bench.offline.carry", description=__doc__)
    jobs = result.add_subparsers(dest="job", required=True)
    one = jobs.add_parser("pack", help="make slices of a folder")
    one.add_argument("source", type=Path)
    one.add_argument("slices", type=Path, help="a folder that is not there yet")
    one.add_argument("--mib", type=int, default=48, help="a slice's largest size (48)")
    other = jobs.add_parser("unpack", help="check slices, and make the folder of them")
    other.add_argument("slices", type=Path)
    other.add_argument("target", type=Path, help="a folder that is not there yet")
    return result


def pack(source: Path, slices: Path, largest: int) -> None:
    """Write ``source`` as slices of ``largest`` bytes at most, and their hashes.

    Raises ``UserError`` where there is no such folder, ``slices`` is there, or ``largest`` is less
    than a piece of the archive may take.
    """
    if not source.is_dir():
        raise UserError(f"{source}: no such folder")
    if slices.exists():
        raise UserError(f"{slices} exists; name a folder that does not")
    if largest < 2 * PIECE:
        raise UserError(f"--mib {largest / 2**20:g}: must be at least {2 * PIECE / 2**20:g}")
    with new_folder(slices) as unfinished:
        sums = [
            f"{hashlib.sha256(content).hexdigest()}  {_write(unfinished, number, content)}\n"
            for number, content in enumerate(_slices(source, largest))
        ]
        (unfinished / SUMS).write_text("".join(sums), encoding="ascii")


def _write(folder: Path, number: int, content: bytes) -> str:
    name = f"{number:03d}.xz"
    (folder / name).write_bytes(content)
    return name


def _slices(source: Path, largest: int) -> Iterator[bytes]:
    """Compressed pieces, one behind the other as one file of several streams (xz(1) allows it)."""
    held = b""
    with ProcessPoolExecutor() as pool:
        for piece in pool.map(lzma.compress, _pieces(source)):
            if held and len(held) + len(piece) > largest:
                yield held
                held = b""
            held += piece
    yield held


def _pieces(source: Path) -> Iterator[bytes]:
    """The archive of a folder's content, in an order of its own, cut."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in sorted(source.iterdir()):
            tar.add(path, path.name)
    whole = archive.getbuffer()
    for start in range(0, len(whole), PIECE):
        yield bytes(whole[start : start + PIECE])


def unpack(slices: Path, target: Path) -> None:
    """Make the folder ``target`` of slices, all of them, each with its hash.

    Raises ``UserError`` where one is missing or another than it was, or ``target`` is there.
    """
    if target.exists():
        raise UserError(f"{target} exists; name a folder that does not")
    try:
        lines = (slices / SUMS).read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        raise UserError(f"{slices} has no {SUMS}: bring all that `pack` wrote") from None
    if not hasattr(tarfile, "data_filter"):
        raise UserError("this Python would also write outside of the folder; use 3.11.4 or later")
    digests, names = zip(*(line.split("  ", 1) for line in lines), strict=True)
    paths = [slices / Path(name).name for name in names]
    with ProcessPoolExecutor() as pool:
        content = b"".join(pool.map(_checked, paths, digests))
    try:
        with new_folder(target) as unfinished, tarfile.open(fileobj=io.BytesIO(content)) as tar:
            tar.extractall(unfinished, filter="data")  # nothing outside, no devices
    except tarfile.TarError as error:
        raise UserError(f"{slices} cannot be unpacked: {error}") from None


def _checked(path: Path, digest: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError:
        raise UserError(f"{path} is missing: bring all that `pack` wrote") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise UserError(f"{path} is not what `pack` wrote; bring it again")
    return lzma.decompress(content)


if __name__ == "__main__":
    sys.exit(main())
