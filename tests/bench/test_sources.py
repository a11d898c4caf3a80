import gc
import hashlib
import http.server
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bench import archives, cifar10, images, sources, synthetic
from bench.data import Dataset, open_dataset, save_dataset
from bench.errors import UserError
from tests.bench.samples import (
    binary_batches,
    class_folders,
    image,
    pixels,
    python_batches,
    tar,
    write_file,
    write_folder,
    zipped,
)

REAL_ARCHIVE = Path(__file__).parents[3] / "shared" / "data" / "cifar10-images.tar.xz"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def small_synthetic(monkeypatch: pytest.MonkeyPatch) -> None:
    small = partial(synthetic.synthesize, 20, 10)
    monkeypatch.setattr(synthetic, "synthesize", small)


@pytest.fixture
def canonical(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny archive whose MD5 takes the place of the published one."""
    path = write_file(tmp_path / "served.tar.gz", tar(binary_batches()))
    published = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setitem(cifar10.ARCHIVES, sources.CIFAR10_ARCHIVE, published)
    return path


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder served over HTTP on this machine, which ``cifar10`` is downloaded from."""
    folder = tmp_path / "www"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        url = f"http://127.0.0.1:{httpd.server_port}/{sources.CIFAR10_ARCHIVE}"
        monkeypatch.setattr(sources, "CIFAR10_URL", url)
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        yield folder
        httpd.shutdown()
        thread.join()


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as httpd:
        port = httpd.server_port
    monkeypatch.setattr(sources, "CIFAR10_URL", f"http://127.0.0.1:{port}/nothing")


def prepare(source: object, cache: Path) -> tuple[Dataset, list[str]]:
    lines: list[str] = []
    folder = sources.prepare(str(source), cache=cache, report=lines.append)
    assert folder.parent == cache / "prepared"
    assert all(line.isprintable() for line in lines)
    return open_dataset(folder), lines


def refusal(source: object, cache: Path) -> str:
    with pytest.raises(UserError) as caught:
        prepare(source, cache)
    message = str(caught.value)
    assert message.isprintable()
    assert_nothing_prepared(cache)
    return message


def assert_nothing_prepared(cache: Path) -> None:
    assert list((cache / "prepared").iterdir()) == []


# What a path may be, and what its data set is called.


@pytest.mark.parametrize("pack", ["folder", "gz", "bz2", "xz", "", "zip"])
@pytest.mark.parametrize(
    ("contents", "name", "counts"),
    [
        (class_folders(2, 1), "images", (20, 10)),
        (binary_batches(10), "cifar10-batches", (50, 10)),
        (python_batches(10), "cifar10-batches", (50, 10)),
    ],
    ids=["images", "binary", "python"],
)
def test_every_layout_in_every_container(
    tmp_path: Path,
    cache: Path,
    pack: str,
    contents: dict[str, bytes],
    name: str,
    counts: tuple[int, int],
) -> None:
    contents = {f"top/{file}": content for file, content in contents.items()}
    if pack == "folder":
        path = write_folder(tmp_path / "data", contents)
    else:
        path = write_file(
            tmp_path / "data", zipped(contents) if pack == "zip" else tar(contents, pack)
        )
    dataset, lines = prepare(path, cache)
    assert dataset.info.name == name
    assert (dataset.info.train_images, dataset.info.test_images) == counts
    assert len(lines) == 1
    # Wherever it came from, the same data has the same digest.
    assert (
        dataset.info.digest == prepare(write_folder(tmp_path / "x", contents), cache)[0].info.digest
    )


def test_digest_is_that_of_the_stored_arrays(tmp_path: Path, cache: Path) -> None:
    dataset, _ = prepare(write_folder(tmp_path / "data", class_folders()), cache)
    state = hashlib.sha256(dataset.train_images.tobytes())
    state.update(dataset.train_labels.astype("<i4").tobytes())
    state.update(dataset.test_images.tobytes())
    state.update(dataset.test_labels.astype("<i4").tobytes())
    assert state.hexdigest() == dataset.info.digest


def test_local_copy_of_the_canonical_archive_is_cifar10(canonical: Path, cache: Path) -> None:
    assert prepare(canonical, cache)[0].info.name == "cifar10"


def test_folder_with_the_published_batches_is_cifar10(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = python_batches()
    sums = {
        name: hashlib.md5(content, usedforsecurity=False).hexdigest()
        for name, content in contents.items()
    }
    monkeypatch.setattr(cifar10, "PYTHON_BATCHES", sums)
    assert prepare(write_folder(tmp_path / "data", contents), cache)[0].info.name == "cifar10"


def test_published_archive_of_jpegs_is_never_cifar10(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_file(tmp_path / "data", tar(class_folders()))
    monkeypatch.setattr(sources, "JPEG_ARCHIVE_SHA256", archives.fingerprint(path))
    assert prepare(path, cache)[0].info.name == "cifar10-jpeg"


def test_unpacked_copy_of_the_jpegs_is_known_by_its_pixels(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "data", class_folders())
    digest = prepare(folder, tmp_path / "another cache")[0].info.digest
    monkeypatch.setattr(sources, "JPEG_DIGEST", digest)
    assert prepare(folder, cache)[0].info.name == "cifar10-jpeg"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    if not REAL_ARCHIVE.is_file():
        pytest.skip("the archive of 60,000 JPEGs is not beside this checkout")
    return prepare(REAL_ARCHIVE, tmp_path_factory.mktemp("cache"))[0]


def test_real_archive(real: Dataset) -> None:
    assert real.info.name == "cifar10-jpeg"
    assert (real.info.train_images, real.info.test_images) == (50_000, 10_000)
    assert np.bincount(real.train_labels).tolist() == [5_000] * 10
    assert np.bincount(real.test_labels).tolist() == [1_000] * 10


def test_real_images_are_upright_and_red_comes_first(real: Dataset) -> None:
    # Skies over airplanes (class 0) and ships (8) are bright above and blue overall.
    planes = real.train_images[real.train_labels == 0].mean(axis=0)
    assert planes[:8].mean() > planes[16:24].mean()
    assert planes[..., 2].mean() > planes[..., 0].mean()


# What is refused, in one line.


@pytest.mark.parametrize("name", ["missing", "new\nline", "n" * 300, "nul\0", "~", ""])
def test_missing_path(cache: Path, tmp_path: Path, name: str) -> None:
    assert "name an archive, a folder, auto, cifar10 or synthetic" in refusal(
        tmp_path / "none" / name, cache
    )


def test_neither_archive_nor_folder(tmp_path: Path, cache: Path) -> None:
    message = refusal(write_file(tmp_path / "note\n", b"text"), cache)
    assert "neither a folder nor an archive" in message


def test_truncated_archive(tmp_path: Path, cache: Path) -> None:
    whole = tar(class_folders())
    message = refusal(write_file(tmp_path / "cut", whole[: len(whole) // 2]), cache)
    assert "truncated or corrupt" in message


def test_folder_without_images(tmp_path: Path, cache: Path) -> None:
    folder = write_folder(tmp_path / "data", {"notes/read.me": b""})
    assert "holds neither CIFAR-10's batches nor images" in refusal(folder, cache)


def test_folder_of_classes_without_train_and_test(tmp_path: Path, cache: Path) -> None:
    folder = write_folder(tmp_path / "data", {"cat/1.png": b"", "dog/1.png": b""})
    assert "train/<class>/<image> and test/<class>/<image>" in refusal(folder, cache)


def test_batches_beside_images(tmp_path: Path, cache: Path) -> None:
    folder = write_folder(tmp_path / "data", class_folders() | binary_batches())
    assert "holds batches of CIFAR-10 and train/ or test/" in refusal(folder, cache)


def test_bad_image_is_named_and_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    folder = write_folder(
        tmp_path / "data", class_folders() | {"train/cow/1.png": image(pixels(1, (8, 8, 3)))}
    )
    assert "'train/cow/1.png' has 8x8 pixels" in refusal(folder, cache)


def test_bad_batch_is_named_and_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    path = write_file(tmp_path / "data", tar(binary_batches() | {"test_batch.bin": b"short"}))
    assert "'test_batch.bin' has 5 bytes" in refusal(path, cache)


def test_cache_that_cannot_be_made(tmp_path: Path) -> None:
    cache = write_file(tmp_path / "file", b"")
    with pytest.raises(UserError, match="name another folder in FCB_CACHE"):
        prepare("synthetic", cache)


@pytest.mark.usefixtures("small_synthetic")
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_failed_write_leaves_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(folder: Path, _: Dataset) -> None:
        (folder / "train_images.npy").write_bytes(b"half")
        raise error

    monkeypatch.setattr(sources, "save_dataset", fail)
    with pytest.raises((UserError, KeyboardInterrupt)) as caught:
        prepare("synthetic", cache)
    assert isinstance(caught.value, KeyboardInterrupt) or "No space left" in str(caught.value)
    assert_nothing_prepared(cache)


# What the cache keeps.


def test_second_call_neither_decodes_nor_reports(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "data", class_folders())
    first, _ = prepare(folder, cache)
    monkeypatch.delattr(images, "decode")
    second, lines = prepare(folder, cache)
    assert second.info == first.info
    assert lines == []


def test_changed_folder_is_decoded_again(tmp_path: Path, cache: Path) -> None:
    folder = write_folder(tmp_path / "data", class_folders())
    first, _ = prepare(folder, cache)
    (folder / "train" / "cow" / "2.png").write_bytes(image(pixels(1)))
    second, _ = prepare(folder, cache)
    assert (first.info.train_images, second.info.train_images) == (20, 21)


def test_new_version_does_not_use_old_copies(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "data", class_folders())
    prepare(folder, cache)
    monkeypatch.setattr(sources, "VERSION", sources.VERSION + 1)
    assert prepare(folder, cache)[1] != []


def test_two_at_once_both_succeed(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "data", class_folders())
    barrier = threading.Barrier(4)

    def save_together(target: Path, dataset: Dataset) -> None:
        save_dataset(target, dataset)
        barrier.wait(timeout=20)  # All have written, none has renamed.

    monkeypatch.setattr(sources, "save_dataset", save_together)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: prepare(folder, cache)[0].info, range(4)))
    assert len(set(results)) == 1
    assert len(list((cache / "prepared").iterdir())) == 1


@pytest.mark.usefixtures("small_synthetic")
def test_synthetic_is_the_same_every_time(cache: Path, tmp_path: Path) -> None:
    first, _ = prepare("synthetic", cache)
    again, _ = prepare("synthetic", cache)
    elsewhere, _ = prepare("synthetic", tmp_path / "elsewhere")
    assert first.info == again.info == elsewhere.info
    assert first.info.name == "synthetic"


# Where CIFAR-10 comes from.


def test_download(server: Path, canonical: Path, cache: Path) -> None:
    canonical.rename(server / sources.CIFAR10_ARCHIVE)
    dataset, lines = prepare("cifar10", cache)
    assert dataset.info.name == "cifar10"
    assert any("downloading CIFAR-10" in line for line in lines)
    (server / sources.CIFAR10_ARCHIVE).unlink()
    assert prepare("cifar10", cache)[0].info == prepare("auto", cache)[0].info == dataset.info


def test_download_with_wrong_md5_is_removed(server: Path, cache: Path) -> None:
    write_file(server / sources.CIFAR10_ARCHIVE, tar(binary_batches()))
    message = refusal("cifar10", cache)
    assert "has not its published MD5" in message
    assert "--dataset PATH" in message
    assert list((cache / "downloads").iterdir()) == []


@pytest.mark.usefixtures("server")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_download_that_is_not_there(cache: Path) -> None:
    message = refusal("cifar10", cache)
    # pooch leaves the refused connection to the collector; not to that of a later test.
    gc.collect()
    assert "cannot be downloaded" in message
    assert "404" in message


@pytest.mark.usefixtures("no_server")
def test_unreachable_server(cache: Path) -> None:
    message = refusal("cifar10", cache)
    assert "cannot be downloaded ('Connection refused')" in message
    assert "--dataset PATH, or use --dataset synthetic" in message


@pytest.mark.usefixtures("no_server", "small_synthetic")
def test_auto_falls_back_and_says_so(cache: Path) -> None:
    dataset, lines = prepare("auto", cache)
    assert dataset.info.name == "synthetic"
    assert lines[-1] == (
        "CIFAR-10 is not in the cache and cannot be downloaded ('Connection refused'): "
        "using synthetic images instead; results say `synthetic`"
    )


@pytest.mark.usefixtures("small_synthetic")
def test_auto_falls_back_without_pooch(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    dataset, lines = prepare("auto", cache)
    assert dataset.info.name == "synthetic"
    assert len(lines) == 1
    assert "pooch is not installed" in lines[0]


@pytest.mark.parametrize("source", ["auto", "cifar10"])
@pytest.mark.parametrize("name", list(cifar10.ARCHIVES))
def test_archive_carried_into_the_cache_needs_neither_network_nor_pooch(
    canonical: Path, cache: Path, source: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cifar10.ARCHIVES, name, cifar10.ARCHIVES[sources.CIFAR10_ARCHIVE])
    monkeypatch.setitem(sys.modules, "pooch", None)
    (cache / "downloads").mkdir(parents=True)
    canonical.rename(cache / "downloads" / name)
    assert prepare(source, cache)[0].info.name == "cifar10"


def test_damaged_archive_in_the_cache_is_downloaded_again(
    server: Path, canonical: Path, cache: Path
) -> None:
    (cache / "downloads").mkdir(parents=True)
    write_file(cache / "downloads" / sources.CIFAR10_ARCHIVE, b"damaged")
    canonical.rename(server / sources.CIFAR10_ARCHIVE)
    assert prepare("cifar10", cache)[0].info.name == "cifar10"


@pytest.mark.usefixtures("no_server", "small_synthetic")
def test_auto_takes_nothing_else_for_cifar10(tmp_path: Path, cache: Path) -> None:
    # Their names begin like that of the canonical data set.
    prepare(write_file(tmp_path / "data", tar(binary_batches())), cache)
    (cache / "prepared" / ("cifar10-jpeg-" + "0" * 16)).mkdir()
    assert prepare("auto", cache)[0].info.name == "synthetic"


def test_cache_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FCB_CACHE", str(tmp_path))
    assert sources.default_cache() == tmp_path
    monkeypatch.setenv("FCB_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert "framework-comparison-benchmark" in sources.default_cache().parts
