"""TensorFlow. This file is read in every environment, so it imports nothing of the framework."""

from bench.contract import Implementation

IMPLEMENTATION = Implementation(
    name="tensorflow",
    title="TensorFlow",
    modules=("tensorflow",),
    distributions=("tensorflow", "tensorflow-cpu"),
    modes={
        "graph": "the training step as one tf.function",
        "eager": "the same step, operation by operation",
        "xla": "the training step as one tf.function, compiled by XLA (jit_compile=True)",
    },
)
