"""The files of an archive or a folder that somebody else made, read into memory within limits.

Nothing is unpacked to disk, so no name in an archive can reach outside; links, devices and names
that try are refused all the same, because what holds one is not a data set.
"""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple, Self

from bench.errors import UserError

Files = dict[PurePosixPath, bytes | None]
"""Name, relative to the archive or folder, to content; ``None`` for a folder."""

MAX_ENTRIES = 200_000
"""CIFAR-10 as one file per image has 60,022 entries."""
MAX_FILE = 64 * 2**20
"""Bytes of one file. A batch of CIFAR-10 has 31 million; a small image, some thousands."""
MAX_TOTAL = 2**30
"""Bytes of all files together, unpacked; all of CIFAR-10 is 184 million."""
MAX_DEPTH = 6
"""Names within names. Data sets need four, folder/train/class/image; circular links never end."""
MAX_NAME = 1024
"""Characters of a name with its folders."""


def read_files(path: Path, wanted: Callable[[PurePosixPath], bool]) -> Files:
    """Read an archive (tar, tar.gz, tar.bz2, tar.xz or zip, told by content) or a folder.

    The result has every folder, but only the files whose name is ``wanted``. Hidden names
    (``.DS_Store``, ``.git``) and ``__MACOSX`` are left out with all that is below them.

    Raises ``UserError`` when ``path`` is neither, is damaged, or goes beyond the limits above.
    """
    files: Files = {}
    total = 0
    with _readable(path):
        for name, entry in _entries(path):
            if name in files and files[name] is not None:
                raise UserError(f"{quoted(path)}: holds {quoted(name)} twice; pack it anew")
            if entry.read is None:
                files[name] = None
            elif wanted(name):
                total += entry.size
                if entry.size > MAX_FILE or total > MAX_TOTAL:
                    raise _too_large(path, name)
                files[name] = entry.read()
    return files


def fingerprint(path: Path) -> str:
    """SHA-256, as 64 hexadecimal digits, of an archive's bytes.

    For a folder, of its location and all its names, sizes and times of last change: quicker than
    reading every file, and enough to notice that one was added, removed or edited.

    Raises ``UserError`` when ``path`` cannot be read, or is a folder beyond the limits above.
    """
    with _readable(path):
        if not path.is_dir():
            with _open(path) as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        state = hashlib.sha256(repr(path.resolve()).encode())
        for name, entry in _entries(path):
            state.update(repr((str(name), entry.size, entry.changed)).encode())
        return state.hexdigest()


def quoted(text: object) -> str:
    """A name or message from outside, made fit for a line: between quotes, escaped, not endless."""
    line = repr(str(text))
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}...{line[0]}"


_SHOWN = 200


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 - unpackers raise anything on hostile bytes
        # Decompressors, too, raise OSError; only the system's own have a number.
        if isinstance(error, OSError) and error.errno:
            raise UserError(
                f"{quoted(error.filename or path)}: cannot be read ({error.strerror}); "
                "mend that or name another data set"
            ) from None
        reason = quoted(f"{type(error).__name__}: {error}")
        raise UserError(
            f"{quoted(path)}: truncated or corrupt ({reason}); get a new copy"
        ) from None


class _Entry(NamedTuple):
    name: str
    size: int = 0
    changed: int = 0
    """Time of last change in nanoseconds; of folders' files only."""
    read: Callable[[], bytes] | None = None
    """Reads the content, which must happen before the next entry; ``None`` for a folder."""


def _entries(path: Path) -> Iterator[tuple[PurePosixPath, _Entry]]:
    """What an archive or folder holds, in its order, with names that passed every check."""
    entries = _walk(path) if path.is_dir() else _unpack(path)
    for count, entry in enumerate(entries, start=1):
        if count > MAX_ENTRIES:
            raise UserError(
                f"{quoted(path)}: holds more than {MAX_ENTRIES} files; name one data set only"
            )
        name = PurePosixPath(entry.name)
        if name.is_absolute() or ".." in name.parts:
            raise UserError(
                f"{quoted(path)}: {quoted(entry.name)} leads outside of it; "
                "do not trust this archive, get another"
            )
        if len(name.parts) > MAX_DEPTH or len(entry.name) > MAX_NAME:
            raise UserError(
                f"{quoted(path)}: {quoted(entry.name)} lies too deep; "
                "name the folder that holds the data set itself"
            )
        if name.parts and not any(map(_ignored, name.parts)):
            yield name, entry


