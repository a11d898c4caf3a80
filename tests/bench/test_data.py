from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.data import (
    AUGMENTATION_MARGIN,
    Dataset,
    DatasetInfo,
    augment,
    balanced_subset,
    batch_order,
    open_dataset,
    save_dataset,
)
from bench.errors import UserError


@given(st.integers(0, 2**32), st.integers(0, 50), st.integers(1, 500), st.integers(1, 64))
def test_an_epoch_uses_each_image_at_most_once(
    seed: int, epoch: int, images: int, batch_size: int
) -> None:
    batches = batch_order(seed, epoch, images, batch_size)
    assert batches.shape == (images // batch_size, batch_size)
    assert batches.dtype == np.int32
    assert len(np.unique(batches)) == batches.size
    assert not batches.size or 0 <= batches.min() <= batches.max() < images


def test_every_epoch_and_every_seed_has_its_own_order() -> None:
    orders = [batch_order(seed, epoch, 1000, 10) for seed in (0, 1) for epoch in (0, 1)]
    assert (orders[0] == batch_order(0, 0, 1000, 10)).all()
    for i, first in enumerate(orders):
        assert not any((first == other).mean() > 0.05 for other in orders[i + 1 :])


@given(st.lists(st.integers(0, 9), min_size=1, max_size=200), st.integers(1, 250))
def test_a_subset_is_as_balanced_as_the_images_allow(drawn: list[int], count: int) -> None:
    labels = np.array(drawn, dtype=np.int32)
    chosen = balanced_subset(labels, count)
    assert len(chosen) == min(count, len(labels))
    assert (np.diff(chosen) > 0).all()
    available, taken = (np.bincount(x, minlength=10) for x in (labels, labels[chosen]))
    fullest = taken.max()
    assert all(t >= min(a, fullest - 1) for t, a in zip(taken, available, strict=True))


def bright_images(count: int) -> NDArray[np.uint8]:
    """No pixel is black, so that black shows what moved in; read-only, as a data set is."""
    generator = np.random.default_rng(5)
    images = generator.integers(1, 256, (count, 32, 32, 3), dtype=np.uint8)
    images.flags.writeable = False
    return images


def moved(image: NDArray[np.uint8], down: int, right: int) -> NDArray[np.uint8]:
    """The image ``down`` and ``right`` pixels further, black where it was."""
    result = np.zeros_like(image)
    for row in range(32):
        for column in range(32):
            if 0 <= row - down < 32 and 0 <= column - right < 32:
                result[row, column] = image[row - down, column - right]
    return result


def test_an_augmented_image_is_the_image_moved_and_perhaps_mirrored() -> None:
    assert AUGMENTATION_MARGIN == 4
    images = bright_images(12)
    augmented = augment(images, 0, 0)
    assert augmented.shape == images.shape
    assert augmented.dtype == np.uint8
    for before, found in zip(images, augmented, strict=True):
        # The black border tells how far it moved; which way to the side, of what was mirrored.
        rows, columns = (np.flatnonzero(found.any(axis=(axis, 2))) for axis in (1, 0))
        down = rows[0] - (31 - rows[-1])
        right = columns[0] - (31 - columns[-1])
        assert max(abs(down), abs(right)) <= 4
        plain, mirrored = moved(before, down, right), moved(before[:, ::-1], down, right)
        assert (found == plain).all() or (found == mirrored).all()


def test_every_shift_is_as_likely_and_every_other_image_mirrored() -> None:
    """Marks two pixels, which show how far each of 8,100 images moved and which way it looks."""
    images = np.zeros((8100, 32, 32, 3), np.uint8)
    images[:, 16, 12] = 1
    images[:, 16, 20] = 2
    augmented = augment(images, 0, 0)
    left, right = (np.argwhere(augmented[..., 0] == mark)[:, 1:] for mark in (1, 2))
    mirrored = left[:, 1] > right[:, 1]
    assert mirrored.mean() == pytest.approx(0.5, abs=0.03)
    assert (np.abs(left[:, 1] - right[:, 1]) == 8).all()
    down = left[:, 0] - 16
    across = np.minimum(left[:, 1], right[:, 1]) - 12
    # A mirror image of pixels 12 and 20 has them at 11 and 19.
    across += mirrored
    shifts, counts = np.unique(np.stack([down, across], axis=1), axis=0, return_counts=True)
    assert shifts.tolist() == [[d, a] for d in range(-4, 5) for a in range(-4, 5)]
    assert 50 < counts.min() <= counts.max() < 150  # 100 of each, five deviations either way
    for shift in (down, across):
        assert abs(np.corrcoef(shift, mirrored)[0, 1]) < 0.05


def test_augmentation_depends_on_seed_and_epoch_and_changes_no_input() -> None:
    images = bright_images(64)
    before = images.copy()
    results = [augment(images, seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    np.testing.assert_array_equal(augment(images, 0, 0), results[0])
    np.testing.assert_array_equal(images, before)
    for i, first in enumerate(results):
        for other in results[i + 1 :]:
            same = (first == other).all(axis=(1, 2, 3)).mean()
            assert same < 0.1  # 1 in 162 by chance
    results[0][:] = 0
    np.testing.assert_array_equal(images, before)


def dataset() -> Dataset:
    generator = np.random.default_rng(0)
    labels = np.arange(20, dtype=np.int32) % 10
    return Dataset(
        info=DatasetInfo(name="images", digest="0" * 64, train_images=20, test_images=10),
        train_images=generator.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8),
        train_labels=labels,
        test_images=generator.integers(0, 256, (10, 32, 32, 3), dtype=np.uint8),
        test_labels=labels[:10],
    )


def test_a_saved_data_set_opens_unchanged_and_read_only(tmp_path: Path) -> None:
    saved = dataset()
    save_dataset(tmp_path, saved)
    opened = open_dataset(tmp_path)
    assert opened.info == saved.info
    for name in ("train_images", "train_labels", "test_images", "test_labels"):
        np.testing.assert_array_equal(getattr(opened, name), getattr(saved, name))
    assert not opened.train_images.flags.writeable


@pytest.mark.parametrize("damage", ["no info", "bad info", "no array", "short array", "other info"])
def test_anything_else_is_an_error_naming_the_folder(tmp_path: Path, damage: str) -> None:
    save_dataset(tmp_path, dataset())
    match damage:
        case "no info":
            (tmp_path / "info.json").unlink()
        case "bad info":
            (tmp_path / "info.json").write_text('{"name": 1}')
        case "no array":
            (tmp_path / "test_images.npy").unlink()
        case "short array":
            np.save(tmp_path / "train_labels.npy", np.zeros(3, np.int32))
        case "other info":
            (tmp_path / "info.json").write_text("[]")
    with pytest.raises(UserError, match=r"(?s)^[^\n]*run again$") as caught:
        open_dataset(tmp_path)
    assert str(tmp_path) in str(caught.value)
