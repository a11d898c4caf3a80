"""A data set on disk in any size: what is in it, and that it is there whole or not at all."""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image

from bench import enlarge, enlarged
from bench.clock import Void
from bench.contract import Images, Source, Trial
from bench.data import Dataset, DatasetInfo, open_dataset, save_dataset
from bench.errors import UserError
from bench.scenarios import pipeline

COUNT = 50
SIZES = (20, 50, 120)
SOURCES = get_args(Source)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """Every image is noise of its own; labels come class by class, as in folders."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (COUNT, 32, 32, 3), dtype=np.uint8)
    labels = np.repeat(np.arange(10, dtype=np.int32), COUNT // 10)
    save_dataset(
        tmp_path,
        Dataset(
            info=DatasetInfo(name="images", digest="0" * 64, train_images=COUNT, test_images=COUNT),
            train_images=images,
            train_labels=labels,
            test_images=images,
            test_labels=labels,
        ),
    )
    return open_dataset(tmp_path)


def silent(_line: str) -> None:
    """Report to nobody."""


def read_files(folder: Path) -> Images:
    paths = sorted(folder.glob("*/*"), key=lambda path: path.name)
    images = np.stack([np.asarray(Image.open(path)) for path in paths])
    return images, np.array([int(path.parent.name) for path in paths], dtype=np.int32)


def read(data: Dataset, source: Source, images: int) -> Images:
    folder = enlarge.enlarge(data, source, images, silent)
    assert folder == enlarged.folder(data, source, images)
    if source == "files":
        return read_files(folder)
    return np.load(folder / "images.npy"), np.load(folder / "labels.npy")


@pytest.mark.parametrize("images", SIZES)
@pytest.mark.parametrize("source", SOURCES)
def test_both_sources_hold_the_same_in_the_same_order(
    data: Dataset, source: Source, images: int
) -> None:
    chosen = enlarged.order(data.train_labels, images)
    assert len(chosen) == images
    pixels, labels = read(data, source, images)
    assert (pixels == data.train_images[chosen]).all()
    assert (labels == data.train_labels[chosen]).all()


@pytest.mark.parametrize("images", SIZES)
def test_classes_are_as_frequent_and_no_image_is_more_often_there_than_needed(
    data: Dataset, images: int
) -> None:
    chosen = enlarged.order(data.train_labels, images)
    assert set(Counter(data.train_labels[chosen].tolist()).values()) == {images // 10}
    times = np.bincount(chosen, minlength=COUNT)
    assert times.max() - times.min() <= 1


def test_files_of_images_that_come_again_take_no_more_room(data: Dataset) -> None:
    folder = enlarge.enlarge(data, "files", 120, silent)
    paths = list(folder.glob("*/*.png"))
    assert len(paths) == 120
    assert len({path.stat().st_ino for path in paths}) == COUNT


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_there_is_not_written_again(data: Dataset, source: Source) -> None:
    lines: list[str] = []
    first = enlarge.enlarge(data, source, 20, lines.append)
    times = [path.stat().st_mtime_ns for path in sorted(first.rglob("*"))]
    assert enlarge.enlarge(data, source, 20, lines.append) == first
    assert [path.stat().st_mtime_ns for path in sorted(first.rglob("*"))] == times
    assert len(lines) == 1


@pytest.mark.parametrize("source", SOURCES)
def test_a_write_that_fails_leaves_nothing(
    data: Dataset, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(np, "save", full)
    assert data.folder
    before = set(data.folder.iterdir()) | {data.folder / "png"}
    with pytest.raises(UserError, match=r"cannot be written \(No space left on device\)"):
        enlarge.enlarge(data, source, 20, silent)
    assert set(data.folder.iterdir()) <= before


def test_a_disk_without_room_is_told_before_anything_is_written(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**30))
    with pytest.raises(UserError, match=r"1.0 GiB are free, 3.4 are needed; ask for fewer"):
        enlarge.enlarge(data, "array", 1_000_000, silent)
    assert not enlarged.folder(data, "array", 1_000_000).exists()


def test_data_in_memory_have_no_folder(data: Dataset) -> None:
    with pytest.raises(ValueError, match="no folder"):
        enlarged.folder(replace(data, folder=None), "files", 20)


@pytest.fixture
def trial(make_trial: Callable[..., Trial]) -> Trial:
    made = make_trial(scenario="pipeline", source="array", images=120)
    return replace(made, workload=replace(made.workload, batch_size=10))


def checked(batches: Iterable[Images], trial: Trial, data: Dataset) -> None:
    delivers: Any = SimpleNamespace(delivered=lambda batch: batch)
    pipeline.check(batches, delivers, trial, data)


def epoch(trial: Trial, data: Dataset) -> list[Images]:
    chosen = enlarged.order(data.train_labels, trial.images)
    rows = np.random.default_rng(0).permutation(chosen).reshape(-1, 10)
    return [(data.train_images[row].copy(), data.train_labels[row].copy()) for row in rows]


def test_an_epoch_in_any_order_passes(trial: Trial, data: Dataset) -> None:
    assert pipeline.checked(trial) == 12
    checked(epoch(trial, data), trial, data)


def another_pixel(batches: list[Images]) -> None:
    batches[3][0][4, 5, 6, 1] ^= 1


def another_label(batches: list[Images]) -> None:
    batches[3][1][4] = (batches[3][1][4] + 1) % 10


def an_image_again(batches: list[Images]) -> None:
    batches[3] = batches[4]


def scaled(batches: list[Images]) -> None:
    batches[3] = (batches[3][0] / 255, batches[3][1])  # type: ignore[assignment]


def too_few(batches: list[Images]) -> None:
    batches[3] = (batches[3][0][:9], batches[3][1][:9])


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (another_pixel, "that the data set does not have"),
        (another_label, "that the data set does not have"),
        (an_image_again, "or has not so often"),
        (scaled, r"delivers float64 \[10, 32, 32, 3\] as a batch"),
        (too_few, r"delivers uint8 \[9, 32, 32, 3\] as a batch"),
    ],
)
def test_a_pipeline_that_delivers_something_else_voids_the_trial(
    trial: Trial, data: Dataset, mistake: Callable[[list[Images]], None], said: str
) -> None:
    batches = epoch(trial, data)
    mistake(batches)
    with pytest.raises(Void, match=said):
        checked(batches, trial, data)
