"""PyTorch's batch normalisation sums in plain float32 where images are channels last, on a CPU.

How far off that is, is why the mode ``channels-last`` has tolerances of its own
(``docs/equivalence.md``, from what this prints); nothing but rounding may be.
"""

from importlib import import_module

import numpy as np
import pytest

from bench.contract import Implementation


@pytest.mark.parametrize(
    ("layout", "allowed"), [("contiguous_format", 3e-6), ("channels_last", 3e-4)]
)
def test_normalisation_is_that_of_float64(
    implementation: Implementation, layout: str, allowed: float
) -> None:
    if implementation.name != "pytorch":
        pytest.skip("only PyTorch has two layouts")
    torch = import_module("torch")
    images = torch.tensor(np.random.default_rng(0).normal(1, 2, (128, 16, 32, 32)))

    def trained(dtype: object) -> tuple[np.ndarray, np.ndarray]:
        layer = torch.nn.BatchNorm2d(16, momentum=1.0, dtype=dtype)
        output = layer(images.to(dtype).to(memory_format=getattr(torch, layout)))
        return output.detach().numpy(), layer.running_var.numpy()

    for name, found, exact in zip(
        ("output", "variance"), trained(torch.float32), trained(torch.float64), strict=True
    ):
        deviation = np.abs(found / exact - 1 if name == "variance" else found - exact).max()
        print(f"{layout}: {name} off by {deviation:.1e}")
        assert deviation < allowed
