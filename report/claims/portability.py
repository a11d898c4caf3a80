"""Does a framework run where there is no CUDA device, and does TensorFlow install more widely?

That a framework needs CUDA is refuted by any training that ends well, certificate included: a trial
on a CPU is a process from which every CUDA device is hidden. Where it installs says the package
index (``report.platforms``), of four platforms, with and without CUDA.
"""

from collections.abc import Iterator

from report.material import Material
from report.platforms import asked, installs, load
from report.verdicts import Answer, Claim, Finding

CLAIMED = ("pytorch", "keras")
"""Said to need CUDA."""
BESIDE = ("tensorflow", "jax")
WIDELY = "tensorflow"
"""Said to run on many platforms."""


def judge(material: Material) -> Iterator[Finding]:
    """For each framework: does it need CUDA? And does TensorFlow install where it does not?"""
    for framework in (*CLAIMED, *BESIDE):
        yield _finding(framework, material)
    for framework in (*CLAIMED, "jax"):
        yield installs_more_widely(framework)


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


def installs_more_widely(framework: str) -> Finding:
    """Whether TensorFlow installs on more platforms than ``framework``; as many refute it."""
    found = load()
    condition = f"{WIDELY} installs on more platforms than {framework}"
    if found is None:
        reason = "nobody asked the package index yet"
        return Finding(
            condition=condition, answer="not tested", reason=reason, primary=framework in CLAIMED
        )
    own, other = installs(found, WIDELY), installs(found, framework)
    return Finding(
        condition=condition,
        answer="supported" if own > other else "refuted",
        reason=f"on {own} against {other} of {asked(found, framework)}, asked on {found.date}",
        primary=framework in CLAIMED,
    )


CLAIM = Claim(
    key="portability",
    place=1,
    statement="TensorFlow runs on many platforms; PyTorch and Keras run only where CUDA does.",
    judge=judge,
)
