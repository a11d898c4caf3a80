"""A slim wheel has the code of one kind of GPU, at the same places, and nothing else is touched."""

import shutil
import struct
import zipfile
from pathlib import Path

import pytest

from bench.offline import slim
from bench.offline.slim import CUBIN, MAGIC, PTX


def image(kind: int, arch: int, content: bytes) -> bytes:
    """As in a fat binary: a header of 64 bytes, and the code."""
    header = struct.pack("<HHIQ", kind, 0, 64, len(content)).ljust(28, b"\1")
    return (header + struct.pack("<I", arch)).ljust(64, b"\2") + content


def fat(*images: bytes) -> bytes:
    return MAGIC + struct.pack("<Q", len(b"".join(images))) + b"".join(images)


OLD = image(CUBIN, 80, b"for 8.0" * 20)
NEW = image(CUBIN, 90, b"for 9.0" * 30)
SOURCE = image(PTX, 90, b"for any" * 10)
OLDER = image(PTX, 70, b"older" * 10)
NEWER = image(PTX, 100, b"newer" * 10)


@pytest.mark.parametrize(
    ("images", "kept"),
    [
        ([OLD, NEW, SOURCE], [NEW]),
        ([OLD, OLDER, SOURCE, NEWER], [SOURCE]),
        ([OLD], [OLD]),
        ([OLD, NEWER], [OLD, NEWER]),
    ],
    ids=["of the GPU", "to compile from", "of another", "nothing that fits"],
)
def test_code_of_other_gpus_becomes_zeros(
    tmp_path: Path, images: list[bytes], kept: list[bytes]
) -> None:
    library = tmp_path / "library.so"
    before, between, after = b"\x7fELF before", b"between, and not a fat binary", b"after" * 10
    library.write_bytes(before + fat(*images) + between + fat(*images) + after)
    slim.keep_one(library, 90)
    expected = fat(*kept).ljust(len(fat(*images)), b"\0")
    assert library.read_bytes() == before + expected + between + expected + after


@pytest.mark.parametrize(
    "content",
    [
        b"",
        MAGIC,
        MAGIC + struct.pack("<Q", 2**60) + NEW,
        fat(OLD, NEW)[:-1],
        fat(OLD, image(CUBIN, 90, b"x")[:-8] + b"longer than it says"),
        MAGIC + struct.pack("<Q", 200) + b"\0" * 300,
    ],
    ids=["empty", "no size", "endless", "cut", "not adding up", "no headers"],
)
def test_what_only_looks_like_code_is_left_alone(tmp_path: Path, content: bytes) -> None:
    library = tmp_path / "library.so"
    library.write_bytes(content)
    slim.keep_one(library, 90)
    assert library.read_bytes() == content


@pytest.mark.skipif(shutil.which("strip") is None, reason="needs binutils' strip")
def test_a_wheel_is_unpacked_without_what_is_not_loaded(tmp_path: Path) -> None:
    library = next(Path("/usr/lib").rglob("libz.so*"), None)
    if library is None:
        pytest.skip("no library to put into a wheel")
    wheel = tmp_path / "some.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(library, "tensorflow/lib.so.2")
        archive.writestr("tensorflow/__init__.py", "text")
        archive.writestr("tensorflow/include/header.h", "text")
        archive.writestr("tensorflow/types.pyi", "text")
    assert slim.main([str(wheel), str(tmp_path / "slim")]) == 0
    found = {str(p.relative_to(tmp_path / "slim")) for p in (tmp_path / "slim").rglob("*.*")}
    assert found == {"tensorflow/lib.so.2", "tensorflow/__init__.py"}


def test_bad_input_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "no.whl").write_text("no archive")
    assert slim.main([str(tmp_path / "no.whl"), str(tmp_path / "slim")]) == 2
    assert slim.main([str(tmp_path / "no.whl"), str(tmp_path)]) == 2
    cannot, exists = capsys.readouterr().err.splitlines()
    assert cannot.startswith(f"error: {tmp_path / 'no.whl'}: cannot be unpacked (")
    assert exists == f"error: {tmp_path} exists; name a folder that does not"
    assert not (tmp_path / "slim").exists()
