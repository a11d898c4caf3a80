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
        "compile": Mode(
            about="forward pass and loss through torch.compile",
            plain="eager",
            # By default TorchInductor first tries out whether the compiler's vector instructions
            # run here, and keeps the answer: a user waits for that once on a machine, but a trial,
            # whose folders are empty, each time, a third of the 30 s until its first step
            # (torch/_inductor/config.py, vec_isa_ok; PyTorch 2.15).
            variables=(
                ("TORCHINDUCTOR_VEC_ISA_OK", "1"),
                # Its folders are named after the user.
                ("LOGNAME", "trial"),
            ),
            # And its headers, which it compiles once and keeps even where everything else is to
            # be compiled afresh (torch/_inductor/codecache.py, _HEADER_DIR; PyTorch 2.15).
            kept="torchinductor_trial/precompiled_headers",
        ),
        "compile-graphs": Mode(
            about='the same with mode="reduce-overhead": as CUDA graphs',
            plain="eager",
            devices=("cuda",),
        ),
    },
    compiled="compile",
)
