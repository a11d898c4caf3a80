"""Do TensorFlow, and Keras, do well on large data sets, where PyTorch does worse?

Asked of each framework's own input pipeline, in the mode that tutorials teach, while nobody trains:
what training adds is the matter of ``efficiency``. Two questions: which delivers images faster from
a large data set; and which slows down less as a data set grows (``report.growth``), because one
that is as slow on a small data set has no trouble with large ones.
"""

from collections.abc import Iterator
from typing import get_args

import pandas as pd

from bench.contract import Source
from report.growth import at_largest, with_size
from report.material import Material
from report.speeds import AGAINST, BESIDE, CLAIMED, TAUGHT, Condition, missing, shown
from report.speeds import judge as judged
from report.verdicts import Claim, Finding

WORKLOAD = "listing3"
"""The network that the article trains from a folder of images."""
LARGE = 1_000_000
"""Images, at least, in what is called a large data set."""


def judge(material: Material) -> Iterator[Finding]:
    """Both questions, of images in files and in an array, for each framework."""
    yield from judged(list(_conditions(material)), material.device)


def _conditions(material: Material) -> Iterator[Condition]:
    arms = material.arms.get(("pipeline", WORKLOAD), {})
    against = (AGAINST, TAUGHT[AGAINST])
    none = material.counted.iloc[:0]
    for source in get_args(Source):
        asked = _read(material.trials, source)
        for framework in (*CLAIMED, *BESIDE):
            arm = (framework, TAUGHT[framework])
            own, other = (_read(arms.get(side, none), source) for side in (arm, against))
            lacking = [
                missing(side, asked)
                for side, trials in ((arm, own), (against, other))
                if not len(trials)
            ]
            for question, contrast, otherwise in (
                (
                    f"a million images or more: {shown(arm)} delivers faster than",
                    at_largest(_large(own), _large(other), material.processes),
                    "no block has so many of both",
                ),
                (
                    f"every tenfold of images slows {shown(arm)} down less than",
                    with_size(own, other, material.processes),
                    "no block has three sizes of both",
                ),
            ):
                yield Condition(
                    name=f"{source}, {question} {shown(against)}",
                    primary=framework in CLAIMED,
                    contrast=contrast,
                    missing="; ".join(lacking) or otherwise,
                )


def _large(trials: pd.DataFrame) -> pd.DataFrame:
    return trials[trials["images"] >= LARGE]


def _read(trials: pd.DataFrame, source: str) -> pd.DataFrame:
    """Those that read ``WORKLOAD``'s images from ``source``."""
    return trials[
        (trials["scenario"] == "pipeline")
        & (trials["workload"] == WORKLOAD)
        & (trials["source"] == source)
    ]


CLAIM = Claim(
    key="large-data",
    place=3,
    statement="TensorFlow and Keras do well on large data sets, PyTorch does worse.",
    judge=judge,
)
