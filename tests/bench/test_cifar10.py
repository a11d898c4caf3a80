import hashlib
import os
import pickle
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import cifar10
from bench.archives import Files
from bench.errors import UserError
from tests.bench.samples import (
    Contents,
    binary_batches,
    pixels,
    python_batch,
    python_batches,
    refusal_allowed,
)

PATH = Path("some\nwhere")


def as_files(contents: Contents, folder: str = "cifar-10-batches") -> Files:
    return {PurePosixPath(folder, name): content for name, content in contents.items()}


def refusal(contents: Contents) -> str:
    with pytest.raises(UserError) as caught:
        cifar10.decode(PATH, as_files(contents))
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith(r"'some\nwhere': ")
    return message


@pytest.mark.parametrize("batches", [binary_batches, python_batches])
def test_decodes_batches_in_order(batches: Callable[[int], dict[str, bytes]]) -> None:
    # Archives list their members in any order.
    shuffled = dict(reversed(batches(10).items()))
    decoded = cifar10.decode(PATH, as_files(shuffled) | {PurePosixPath("readme.html"): b""})
    assert decoded.train_images.shape == (50, 32, 32, 3)
    assert decoded.train_images.flags.c_contiguous
    assert decoded.test_images.flags.c_contiguous
    assert decoded.train_labels.tolist() == [*range(10)] * 5
    assert decoded.test_labels.tolist() == [*range(10)]
    assert decoded.train_labels.dtype == decoded.test_labels.dtype == np.int32
    assert np.array_equal(decoded.train_images[13], pixels(2003))
    assert np.array_equal(decoded.test_images[4], pixels(6004))


def test_both_versions_have_one_digest() -> None:
    binary, python = (
        cifar10.decode(PATH, as_files(batches())) for batches in (binary_batches, python_batches)
    )
    assert binary.digest() == python.digest()


def test_canonical_is_what_has_the_published_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    contents = python_batches()
    assert not cifar10.is_canonical(as_files(contents))
    sums = {
        name: hashlib.md5(content, usedforsecurity=False).hexdigest()
        for name, content in contents.items()
    }
    monkeypatch.setattr(cifar10, "PYTHON_BATCHES", sums)
    assert cifar10.is_canonical(as_files(contents))
    contents["test_batch"] += b"\0"
    assert not cifar10.is_canonical(as_files(contents))
    del contents["test_batch"]
    assert not cifar10.is_canonical(as_files(contents))


def test_missing_batch_is_refused() -> None:
    contents = binary_batches()
    del contents["data_batch_3.bin"]
    assert "data_batch_3 is missing" in refusal(contents)


@pytest.mark.parametrize("name", ["other/data_batch_3.bin", "data_batch_3", "data_batch_6.bin"])
def test_superfluous_batch_is_refused(name: str) -> None:
    assert "one batch too many" in refusal(binary_batches() | {name: b""})


@pytest.mark.parametrize("length", [0, 3072, 30729])
def test_binary_batch_of_wrong_length_is_refused(length: int) -> None:
    message = refusal(binary_batches() | {"data_batch_2.bin": bytes(length)})
    assert "data_batch_2.bin" in message
    assert f"has {length} bytes, which is no multiple of 3073" in message


def test_binary_label_out_of_range_is_refused() -> None:
    message = refusal(binary_batches() | {"data_batch_2.bin": bytes([10]) + bytes(3072)})
    assert "labels outside 0..9" in message


@pytest.mark.parametrize("label", [-1, 10, 2**31 - 1])
def test_python_label_out_of_range_is_refused(label: int) -> None:
    batch = python_batch(bytes(3072), (1, 3072), [label])
    assert "labels outside 0..9" in refusal(python_batches() | {"data_batch_2": batch})


