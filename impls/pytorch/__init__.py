"""PyTorch. This file is read in every environment, so it imports nothing of the framework."""

from bench.contract import Implementation, Mode

IMPLEMENTATION = Implementation(
    name="pytorch",
    title="PyTorch",
    modules=("torch",),
    distributions=("torch", "torchvision"),
    modes={
        "eager": Mode(about="the tutorial's loop, operation by operation"),
        "channels-last": Mode(about="the same loop, with images and kernels stored channels last"),
        "compile": Mode(about="forward pass and loss through torch.compile", plain="eager"),
        "compile-graphs": Mode(
            about='the same with mode="reduce-overhead": as CUDA graphs',
            plain="eager",
            devices=("cuda",),
        ),
    },
    compiled="compile",
)
