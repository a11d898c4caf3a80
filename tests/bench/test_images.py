import io
import struct
import tracemalloc
import zlib
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bench import images
from bench.archives import Files
from bench.errors import UserError
from tests.bench.samples import CLASSES, Contents, class_folders, image, pixels, refusal_allowed

PATH = Path("some\nwhere")


def as_files(contents: Contents) -> Files:
    return {PurePosixPath(name): content for name, content in contents.items()}


def refusal(files: Files) -> str:
    with pytest.raises(UserError) as caught:
        images.decode(PATH, files)
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith(r"'some\nwhere': ")
    return message


def refusal_of_image(content: bytes) -> str:
    """With one good image replaced by ``content``."""
    contents = class_folders() | {"train/cow/1.png": content}
    message = refusal(as_files(contents))
    assert "'train/cow/1.png'" in message
    return message


@pytest.mark.parametrize("around", ["", "top/"])
def test_decodes_by_class_then_name(around: str) -> None:
    contents = {around + name: content for name, content in class_folders(3, 2).items()}
    decoded = images.decode(PATH, as_files(dict(reversed(contents.items()))))
    assert decoded.train_images.shape == (30, 32, 32, 3)
    assert decoded.train_labels.tolist() == [label for label in range(10) for _ in range(3)]
    assert decoded.test_labels.tolist() == [label for label in range(10) for _ in range(2)]
    assert decoded.train_labels.dtype == decoded.test_labels.dtype == np.int32
    assert np.array_equal(decoded.train_images[3 * 4 + 2], pixels(402))
    assert np.array_equal(decoded.test_images[2 * 9 + 1], pixels(1901))


def test_names_are_ordered_as_strings() -> None:
    contents = class_folders() | {"train/ant/10.png": image(pixels(7))}
    decoded = images.decode(PATH, as_files(contents))
    assert np.array_equal(decoded.train_images[2], pixels(7))
    assert decoded.train_labels.tolist() == [0] + [label for label in range(10) for _ in range(2)]


@pytest.mark.parametrize("kind", ["PNG", "BMP", "JPEG"])
def test_formats(kind: str) -> None:
    flat = np.full((32, 32, 3), 200, dtype=np.uint8)
    contents = class_folders() | {"train/ant/0.png": image(flat, kind)}
    decoded = images.decode(PATH, as_files(contents))
    assert np.array_equal(decoded.train_images[0], flat)


def test_classes_may_be_called_train_and_test() -> None:
    contents = {
        name.replace("/jay/", "/train/").replace("/ibex/", "/test/"): content
        for name, content in class_folders().items()
    }
    decoded = images.decode(PATH, as_files(contents))
    assert np.array_equal(decoded.train_images[-1], pixels(901))


def test_what_lies_beside_train_and_test_is_ignored() -> None:
    files = as_files(class_folders() | {"README": b"", "extra/ant/1.png": b""})
    assert len(images.decode(PATH, files).train_images) == 20


@pytest.mark.parametrize(("present", "missing"), [("train", "test"), ("test", "train")])
def test_missing_part_is_refused(present: str, missing: str) -> None:
    contents = {name: c for name, c in class_folders().items() if name.startswith(present)}
    assert f"{missing}/ is missing or empty" in refusal(as_files(contents))
    empty: Files = {PurePosixPath(missing): None}
    assert f"{missing}/ is missing or empty" in refusal(as_files(contents) | empty)


def test_empty_class_is_refused() -> None:
    contents = {name: c for name, c in class_folders().items() if "test/cow" not in name}
    empty: Files = {PurePosixPath("test/cow"): None}
    assert "'test/cow' has no images" in refusal(as_files(contents) | empty)


def test_class_of_one_part_only_is_refused() -> None:
    contents = {name: c for name, c in class_folders().items() if "test/cow" not in name}
    assert "class 'cow' is in one of train/ and test/ only" in refusal(as_files(contents))


def test_nine_classes_are_refused() -> None:
    contents = {name: c for name, c in class_folders().items() if "/cow/" not in name}
    assert "has 9 classes" in refusal(as_files(contents))


