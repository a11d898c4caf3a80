"""Unpack a wheel without what training on one kind of GPU never loads.

``python -m bench.offline.slim WHEEL FOLDER --arch 90``. TensorFlow 2.21's wheel for CUDA has 573
MB, what is left of it a third of that, compressed. Left out are headers, symbols (``strip``, of
binutils) and the code of other GPUs. Standard library only.
"""

import argparse
import mmap
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.errors import UserError
from bench.files import new_folder

LEFT_OUT = ("tensorflow/include/", "tensorflow/xla_aot_runtime_src/")
"""Folders; and files that end in ``.pyi``. Needed by those who compile against it."""


class Image(NamedTuple):
    """Code for one architecture in a fat binary."""

    kind: int
    """``PTX``, which the driver compiles for whatever it runs on, or ``CUBIN``."""
    arch: int
    """90 is compute capability 9.0."""
    start: int
    end: int
    """Bytes of the file; its own header included."""


PTX, CUBIN = 1, 2
MAGIC = struct.pack("<IHH", 0xBA55ED50, 1, 16)
"""How a fat binary begins: magic number, version, bytes of this header; then 8 bytes: its size.

NVIDIA does not document the format. As read by other tools and checked with ``cuobjdump``: an image
has its kind at 0, bytes of its header at 4, bytes of its content at 8, its architecture at 28."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m bench.offline.slim", description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path, help="a folder that is not there yet")
    parser.add_argument("--arch", type=int, default=90, help="of the GPU: 90 is Hopper (90)")
    options = parser.parse_args(arguments)
    try:
        slim(options.wheel, options.folder, options.arch)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def slim(wheel: Path, folder: Path, arch: int) -> None:
    """Unpack ``wheel`` into ``folder``. Raises ``UserError`` where one or the other cannot be."""
    if folder.exists():
        raise UserError(f"{folder} exists; name a folder that does not")
    try:
        with zipfile.ZipFile(wheel) as archive, new_folder(folder) as unfinished:
            for name in archive.namelist():
                if not (name.startswith(LEFT_OUT) or name.endswith(".pyi")):
                    archive.extract(name, unfinished)
            for library in sorted(unfinished.rglob("*.so*")):
                _strip(library)
                keep_one(library, arch)
    except (OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{wheel}: cannot be unpacked ({error})") from None


def _strip(library: Path) -> None:
    asked = ["strip", "--strip-unneeded", str(library)]
    done = subprocess.run(asked, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise UserError(f"strip {library.name}: {' '.join(done.stderr.split())}")


def keep_one(library: Path, arch: int) -> None:
    """Leave in each fat binary of ``library`` the code for ``arch`` alone, and zeros behind it.

    Where there is none, the newest PTX that it can be compiled from; where there is none either,
    all as it is. Sizes and places in the file stay.
    """
    if library.stat().st_size < len(MAGIC):
        return
    with library.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        start = content.find(MAGIC)
        while start >= 0:
            images = list(_images(content, start))
            end = images[-1].end if images else start + len(MAGIC)
            if kept := _chosen(images, arch):
                body = content[kept.start : kept.end]
                whole = MAGIC + struct.pack("<Q", len(body)) + body
                content[start:end] = whole + bytes(end - start - len(whole))
            start = content.find(MAGIC, end)


def _chosen(images: Sequence[Image], arch: int) -> Image | None:
    fitting = [of for of in images if of.kind == CUBIN and of.arch == arch]
    compiled_from = [of for of in images if of.kind == PTX and of.arch <= arch]
    return max(fitting or compiled_from, key=lambda of: of.arch, default=None)


def _images(content: mmap.mmap, start: int) -> Iterator[Image]:
    """Of the fat binary at ``start``; none if it does not add up, so that it is left alone."""
    place = start + len(MAGIC) + 8
    if place > len(content):
        return
    (size,) = struct.unpack_from("<Q", content, start + len(MAGIC))
    end = place + size
    found = []
    while place < end <= len(content) - 32:
        kind, header, length = struct.unpack_from("<HxxIQ", content, place)
        (arch,) = struct.unpack_from("<I", content, place + 28)
        if header < 32:
            return
        found.append(Image(kind, arch, place, place + header + length))
        place += header + length
    if place == end:
        yield from found


if __name__ == "__main__":
    sys.exit(main())
