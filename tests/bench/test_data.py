from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data import (
    Dataset,
    DatasetInfo,
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
