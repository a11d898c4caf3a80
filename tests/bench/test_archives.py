import gzip
import io
import os
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import archives
from bench.archives import fingerprint, quoted, read_files
from bench.errors import UserError
from tests.bench.samples import (
    Contents,
    refusal_allowed,
    tar,
    tar_of,
    write_file,
    write_folder,
    zipped,
)

CONTENTS = {"top/a.bin": b"alpha", "top/deep/b.bin": b"", "c.bin": bytes(range(256)) * 40}
AS_FILES = {PurePosixPath(name): content for name, content in CONTENTS.items()}


def everything(_name: PurePosixPath) -> bool:
    return True


def read(path: Path) -> dict[PurePosixPath, bytes]:
    files = read_files(path, everything)
    return {name: content for name, content in files.items() if content is not None}


def refusal(path: Path) -> str:
    """The one line with which ``read_files`` refuses ``path``."""
    with pytest.raises(UserError) as caught:
        read_files(path, everything)
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith(quoted(path))
    return message


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz"])
def test_reads_tar(tmp_path: Path, kind: str) -> None:
    assert read(write_file(tmp_path / "whatever", tar(CONTENTS, kind))) == AS_FILES


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_reads_zip(tmp_path: Path, compression: int) -> None:
    assert read(write_file(tmp_path / "whatever", zipped(CONTENTS, compression))) == AS_FILES


def test_reads_folder(tmp_path: Path) -> None:
    assert read(write_folder(tmp_path, CONTENTS)) == AS_FILES


def test_reads_only_what_is_wanted_and_lists_folders(tmp_path: Path) -> None:
    write_folder(tmp_path, CONTENTS)
    assert read_files(tmp_path, lambda name: name.name == "a.bin") == {
        PurePosixPath("top"): None,
        PurePosixPath("top/deep"): None,
        PurePosixPath("top/a.bin"): b"alpha",
    }


def test_lists_empty_folders_of_archives(tmp_path: Path) -> None:
    folder = tarfile.TarInfo("empty")
    folder.type = tarfile.DIRTYPE
    expected = {PurePosixPath("empty"): None}
    in_tar = write_file(tmp_path / "a.tar.gz", tar_of([(folder, b"")]))
    in_zip = write_file(tmp_path / "a.zip", zipped({"empty/": b""}))
    assert read_files(in_tar, everything) == read_files(in_zip, everything) == expected


def test_leaves_out_hidden_names_and_macos_extras(tmp_path: Path) -> None:
    extra = {".DS_Store": b"x", "__MACOSX/top/a.bin": b"x", "top/._a.bin": b"x", ".git/c": b"x"}
    for path in (
        write_folder(tmp_path / "folder", CONTENTS | extra),
        write_file(tmp_path / "a.zip", zipped(CONTENTS | extra)),
        write_file(tmp_path / "a.tar", tar(CONTENTS | extra, "")),
    ):
        assert read(path) == AS_FILES


def test_follows_links_inside_a_folder(tmp_path: Path) -> None:
    elsewhere = write_folder(tmp_path / "elsewhere", {"a.bin": b"alpha"})
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(elsewhere)
    assert read(folder) == {PurePosixPath("link/a.bin"): b"alpha"}


