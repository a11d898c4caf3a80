"""JAX with Flax NNX and Optax. Read in every environment, so it imports nothing of them."""

from bench.contract import Implementation, Mode

IMPLEMENTATION = Implementation(
    name="jax",
    title="JAX",
    modules=("jax", "flax", "optax"),
    distributions=("jax", "jaxlib", "flax", "optax", "grain", "pillow"),
    modes={
        "jit": Mode(about="the training step as one jax.jit function, state passed in and out"),
        "jit-xla-conv": Mode(
            about="the same, with convolutions of XLA's own, not of a library",
            # In jaxlib 0.10.2 an experimental default hands single convolutions to a library.
            variables=(
                ("XLA_FLAGS", "--xla_cpu_experimental_ynn_fusion_type=-individual_convolution"),
            ),
            devices=("cpu",),
        ),
        "scan": Mode(
            about="all steps in one jax.jit function, by jax.lax.scan",
            # Not for a CPU, where XLA has slow convolutions only inside of loops: a step of
            # listing3 took 5.1 s there, and 0.22 s in the other modes (one thread, jaxlib 0.10.2).
            devices=("cuda",),
            multistep=True,
        ),
    },
    compiled="jit",
)
