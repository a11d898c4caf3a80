"""PyTorch. This file is read in every environment, so it imports nothing of the framework."""

from bench.contract import Implementation

IMPLEMENTATION = Implementation(
    name="pytorch",
    title="PyTorch",
    modules=("torch",),
    distributions=("torch",),
    modes={
        "eager": "the tutorial's loop, operation by operation",
        "compile": "forward pass and loss through torch.compile",
    },
)
