"""Does a framework run where there is no CUDA device?

That it needs one is refuted by any training that ends well, certificate included: a trial on a CPU
is a process from which every CUDA device is hidden.
"""

from collections.abc import Iterator

from report.verdicts import Answer, Claim, Finding, Material

CLAIMED = ("pytorch", "keras")
"""Said to need CUDA."""
BESIDE = ("tensorflow", "jax")


def judge(material: Material) -> Iterator[Finding]:
    """A condition for each framework: does it need CUDA?"""
    for framework in (*CLAIMED, *BESIDE):
        yield _finding(framework, material)


def _finding(framework: str, material: Material) -> Finding:
    trials = material.trials
    asked = trials[
        (trials["framework"] == framework)
        & (trials["scenario"] == "training")
        & (trials["device"] == "cpu")
    ]
    ended_well = asked[asked["status"] == "ok"]
    answer: Answer
    if len(ended_well):
        modes = ", ".join(sorted(set(ended_well["mode"])))
        answer, reason = "refuted", f"trained to the end with no CUDA device to be seen ({modes})"
    elif len(asked):
        ends = ", ".join(sorted(set(asked["status"])))
        answer, reason = "inconclusive", f"no training ended well ({ends}), for whatever reason"
    else:
        answer, reason = "not tested", "no training on a CPU is recorded"
    return Finding(
        condition=f"{framework} needs CUDA",
        answer=answer,
        reason=reason,
        primary=framework in CLAIMED,
        trials=tuple(map(int, (ended_well if len(ended_well) else asked).index)),
    )


CLAIM = Claim(
    key="portability",
    place=1,
    statement="TensorFlow runs on many platforms; PyTorch and Keras run only where CUDA does.",
    judge=judge,
)
