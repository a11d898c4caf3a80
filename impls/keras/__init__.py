"""Keras 3. This file is read in every environment, so it imports nothing of the framework."""

from bench.contract import Implementation

IMPLEMENTATION = Implementation(
    name="keras",
    title="Keras",
    modules=("keras", "tensorflow"),
    distributions=("keras", "tensorflow", "tensorflow-cpu"),
    modes={"fit": "compile and fit on the TensorFlow backend"},
)
