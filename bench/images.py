"""Image folders: ``train/<class>/<image>`` and ``test/<class>/<image>``."""

import io
import warnings
from collections import defaultdict
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from bench.archives import Files, quoted
from bench.errors import UserError
from bench.pixels import Pixels
from bench.workloads import CLASSES, IMAGE_SHAPE

PARTS = ("train", "test")

FORMATS = ("PNG", "JPEG", "BMP")
"""Decoders hostile bytes are allowed to reach, of the dozens Pillow has."""

Part = dict[str, dict[PurePosixPath, bytes]]
"""Class to its images, undecoded, in the order of their names."""


def is_member(name: PurePosixPath) -> bool:
    """Whether a name is, or lies below, ``train`` or ``test``, which one folder may enclose."""
    return _place(name) is not None


def decode(path: Path, files: Files) -> Pixels:
    """Decode the images of ten classes.

    Classes have labels 0..9 in the order of their names. Images lie in the order of class, then
    file name, compared as strings. ``path`` is where ``files`` come from.

    Raises ``UserError`` when a part, a class or an image is missing or is not what it has to be.
    """
    train, test = _sort(path, files)
    _check(path, train, test)
    train_images, train_labels = _decode_part(path, train)
    test_images, test_labels = _decode_part(path, test)
    return Pixels(
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
    )


def _place(name: PurePosixPath) -> tuple[PurePosixPath, tuple[str, ...]] | None:
    """The folder around ``train`` or ``test``, and the names from there on."""
    for depth in (0, 1):
        if name.parts[depth : depth + 1] and name.parts[depth] in PARTS:
            return PurePosixPath(*name.parts[:depth]), name.parts[depth:]
    return None


def _sort(path: Path, files: Files) -> tuple[Part, Part]:
    parts: dict[str, Part] = {part: defaultdict(dict) for part in PARTS}
    around = set()
    for name, content in sorted(files.items(), key=lambda item: str(item[0])):
        place = _place(name)
        if place is None:
            continue
        around.add(place[0])
        match place[1], content:
            case (part,), None:
                pass
            case (part, class_), None:
                parts[part][class_]  # An empty class is there too, to be complained of.
            case (part, class_, _), bytes():
                parts[part][class_][name] = content
            case _:
                raise UserError(
                    f"{quoted(path)}: {quoted(name)} is out of place; images must lie at "
                    "train/<class>/<image> and test/<class>/<image>"
                )
    if len(around) > 1:
        raise UserError(
            f"{quoted(path)}: holds more than one data set, in "
            f"{' and '.join(quoted(folder) for folder in sorted(around)[:2])}; name one of them"
        )
    return parts["train"], parts["test"]


def _check(path: Path, train: Part, test: Part) -> None:
    for part, classes in (("train", train), ("test", test)):
        if not classes:
            raise UserError(
                f"{quoted(path)}: {part}/ is missing or empty; "
                "images must lie at train/<class>/<image> and test/<class>/<image>"
            )
        for class_, images in classes.items():
            if not images:
                raise UserError(
                    f"{quoted(path)}: {quoted(f'{part}/{class_}')} has no images; "
                    "fill it or remove the class"
                )
    if train.keys() != test.keys():
        lonely = min(train.keys() ^ test.keys())
        raise UserError(
            f"{quoted(path)}: class {quoted(lonely)} is in one of train/ and test/ only; "
            "both must have the same classes"
        )
    if len(train) != CLASSES:
        raise UserError(
            f"{quoted(path)}: has {len(train)} classes; the networks tell {CLASSES} apart"
        )


def _decode_part(path: Path, part: Part) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    sizes = [len(part[class_]) for class_ in sorted(part)]
    images = np.empty((sum(sizes), *IMAGE_SHAPE), dtype=np.uint8)
    position = 0
    for class_ in sorted(part):
        for name, content in part[class_].items():
            images[position] = _decode_image(f"{quoted(path)}: {quoted(name)}", content)
            position += 1
    return images, np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)


def _decode_image(where: str, content: bytes) -> NDArray[np.uint8]:
    # Whoever trains on synthetic images needs no Pillow.
    from PIL import Image, UnidentifiedImageError

    height, width, channels = IMAGE_SHAPE
    try:
        with warnings.catch_warnings():
            # Not decoded, it does no harm, and it is refused below for its size.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=FORMATS)
        # Only the header was read so far: nothing large is ever decoded.
        if image.size == (width, height) and image.mode == "RGB":
            return np.frombuffer(image.tobytes(), dtype=np.uint8).reshape(height, width, channels)
    except UnidentifiedImageError:
        raise UserError(f"{where} is not a {', '.join(FORMATS)} image; remove it") from None
    except Exception as error:  # noqa: BLE001 - Pillow's decoders raise anything on hostile bytes
        reason = quoted(f"{type(error).__name__}: {error}")
        raise UserError(f"{where} is truncated or corrupt ({reason}); get a new copy") from None
    if image.size != (width, height):
        raise UserError(
            f"{where} has {image.width}x{image.height} pixels; scale all to {width}x{height}"
        )
    raise UserError(f"{where} has mode {quoted(image.mode)}; convert all to RGB, 8 bits a channel")
