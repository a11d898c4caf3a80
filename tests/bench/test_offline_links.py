"""The names that TensorFlow opens lead to what is there; nothing is linked where one is missing."""

from pathlib import Path

import pytest

from bench.offline import links

THERE = {
    "cuda_runtime": ["libcudart.so.12"],
    "cu13": [
        "libcudart.so.13",
        "libcublas.so.13",
        "libcublasLt.so.13",
        "libcufft.so.12",
        "libcusolver.so.12",
        "libcusparse.so.12",
        "libnvJitLink.so.13",
        "libnvrtc-builtins.so.13.0",
    ],
    "cudnn": ["libcudnn.so.9", "libcudnn_ops.so.9"],
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for package, names in THERE.items():
        for name in names:
            library = tmp_path / "site" / "nvidia" / package / "lib" / name
            library.parent.mkdir(parents=True, exist_ok=True)
            library.write_text(name)
    return tmp_path / "site"


def read(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_cuda_12_names_lead_to_cuda_13(site: Path, tmp_path: Path) -> None:
    links.link(tmp_path / "links", [site])
    assert read(tmp_path / "links") == {
        "libcudart.so.12": "libcudart.so.12",
        "libcublas.so.12": "libcublas.so.13",
        "libcublas.so.13": "libcublas.so.13",
        "libcublasLt.so.12": "libcublasLt.so.13",
        "libcublasLt.so.13": "libcublasLt.so.13",
        "libcufft.so.11": "libcufft.so.12",
        "libcusolver.so.11": "libcusolver.so.12",
        "libcusparse.so.12": "libcusparse.so.12",
        "libcudnn.so.9": "libcudnn.so.9",
        "libcudnn_ops.so.9": "libcudnn_ops.so.9",
        "libnvJitLink.so.13": "libnvJitLink.so.13",
        "libnvrtc-builtins.so.13.0": "libnvrtc-builtins.so.13.0",
    }


def test_the_real_library_comes_first(site: Path, tmp_path: Path) -> None:
    real = site / "nvidia" / "cublas" / "lib" / "libcublas.so.12"
    real.parent.mkdir(parents=True)
    real.write_text("the real one")
    links.link(tmp_path / "links", [site])
    links.link(tmp_path / "links", [site])  # and once more, over the links that are there
    assert read(tmp_path / "links")["libcublas.so.12"] == "the real one"


def test_another_cuda_runtime_does_not_stand_for_it(
    site: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its structures changed: with it, TensorFlow would read something else."""
    (site / "nvidia" / "cuda_runtime" / "lib" / "libcudart.so.12").unlink()
    monkeypatch.setattr("sys.path", [str(site)])
    assert links.main([str(tmp_path / "links")]) == 2
    assert capsys.readouterr().err.startswith("error: no libcudart.so.12 in the packages of ")
    assert not (tmp_path / "links").exists()
