"""TensorFlow. This file is read in every environment, so it imports nothing of the framework."""

from bench.contract import Implementation, Mode

IMPLEMENTATION = Implementation(
    name="tensorflow",
    title="TensorFlow",
    modules=("tensorflow",),
    distributions=("tensorflow", "tensorflow-cpu"),
    modes={
        "graph": Mode(about="the training step as one tf.function", plain="eager"),
        "eager": Mode(about="the same step, operation by operation"),
        "xla": Mode(
            about="the training step as one tf.function, compiled by XLA (jit_compile=True)",
            plain="eager",
        ),
    },
    compiled="xla",
)