def test_eleven_classes_are_refused() -> None:
    extra = {f"{part}/yak/1.png": image(pixels(1)) for part in images.PARTS}
    assert "has 11 classes" in refusal(as_files(class_folders() | extra))


@pytest.mark.parametrize("name", ["train/lost.png", "train/ant/deeper/1.png"])
def test_files_out_of_place_are_refused(name: str) -> None:
    message = refusal(as_files(class_folders() | {name: image(pixels(1))}))
    assert f"'{name}' is out of place" in message


def test_two_data_sets_are_refused() -> None:
    contents = class_folders()
    both = {f"{top}/{name}": c for top in ("one", "two") for name, c in contents.items()}
    assert "more than one data set, in 'one' and 'two'" in refusal(as_files(both))


def test_other_size_is_refused() -> None:
    message = refusal_of_image(image(pixels(1, (48, 64, 3))))
    assert "has 64x48 pixels; scale all to 32x32" in message


@pytest.mark.parametrize(("shape", "mode"), [((32, 32), "L"), ((32, 32, 4), "RGBA")])
def test_other_modes_are_refused(shape: tuple[int, ...], mode: str) -> None:
    assert f"has mode '{mode}'; convert all to RGB" in refusal_of_image(image(pixels(1, shape)))


def test_palette_is_refused() -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels(1)).quantize(16).save(buffer, "PNG")
    assert "has mode 'P'" in refusal_of_image(buffer.getvalue())


@pytest.mark.parametrize("content", [b"", b"text", b"GIF89a" + bytes(100)])
def test_other_files_are_refused(content: bytes) -> None:
    assert "is not a PNG, JPEG, BMP image" in refusal_of_image(content)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "JPEG"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_truncated_image_is_refused(kind: str, share: float) -> None:
    whole = image(pixels(1), kind)
    assert "truncated or corrupt" in refusal_of_image(whole[: int(len(whole) * share)])


def test_formats_off_the_list_never_reach_their_decoders() -> None:
    assert "is not a PNG, JPEG, BMP image" in refusal_of_image(image(pixels(1), "TIFF"))


@pytest.mark.parametrize(
    ("side", "complaint"),
    [
        (5_000, "has 5000x5000 pixels"),
        (10_000, "has 10000x10000 pixels"),  # Pillow warns of this one,
        (60_000, "DecompressionBombError"),  # and refuses that one.
    ],
)
def test_decompression_bomb_is_refused_by_its_header(side: int, complaint: str) -> None:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(2**20)) * 10), (b"IEND", b"")]
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    tracemalloc.start()
    assert complaint in refusal_of_image(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24


def test_odd_names_do_not_break_the_line() -> None:
    contents = class_folders() | {"train/cow/new\nline\x1b.png": b""}
    assert r"'train/cow/new\nline\x1b.png'" in refusal(as_files(contents))


GOOD = {kind: image(pixels(1), kind) for kind in images.FORMATS}


@settings(deadline=None)
@given(kind=st.sampled_from(images.FORMATS), data=st.data())
def test_damaged_images_are_decoded_or_refused(kind: str, data: st.DataObject) -> None:
    damaged = bytearray(GOOD[kind])
    where = st.integers(0, 120) | st.integers(0, len(damaged) - 1)
    for position, value in data.draw(st.dictionaries(where, st.integers(0, 255))).items():
        damaged[position] = value
    part = {name: bytes(damaged) for name in CLASSES}
    contents = {f"{split}/{name}/0": c for split in images.PARTS for name, c in part.items()}
    with refusal_allowed():
        assert images.decode(PATH, as_files(contents)).train_images.shape == (10, 32, 32, 3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train", True),
        ("test/a/b", True),
        ("top/train/a/b", True),
        ("", False),
        ("top", False),
        ("top/deeper/train/a/b", False),
        ("training/a/b", False),
    ],
)
def test_members_are_known_by_place(name: str, expected: bool) -> None:
    assert images.is_member(PurePosixPath(name)) is expected
