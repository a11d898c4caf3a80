"""Keras 3. This file is read in every environment, so it imports nothing of the framework."""

from bench.contract import Implementation, Mode

IMPLEMENTATION = Implementation(
    name="keras",
    title="Keras",
    modules=("keras", "tensorflow"),
    distributions=(
        "keras",
        "tensorflow",
        "tensorflow-cpu",
        "jax",
        "jaxlib",
        "torch",
        "grain",
        "pillow",
    ),
    modes={
        "fit": Mode(about="compile and fit on the TensorFlow backend"),
        "fit-jax": Mode(
            about="the same on the JAX backend",
            environment="jax",
            variables=(("KERAS_BACKEND", "jax"),),
        ),
        "fit-torch": Mode(
            about="the same on the PyTorch backend",
            environment="torch",
            variables=(("KERAS_BACKEND", "torch"),),
        ),
    },
    compiled="fit",
)
