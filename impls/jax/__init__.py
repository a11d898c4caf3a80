"""JAX with Flax NNX and Optax. Read in every environment, so it imports nothing of them."""

from bench.contract import Implementation

IMPLEMENTATION = Implementation(
    name="jax",
    title="JAX",
    modules=("jax", "flax", "optax"),
    distributions=("jax", "jaxlib", "flax", "optax"),
    modes={"jit": "the training step as one jax.jit function, state passed in and out"},
)
