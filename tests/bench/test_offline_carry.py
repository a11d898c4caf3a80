"""What is carried in slices arrives as it was, or not at all."""

import hashlib
import io
import lzma
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from bench.code import ROOT
from bench.offline import carry

unpacking = pytest.mark.skipif(
    not hasattr(tarfile, "data_filter"), reason="this Python cannot unpack safely"
)

CONTENT = {"a.txt": b"text", "folder/b.bin": os.urandom(5 * 2**20), "folder/deep/empty": b""}


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder; pieces are small, so that it takes several slices."""
    monkeypatch.setattr(carry, "PIECE", 2**19)
    for name, content in CONTENT.items():
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "source" / "link").symlink_to("a.txt")
    return tmp_path / "source"


@unpacking
def test_what_was_packed_is_unpacked(source: Path, tmp_path: Path) -> None:
    slices, target = tmp_path / "slices", tmp_path / "target"
    assert carry.main(["pack", str(source), str(slices), "--mib", "2"]) == 0
    sizes = [path.stat().st_size for path in slices.glob("*.xz")]
    assert len(sizes) >= 3
    assert max(sizes) <= 2 * 2**20
    assert carry.main(["unpack", str(slices), str(target)]) == 0
    found = {
        str(path.relative_to(target)): path.read_bytes()
        for path in target.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    assert found == CONTENT
    assert (target / "link").readlink() == Path("a.txt")


def test_a_python_that_cannot_unpack_safely_does_not(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before 3.11.4, as Debian 12 has it, ``tarfile`` has no filters."""
    slices, target = tmp_path / "slices", tmp_path / "target"
    carry.pack(source, slices, 2**21)
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    assert carry.main(["unpack", str(slices), str(target)]) == 2
    assert "3.11.4" in capsys.readouterr().err
    assert not target.exists()


def test_hashes_are_those_of_sha256sum(source: Path, tmp_path: Path) -> None:
    carry.pack(source, tmp_path / "slices", 2**21)
    for line in (tmp_path / "slices" / carry.SUMS).read_text().splitlines():
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((tmp_path / "slices" / name).read_bytes()).hexdigest() == digest


def test_it_needs_nothing_but_the_standard_library() -> None:
    asked = [sys.executable, "-I", "-S", "-c", "import bench.offline.carry"]
    isolated = [*asked[:-1], f"import sys; sys.path.insert(0, {str(ROOT)!r}); {asked[-1]}"]
    assert subprocess.run(isolated, check=False).returncode == 0


@unpacking
@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda path: path.unlink(), "is missing: bring all that"),
        (lambda path: path.write_bytes(b"x" + path.read_bytes()[1:]), "is not what `pack` wrote"),
    ],
    ids=["missing", "changed"],
)
def test_nothing_is_unpacked_of_slices_that_are_not_all_there(
    source: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: object,
    complaint: str,
) -> None:
    slices, target = tmp_path / "slices", tmp_path / "target"
    carry.pack(source, slices, 2**21)
    spoil(slices / "001.xz")  # type: ignore[operator]
    assert carry.main(["unpack", str(slices), str(target)]) == 2
    assert complaint in capsys.readouterr().err
    assert not target.exists()


@unpacking
def test_nothing_is_written_outside_the_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hashes say that it arrived, not that it is harmless."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("../outside"), io.BytesIO())
    content = lzma.compress(archive.getvalue())
    slices = tmp_path / "slices"
    slices.mkdir()
    (slices / "000.xz").write_bytes(content)
    (slices / carry.SUMS).write_text(f"{hashlib.sha256(content).hexdigest()}  000.xz\n")
    assert carry.main(["unpack", str(slices), str(tmp_path / "target")]) == 2
    assert "cannot be unpacked" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["slices"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["pack", "{0}/nowhere", "{0}/slices"], "nowhere: no such folder"),
        (["pack", "{0}", "{0}"], "exists; name a folder that does not"),
        (["pack", "{0}", "{0}/slices", "--mib", "1"], "--mib 1: must be at least 32"),
        (["unpack", "{0}", "{0}"], "exists; name a folder that does not"),
        (["unpack", "{0}/nowhere", "{0}/target"], "nowhere has no SHA256SUMS"),
    ],
)
def test_bad_input_is_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    assert carry.main([given.format(tmp_path) for given in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert complaint in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
