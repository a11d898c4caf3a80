"""Keras 3. This file is read in every environment, so it imports nothing of the framework."""

from bench.contract import Implementation, Mode

IMPLEMENTATION = Implementation(
    name="keras",
    title="Keras",
    modules=("keras",),
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
        "fit": Mode(about="compile and fit on the TensorFlow backend", modules=("tensorflow",)),
        "fit-jax": Mode(
            about="the same on the JAX backend",
            modules=("jax",),
            environment="jax",
            variables=(("KERAS_BACKEND", "jax"),),
        ),
        "fit-torch": Mode(
            about="the same on the PyTorch backend",
            modules=("torch",),
            environment="torch",
            variables=(("KERAS_BACKEND", "torch"),),
        ),
    },
    compiled="fit",
)