def _ignored(part: str) -> bool:
    return part.startswith(".") or part == "__MACOSX"


def _too_large(path: Path, name: object) -> UserError:
    return UserError(
        f"{quoted(path)}: {quoted(name)} exceeds {MAX_FILE >> 20} MiB, or with all before it "
        f"{MAX_TOTAL >> 20} MiB; name a data set of 32x32 images"
    )


def _no_file(path: Path, name: object) -> UserError:
    return UserError(
        f"{quoted(path)}: {quoted(name)} is neither a file nor a folder; "
        "use a copy without links and devices"
    )


def _walk(folder: Path) -> Iterator[_Entry]:
    """Entries of a folder, sorted. Links are followed: the folder is the user's own."""
    for parent, folders, files in os.walk(folder, onerror=_raise, followlinks=True):
        folders[:] = sorted(name for name in folders if not _ignored(name))
        for name in folders:
            yield _Entry(Path(parent, name).relative_to(folder).as_posix())
        for name in sorted(name for name in files if not _ignored(name)):
            file = Path(parent, name)
            status = file.stat()
            if not stat.S_ISREG(status.st_mode):
                raise _no_file(folder, file)
            yield _Entry(
                file.relative_to(folder).as_posix(),
                size=status.st_size,
                changed=status.st_mtime_ns,
                read=file.read_bytes,
            )


def _raise(error: OSError) -> None:
    raise error


def _open(path: Path) -> io.BufferedReader:
    # A pipe would wait for its writer, and /dev/zero never end.
    if not path.is_file():
        raise _no_file(path, path)
    return path.open("rb")


def _unpack(path: Path) -> Iterator[_Entry]:
    with _open(path) as file:
        head = file.read(tarfile.BLOCKSIZE)
        file.seek(0)
        if head.startswith(_ZIP):
            yield from _unzip(path, file)
            return
        for magic, decompress in _COMPRESSED.items():
            if head.startswith(magic):
                with decompress(file) as stream:
                    yield from _untar(path, stream)
                return
        if head[257:262] != b"ustar":
            raise UserError(
                f"{quoted(path)}: neither a folder nor an archive; "
                "name one (tar, tar.gz, tar.bz2, tar.xz, zip)"
            )
        yield from _untar(path, file)


_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
"""First bytes of a zip with and without members."""
_COMPRESSED: dict[bytes, Callable[[BinaryIO], io.BufferedIOBase]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
"""First bytes of a compressed file to what reads it."""


def _unzip(path: Path, file: BinaryIO) -> Iterator[_Entry]:
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _no_file(path, member.filename)
            if member.is_dir():
                yield _Entry(member.filename)
                continue
            # zipfile expands the other methods without a bound on the result.
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise UserError(
                    f"{quoted(path)}: {quoted(member.filename)} is compressed in an unusual way; "
                    "pack it anew as an ordinary zip or tar"
                )
            read = partial(_read_member, archive, member)
            yield _Entry(member.filename, size=member.file_size, read=read)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as content:
        # Not read(): that expands all there is before it looks at the size.
        return content.read(member.file_size)


def _untar(path: Path, stream: io.BufferedIOBase) -> Iterator[_Entry]:
    capped = _Capped(path, stream)
    with tarfile.open(fileobj=capped, mode="r|", tarinfo=_Header) as archive:
        for member in archive:
            if member.isdir():
                yield _Entry(member.name)
                continue
            content = archive.extractfile(member) if member.isreg() else None
            if content is None or member.issparse():
                raise _no_file(path, member.name)
            yield _Entry(member.name, size=member.size, read=content.read)
    # Checksums of compressed streams stand at their end, beyond the archive's own.
    while capped.read(2**20):
        pass


class _Capped(io.BufferedIOBase):
    """A stream that ends with ``UserError`` after ``MAX_TOTAL`` bytes, for ``tarfile`` to read.

    Headers count too: a long name is as good a way as a file to fill a memory.
    """

    def __init__(self, path: Path, stream: io.BufferedIOBase) -> None:
        self._path = path
        self._stream = stream
        self._left = MAX_TOTAL

    def read(self, size: int | None = -1, /) -> bytes:
        block = self._stream.read(size)
        self._left -= len(block)
        if self._left < 0:
            raise _too_large(self._path, self._path.name)
        return block


class _Header(tarfile.TarInfo):
    """A header that is missing or unreadable is an error; ``tarfile`` takes it for the end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise  # A block of zeros is the end.
            raise tarfile.ReadError(str(error)) from None
