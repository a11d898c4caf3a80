"""CIFAR-10 as its authors publish it: batches in the binary or the Python version.

Formats, sums and counts: https://www.cs.toronto.edu/~kriz/cifar.html (Krizhevsky, 2009).
"""

import hashlib
import io
import pickle
import pickletools
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from bench.archives import Files, quoted
from bench.errors import UserError
from bench.pixels import Pixels
from bench.workloads import CLASSES, IMAGE_SHAPE

ARCHIVES = {
    "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
    "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
}
"""Canonical archives and their MD5, as published beside them."""

TRAIN_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST_BATCH = "test_batch"

PYTHON_BATCHES = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
"""MD5 of the Python version's files, as ``torchvision/datasets/cifar.py`` checks them.

We found none published for the files of the binary version.
"""


def is_batch(name: PurePosixPath) -> bool:
    """Whether a file's name is that of a batch, of either version, in whatever folder."""
    return re.fullmatch(r"(data_batch_\d+|test_batch)(\.bin)?", name.name) is not None


def is_canonical(files: Files) -> bool:
    """Whether ``files`` hold the unchanged batches of the Python version."""
    found = {
        name.name: hashlib.md5(content, usedforsecurity=False).hexdigest()
        for name, content in files.items()
        if is_batch(name) and content is not None
    }
    return found == PYTHON_BATCHES


def decode(path: Path, files: Files) -> Pixels:
    """Images of ``data_batch_1`` to ``data_batch_5`` in this order, and those of ``test_batch``.

    ``path`` is where ``files`` come from. Batches may have any number of images. Raises
    ``UserError`` when one is missing, there twice, of another length or has labels beyond 0..9.
    """
    batches: dict[str, tuple[NDArray[np.uint8], NDArray[np.int32]]] = {}
    for name, content in files.items():
        if not is_batch(name) or content is None:
            continue
        if name.stem in batches or name.stem not in (*TRAIN_BATCHES, TEST_BATCH):
            raise UserError(
                f"{quoted(path)}: {quoted(name)} is one batch too many; "
                "name a folder with one version of CIFAR-10"
            )
        where = f"{quoted(path)}: {quoted(name)}"
        decode_one = _decode_binary if name.suffix == ".bin" else _decode_python
        images, labels = decode_one(where, content)
        if len(labels) and not 0 <= labels.min() <= labels.max() < CLASSES:
            raise UserError(f"{where} has labels outside 0..{CLASSES - 1}; get a new copy")
        batches[name.stem] = images, labels
    for stem in (*TRAIN_BATCHES, TEST_BATCH):
        if stem not in batches:
            raise UserError(f"{quoted(path)}: {stem} is missing; get a complete copy")
    return _join(batches)


def _join(batches: Mapping[str, tuple[NDArray[np.uint8], NDArray[np.int32]]]) -> Pixels:
    train = [batches[stem] for stem in TRAIN_BATCHES]
    test_images, test_labels = batches[TEST_BATCH]
    return Pixels(
        train_images=_channels_last(np.concatenate([images for images, _ in train])),
        train_labels=np.concatenate([labels for _, labels in train]),
        test_images=_channels_last(test_images),
        test_labels=test_labels,
    )


def _channels_last(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``[N, 3072]``, a plane of 32x32 for red, green and blue each, to ``[N, 32, 32, 3]``."""
    height, width, channels = IMAGE_SHAPE
    planes = rows.reshape(-1, channels, height, width)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


_VALUES = 32 * 32 * 3


def _decode_binary(where: str, content: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Records of one byte of label and 3,072 bytes of image, with nothing between them."""
    if not content or len(content) % (1 + _VALUES):
        raise UserError(
            f"{where} has {len(content)} bytes, which is no multiple of {1 + _VALUES}; "
            "get a new copy"
        )
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, 1 + _VALUES)
    return records[:, 1:], records[:, 0].astype(np.int32)


def _decode_python(where: str, content: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """A pickled dictionary: ``data``, an array ``[N, 3072]``, and ``labels``, a list of N."""
    try:
        _check_opcodes(content)
        batch = _Unpickler(io.BytesIO(content), encoding="bytes").load()
        labels = np.array(batch[b"labels"], dtype=np.int64)
        _version, shape, kind, fortran_order, values = batch[b"data"].state
        images = np.frombuffer(values, dtype=np.uint8).reshape(len(labels), _VALUES)
        intact = labels.shape == images.shape[:1] == shape[:1] and kind.arguments[0] in _BYTE_TYPES
    except Exception as error:  # noqa: BLE001 - a hostile pickle can make anything raise
        reason = quoted(f"{type(error).__name__}: {error}")
        raise UserError(f"{where} is not a batch of CIFAR-10 ({reason}); get a new copy") from None
    if not intact or fortran_order:
        raise UserError(f"{where} is not a batch of CIFAR-10; get a new copy")
    return images, np.clip(labels, -1, CLASSES).astype(np.int32)


_BYTE_TYPES = (b"u1", b"|u1")


class _Recorded:
    """Stands for whatever a pickle wants to build: keeps its arguments and state, does nothing."""

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Unpickler(pickle.Unpickler):
    """Runs nothing: the three names a batch needs become ``_Recorded``, all others are refused.

    NumPy's own unpickling stays out of it, as it was not made for hostile state.
    """

    def find_class(self, module: str, name: str, /) -> type[_Recorded]:
        if (module, name) in _KNOWN:
            return _Recorded
        raise pickle.UnpicklingError(f"asks for {module}.{name}")


_KNOWN = {
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
}


def _check_opcodes(content: bytes) -> None:
    """Refuse opcodes that would reserve memory for a size they merely claim.

    ``genops`` itself refuses values longer than what is left of ``content``; the unpickler would
    still make room, in a list, for a memo slot of a huge number.
    """
    for opcode, argument, _position in pickletools.genops(content):
        if opcode.name in _STORE and isinstance(argument, int) and argument > len(content):
            raise pickle.UnpicklingError(f"memo slot {argument}")


_STORE = ("PUT", "BINPUT", "LONG_BINPUT")