@pytest.mark.parametrize(
    "batch",
    [
        python_batch(bytes(3072), (1, 3072), [1, 2]),
        python_batch(bytes(3071), (1, 3072), [1]),
        python_batch(bytes(2 * 3072), (1, 3072), [1, 2]),
        python_batch(bytes(3072), (1, 3072), [1], kind=b"i1"),
        python_batch(bytes(3072), (1, 3072), [1])[:-100],
        b"",
        pickle.dumps({}, protocol=2),
        pickle.dumps({"data": 0, "labels": []}, protocol=4),
        pickle.dumps([1, 2, 3], protocol=2),
    ],
    ids=["labels", "short", "shape", "signed", "cut", "empty", "keys", "protocol", "list"],
)
def test_other_python_batches_are_refused(batch: bytes) -> None:
    message = refusal(python_batches() | {"data_batch_2": batch})
    assert "'cifar-10-batches/data_batch_2' is not a batch of CIFAR-10" in message


class Attack:
    """Runs a command when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.trace}",)


def test_malicious_pickle_never_runs(tmp_path: Path) -> None:
    attack = pickle.dumps({"data": Attack(tmp_path / "trace")}, protocol=2)
    assert "asks for posix.system" in refusal(python_batches() | {"data_batch_1": attack})
    assert not (tmp_path / "trace").exists()
    # It is a weapon indeed: without the allow-list, it goes off.
    pickle.loads(attack)  # noqa: S301 - our own, a few lines above
    assert (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    "name",
    [
        b"cbuiltins\neval\n",
        b"cnumpy\nload\n",
        b"cnumpy.core.multiarray\nfromfile\n",
        b"cnumpy\ndtype.__class__\n",
    ],
)
def test_names_beside_the_known_ones_are_refused(name: bytes) -> None:
    assert "asks for" in refusal(python_batches() | {"data_batch_1": b"\x80\x02" + name + b"."})


def test_known_names_build_nothing() -> None:
    # numpy.ndarray((2**40,)) would reserve a terabyte.
    attack = b"\x80\x02cnumpy\nndarray\n(L1099511627776L\ntt\x81."
    assert "not a batch" in refusal(python_batches() | {"data_batch_1": attack})


@pytest.mark.parametrize(
    "attack",
    [
        b"\x80\x02Nr" + struct.pack("<I", 2**24) + b".",  # slot in a list of 256 MiB
        b"\x80\x05\x96" + struct.pack("<Q", 2**28) + b".",  # byte array of 256 MiB
        b"\x80\x04\x8e" + struct.pack("<Q", 2**28) + b".",  # bytes of 256 MiB
        b"\x80\x02T" + struct.pack("<i", 2**28) + b".",  # string of 256 MiB
    ],
)
def test_sizes_merely_claimed_reserve_no_memory(attack: bytes) -> None:
    contents = python_batches() | {"data_batch_1": attack}
    tracemalloc.start()
    refusal(contents)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**25


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_python_batches_are_refused(content: bytes) -> None:
    assert "data_batch_1" in refusal({"data_batch_1": b"\x80\x02" + content})


BATCH = bytearray(python_batch(bytes(3072), (1, 3072), [1]))


@settings(deadline=None)
@given(
    st.dictionaries(st.integers(0, 160) | st.integers(3230, len(BATCH) - 1), st.integers(0, 255))
)
def test_damaged_python_batches_are_read_or_refused(damage: dict[int, int]) -> None:
    damaged = bytearray(BATCH)
    for position, value in damage.items():
        damaged[position] = value
    contents = dict.fromkeys(("test_batch", *cifar10.TRAIN_BATCHES), bytes(damaged))
    with refusal_allowed():
        assert len(cifar10.decode(PATH, as_files(contents)).test_images) == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("data_batch_1.bin", True),
        ("a/b/test_batch", True),
        ("data_batch_77", True),
        ("batches.meta", False),
        ("data_batch_1.bin.txt", False),
        ("my_test_batch", False),
    ],
)
def test_batches_are_known_by_name(name: str, expected: bool) -> None:
    assert cifar10.is_batch(PurePosixPath(name)) is expected
