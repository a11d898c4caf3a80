"""The judge: the networks in plain float64 NumPy, to hold the frameworks against.

It is no contestant and has no requirements of its own: it runs where the harness runs.
"""

from bench.contract import Implementation, Mode

IMPLEMENTATION = Implementation(
    name="reference",
    title="NumPy float64 reference",
    modules=("numpy",),
    distributions=("numpy",),
    modes={"numpy": Mode(about="the network's description, executed as it stands, in float64")},
    compiled="numpy",
)
