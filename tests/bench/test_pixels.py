import hashlib
import struct

import numpy as np

from bench.pixels import Pixels
from tests.bench.samples import pixels


def sample() -> Pixels:
    return Pixels(
        train_images=pixels(1, (2, 32, 32, 3)),
        train_labels=np.array([3, 4], dtype=np.int32),
        test_images=pixels(2, (1, 32, 32, 3)),
        test_labels=np.array([5], dtype=np.int32),
    )


def test_digest_is_the_documented_one() -> None:
    data = sample()
    expected = hashlib.sha256(
        data.train_images.tobytes()
        + struct.pack("<2i", 3, 4)
        + data.test_images.tobytes()
        + struct.pack("<i", 5)
    ).hexdigest()
    assert data.digest() == expected
    assert data.named("images").info.digest == expected


def test_digest_does_not_depend_on_the_layout_in_memory() -> None:
    data = sample()
    other = Pixels(
        train_images=np.asfortranarray(data.train_images),
        train_labels=np.repeat(data.train_labels, 2)[::2],
        test_images=data.test_images,
        test_labels=data.test_labels.astype(">i4"),
    )
    assert other.digest() == data.digest()


def test_named_counts() -> None:
    info = sample().named("images").info
    assert (info.name, info.train_images, info.test_images) == ("images", 2, 1)
