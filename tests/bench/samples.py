"""Small data sets in every format ``bench.sources`` reads, as names and bytes."""

import io
import struct
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.errors import UserError

Contents = Mapping[str, bytes]

CLASSES = ("ant", "bee", "cow", "dog", "eel", "fox", "gnu", "hen", "ibex", "jay")


def pixels(seed: int, shape: tuple[int, ...] = (32, 32, 3)) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def image(array: NDArray[np.uint8], kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind)
    return buffer.getvalue()


def class_folders(train: int = 2, test: int = 1) -> dict[str, bytes]:
    """Every image is its own noise: ``pixels(1000 * part + 100 * class + number)``."""
    return {
        f"{part}/{name}/{number}.png": image(pixels(1000 * i + 100 * j + number))
        for i, (part, count) in enumerate((("train", train), ("test", test)))
        for j, name in enumerate(CLASSES)
        for number in range(count)
    }


def binary_batches(records: int = 10) -> dict[str, bytes]:
    """Labels are 0, 1, ... 9; images ``pixels(1000 * batch + record)``, the test batch being 6."""
    names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    return {
        name: b"".join(
            bytes([record % 10]) + pixels(1000 * batch + record).transpose(2, 0, 1).tobytes()
            for record in range(records)
        )
        for batch, name in enumerate(names, start=1)
    }


def python_batches(records: int = 10) -> dict[str, bytes]:
    """The same images and labels as ``binary_batches``."""
    batches = {}
    for name, content in binary_batches(records).items():
        rows = np.frombuffer(content, dtype=np.uint8).reshape(records, 3073)
        batches[name.removesuffix(".bin")] = python_batch(
            rows[:, 1:].tobytes(), (records, 3072), rows[:, 0].tolist()
        )
    return batches


def python_batch(
    values: bytes, shape: tuple[int, int], labels: list[int], kind: bytes = b"u1"
) -> bytes:
    """A batch as Python 2 pickled it, protocol 2; Python 3 cannot write its byte strings."""
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n"
        + (b"cnumpy\nndarray\n" + number(0) + b"\x85" + string(b"b") + b"\x87R")
        + (b"(" + number(1) + number(shape[0]) + number(shape[1]) + b"\x86")
        + (b"cnumpy\ndtype\n" + string(kind) + number(0) + number(1) + b"\x87R")
        + (b"(" + number(3) + string(b"|") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb")
        + (b"\x89" + string(values) + b"tb")
    )
    entries = (
        (string(b"batch_label") + string(b"a batch"))
        + (string(b"labels") + b"](" + b"".join(map(number, labels)) + b"e")
        + (string(b"data") + array)
    )
    return b"\x80\x02}q\x01(" + entries + b"u."


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def string(value: bytes) -> bytes:
    return b"T" + struct.pack("<i", len(value)) + value


@contextmanager
def refusal_allowed() -> Iterator[None]:
    """Lets ``UserError`` of one line pass, and nothing else."""
    message = ""
    try:
        yield
    except UserError as error:
        message = str(error)
    assert message.isprintable()


def tar(contents: Contents, kind: str = "gz") -> bytes:
    return tar_of([(tarfile.TarInfo(name), content) for name, content in contents.items()], kind)


def tar_of(members: list[tuple[tarfile.TarInfo, bytes]], kind: str = "gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{kind}") as archive:  # type: ignore[call-overload]
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def zipped(contents: Contents, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def write_folder(folder: Path, contents: Contents) -> Path:
    for name, content in contents.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


def write_file(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file
