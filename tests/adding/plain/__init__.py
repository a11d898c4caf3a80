"""A fifth implementation, in plain NumPy: what ``docs/adding-a-framework.md`` adds."""

from bench.contract import Implementation, Mode

IMPLEMENTATION = Implementation(
    name="plain",
    title="Plain NumPy",
    modules=("numpy",),
    distributions=("numpy",),
    modes={"loop": Mode(about="layer by layer, in float32", devices=("cpu",))},
    compiled="loop",
)
