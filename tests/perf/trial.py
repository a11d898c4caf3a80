"""What is timed: one thread of a CPU, float32, drawn images. Standard library and NumPy only."""

from bench.contract import Trial
from bench.workloads import WORKLOADS

TRAIN_IMAGES = 1280
"""Ten batches of the largest workload here; ``bench.synthetic`` draws all classes equally."""
TEST_IMAGES = 260


def trial_of(framework: str, mode: str, workload: str) -> Trial:
    """As a run would have it, so that it gets the same environment."""
    return Trial(
        framework=framework,
        mode=mode,
        workload=WORKLOADS[workload],
        device="cpu",
        precision="fp32",
        threads=1,
        block=0,
        seed=0,
        train_images=TRAIN_IMAGES,
        test_images=TEST_IMAGES,
        epochs=1,
    )