def test_links_in_circles_come_to_an_end(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    assert "lies too deep" in refusal(tmp_path)


@pytest.mark.parametrize(
    "name", ["/absolute", "../outside", "a/../../outside", "//absolute", "a/b/../../../outside"]
)
@pytest.mark.parametrize("pack", [tar, zipped])
def test_names_that_lead_outside_are_refused_and_nothing_is_written(
    tmp_path: Path, name: str, pack: Callable[[Contents], bytes]
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    archive = write_file(inside / "archive", pack({"good": b"x", name: b"x"}))
    assert "leads outside" in refusal(archive)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [archive]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("trap")
    member.type = kind
    member.linkname = "/etc/passwd"
    archive = write_file(tmp_path / "a.tar.gz", tar_of([(member, b"")]))
    assert "'trap' is neither a file nor a folder" in refusal(archive)
    assert list(tmp_path.iterdir()) == [archive]


def test_link_in_zip_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        member = zipfile.ZipInfo("trap")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, "/etc/passwd")
    path = write_file(tmp_path / "a.zip", buffer.getvalue())
    assert "'trap' is neither a file nor a folder" in refusal(path)


def test_sparse_member_is_refused(tmp_path: Path) -> None:
    member = tarfile.TarInfo("holes")
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[483:495] = b"77777777777\0"  # the size it claims to be when its holes are filled
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path = write_file(tmp_path / "a.tar", bytes(header) + bytes(1024))
    assert "'holes' is neither a file nor a folder" in refusal(path)


def test_pipe_in_a_folder_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "neither a file nor a folder" in refusal(tmp_path)


def test_pipe_as_archive_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "neither a file nor a folder" in refusal(tmp_path / "pipe")
    with pytest.raises(UserError, match="neither a file nor a folder"):
        fingerprint(tmp_path / "pipe")


def test_other_file_is_refused(tmp_path: Path) -> None:
    message = refusal(write_file(tmp_path / "notes.txt", b"not an archive\n"))
    assert "neither a folder nor an archive" in message


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_truncated_tar_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    contents = {f"{number}.bin": os.urandom(3000) for number in range(20)}
    # Less the blocks of zeros at its end, which tar fills up to a multiple of 10,240 bytes.
    whole = tar(contents, kind).rstrip(b"\0") if not kind else tar(contents, kind)
    path = write_file(tmp_path / "archive", whole[: int(len(whole) * share)])
    assert "truncated or corrupt" in refusal(path)


def test_tar_cut_between_two_members_is_refused(tmp_path: Path) -> None:
    whole = tar({"a": b"x" * 512, "b": b"y" * 512}, "")
    assert "truncated or corrupt" in refusal(write_file(tmp_path / "a.tar", whole[:1024]))


def test_tar_with_damaged_header_is_refused(tmp_path: Path) -> None:
    whole = bytearray(tar({"a": b"x" * 512, "b": b"y" * 512}, ""))
    whole[1024] ^= 1
    assert "truncated or corrupt" in refusal(write_file(tmp_path / "a.tar", bytes(whole)))


def test_gzip_with_wrong_checksum_is_refused(tmp_path: Path) -> None:
    whole = bytearray(tar(CONTENTS))
    whole[-8] ^= 1
    assert "truncated or corrupt" in refusal(write_file(tmp_path / "a.tar.gz", bytes(whole)))


def test_zip_with_wrong_checksum_is_refused(tmp_path: Path) -> None:
    whole = bytearray(zipped({"a": b"alpha" * 100}, zipfile.ZIP_STORED))
    whole[100] ^= 1
    assert "truncated or corrupt" in refusal(write_file(tmp_path / "a.zip", bytes(whole)))


def test_unreadable_file_is_not_called_corrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_file(tmp_path / "a.tar.gz", tar(CONTENTS))

    def deny(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", deny)
    assert "cannot be read (Permission denied)" in refusal(path)


def test_same_name_twice_is_refused(tmp_path: Path) -> None:
    twice = [(tarfile.TarInfo("a"), b"1"), (tarfile.TarInfo("./a"), b"2")]
    assert "holds 'a' twice" in refusal(write_file(tmp_path / "a.tar.gz", tar_of(twice)))


def test_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_ENTRIES", 5)
    contents = {f"{number}": b"" for number in range(6)}
    for path in (
        write_folder(tmp_path / "folder", contents),
        write_file(tmp_path / "a.zip", zipped(contents)),
        write_file(tmp_path / "a.tar.gz", tar(contents)),
    ):
        assert "more than 5 files" in refusal(path)


def test_too_large_files_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_FILE", 100)
    contents = {"large": bytes(101)}
    for path in (
        write_folder(tmp_path / "folder", contents),
        write_file(tmp_path / "a.zip", zipped(contents)),
        write_file(tmp_path / "a.tar.gz", tar(contents)),
    ):
        assert "'large' exceeds" in refusal(path)


def test_too_much_in_all_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_TOTAL", 1000)
    contents = {f"{number}": bytes(300) for number in range(4)}
    for path in (
        write_folder(tmp_path / "folder", contents),
        write_file(tmp_path / "a.zip", zipped(contents)),
        write_file(tmp_path / "a.tar.gz", tar(contents)),
    ):
        assert "exceeds" in refusal(path)


def test_bomb_in_what_is_not_wanted_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_TOTAL", 2**20)
    path = write_file(tmp_path / "a.tar.gz", tar({"unwanted": bytes(2**24)}))
    with pytest.raises(UserError, match="exceeds"):
        read_files(path, lambda _: False)


def test_bomb_in_a_header_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_TOTAL", 2**20)
    member = tarfile.TarInfo("n" * 2**24)
    assert "exceeds" in refusal(write_file(tmp_path / "a.tar.gz", tar_of([(member, b"")])))


def test_zip_member_that_unpacks_to_more_than_it_says_is_refused(tmp_path: Path) -> None:
    whole = bytearray(zipped({"bomb": bytes(2**24)}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        position = whole.index(signature) + offset
        whole[position : position + 4] = struct.pack("<I", 10)
    path = write_file(tmp_path / "a.zip", bytes(whole))
    tracemalloc.start()
    assert "truncated or corrupt" in refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_methods_without_bound_are_refused(tmp_path: Path, compression: int) -> None:
    path = write_file(tmp_path / "a.zip", zipped({"a": b"x"}, compression))
    assert "compressed in an unusual way" in refusal(path)


def test_deep_and_long_names_are_refused(tmp_path: Path) -> None:
    for name in ("a/b/c/d/e/f/g", "n" * 2000):
        path = write_file(tmp_path / "a.tar.gz", tar({name: b""}))
        assert "lies too deep" in refusal(path)


@pytest.mark.parametrize("name", ["new\nline", "bell\a", "\x1b[31mred", "bad\udcff"])
def test_odd_names_do_not_break_the_line(tmp_path: Path, name: str) -> None:
    twice = [(tarfile.TarInfo(name), b""), (tarfile.TarInfo(name), b"")]
    assert "twice" in refusal(write_file(tmp_path / f"{name}.tar.gz", tar_of(twice)))


@settings(deadline=None)
@given(content=st.binary(max_size=2000))
def test_arbitrary_bytes_are_read_or_refused(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "arbitrary"
    for magic in (b"", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\x00", b"PK\x03\x04", b"PK\x05\x06"):
        write_file(path, magic + content)
        with refusal_allowed():
            read_files(path, everything)


WHOLE = {
    kind: bytearray(tar(CONTENTS, kind) if kind != "zip" else zipped(CONTENTS))
    for kind in ("", "gz", "bz2", "xz", "zip")
}


@settings(deadline=None)
@given(kind=st.sampled_from(sorted(WHOLE)), data=st.data())
def test_damaged_archives_are_read_or_refused(
    kind: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    damaged = bytearray(WHOLE[kind])
    where = st.integers(0, len(damaged) - 1)
    for position, value in data.draw(st.dictionaries(where, st.integers(0, 255))).items():
        damaged[position] = value
    path = write_file(tmp_path_factory.getbasetemp() / "damaged", bytes(damaged))
    with refusal_allowed():
        read_files(path, everything)


@settings(deadline=None)
@given(header=st.binary(min_size=512, max_size=512), data=st.binary(max_size=512))
def test_hostile_tar_headers_are_read_or_refused(
    header: bytes, data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # With a right checksum, so that every other field reaches the reader.
    block = bytearray(header)
    block[257:265] = tarfile.POSIX_MAGIC
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    path = tmp_path_factory.getbasetemp() / "hostile"
    write_file(path, gzip.compress(bytes(block) + data + bytes(1024), compresslevel=1))
    with refusal_allowed():
        read_files(path, everything)


def test_fingerprint_of_an_archive_is_its_sha256(tmp_path: Path) -> None:
    path = write_file(tmp_path / "a", b"abc")
    assert fingerprint(path).startswith("ba7816bf8f01cfea414140de5dae2223")  # FIPS 180-2, B.1


def test_fingerprint_of_a_folder_follows_its_files(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", CONTENTS)
    seen = {fingerprint(folder)}
    assert fingerprint(folder) in seen
    for change in (
        lambda: (folder / "new").write_bytes(b""),
        lambda: (folder / "new").rename(folder / "renamed"),
        lambda: (folder / "c.bin").write_bytes(b"shorter"),
        lambda: os.utime(folder / "c.bin", ns=(0, 1)),
        lambda: (folder / "empty").mkdir(),
    ):
        change()
        assert fingerprint(folder) not in seen
        seen.add(fingerprint(folder))


def test_fingerprint_of_a_copy_elsewhere_differs(tmp_path: Path) -> None:
    # Times of last change are all alike in some archives, so they do not vouch for equal content.
    folders = [write_folder(tmp_path / name, {"a": name.encode()}) for name in ("one", "two")]
    for folder in folders:
        os.utime(folder / "a", ns=(0, 0))
    assert fingerprint(folders[0]) != fingerprint(folders[1])


@settings(deadline=None)
@given(st.text())
def test_quoted_is_one_short_printable_line(text: str) -> None:
    line = quoted(text * 100)
    assert line.isprintable()
    assert len(line) < 210
