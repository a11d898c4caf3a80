"""The certificate: proof that a trainer computes what the reference computes. Runs in the workers.

Both start from the same weights and take the same steps on the same images. Compared are, in this
order: the logits in evaluation mode before any step, the loss of the first step, the first update
(that is, the gradient), the loss of every step, the weights after the last step, running statistics
included, and the logits they give in evaluation mode. A trainer without a passing certificate is
not timed.

How deviations are measured: a loss by its relative difference; the others tensor by tensor, the
Euclidean norm of the difference divided by that of the reference: its logits, its update, the way
its weights have moved; less what merely storing weights rounds away. Not by the largest difference:
where an activation is next to zero, or two pixels of a pooling window are next to equal, rounding
may turn the gradient of that one place, which says nothing about the others.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from math import inf, isfinite, isnan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contract import Floats, Precision, Trainer, Trial
from bench.weights import initial_weights
from bench.workloads import CLASSES, IMAGE_SHAPE, NETWORKS, Workload

SEED = 271828
"""Of the weights and images of every certificate."""

STEPS = 10
"""As many as are compared before a trial is timed: shallow networks agree to a few millionths so
far, then rounding is amplified beyond use even between two runs of one framework."""

VERSION = 1
"""Raise when what is compared changes: traces kept by older versions are then not used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """The largest deviations that rounding explains; how they were found: ``tolerance``."""

    first_logits: float
    first_loss: float
    first_update: float
    losses: float
    weights: float
    logits: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What was found, each the largest relative deviation, and what was allowed."""

    steps: int
    first_logits: float | None
    """None, like the others, when it is no finite number."""
    first_loss: float | None
    first_update: float | None
    losses: float | None
    weights: float | None
    logits: float | None
    tolerance: Tolerance
    failure: str
    """Empty when passed, else the first quantity that differs: which, by how much, where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What a trainer did: everything a certificate compares."""

    losses: NDArray[np.float64]
    """``[steps]``, each step's mean loss before its update."""
    first: Mapping[str, Floats]
    """Weights after the first step."""
    last: Mapping[str, Floats]
    """Weights after the last step."""
    first_logits: Floats
    """``[batch, 10]``, of the first batch, in evaluation mode, before the first step."""
    logits: Floats
    """The same after the last step."""


def images(
    workload: Workload, count: int, seed: int = SEED
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """The data set of certificates: ``STEPS`` batches of noise, repeated to ``count`` images.

    ``[count, 32, 32, 3]`` and ``[count]``. Repeated, because a framework that compiles for the size
    of its data set would compile anew for a smaller one.
    """
    random = np.random.default_rng([seed, 1])
    distinct = workload.batch_size * STEPS
    # Smooth noise, as photographs are smooth: blocks of 4x4 pixels, with some noise on top.
    coarse = random.integers(0, 192, (distinct, 8, 8, 3)).repeat(4, axis=1).repeat(4, axis=2)
    fine = random.integers(0, 64, (distinct, *IMAGE_SHAPE))
    labels = random.integers(0, CLASSES, distinct)
    wanted = max(count, distinct)
    return (
        np.resize((coarse + fine).astype(np.uint8), (wanted, *IMAGE_SHAPE)),
        np.resize(labels.astype(np.int32), wanted),
    )


def trace(
    trainer: Trainer, workload: Workload, count: int, *, steps: int = STEPS, seed: int = SEED
) -> Trace:
    """Run the certificate's steps, one call of ``train`` each; the trainer's state is lost."""
    pixels, labels = images(workload, count, seed)
    trainer.load_data(pixels, labels)
    trainer.load_weights(start(workload, seed))
    first_logits = trainer.logits(pixels[: workload.batch_size])
    rows = np.arange(STEPS * workload.batch_size, dtype=np.int32).reshape(STEPS, -1)
    losses = [trainer.train(rows[:1])]
    first = trainer.weights()
    losses += [trainer.train(rows[step % STEPS][np.newaxis]) for step in range(1, steps)]
    return Trace(
        losses=np.array(losses),
        first=first,
        last=trainer.weights(),
        first_logits=first_logits,
        logits=trainer.logits(pixels[: workload.batch_size]),
    )


def start(workload: Workload, seed: int = SEED) -> dict[str, NDArray[np.float32]]:
    """The weights every certificate starts from.

    Scales and biases of normalisations are drawn too, and running statistics are off their usual
    start, so that a mistake in any of them shows.
    """
    random = np.random.default_rng([seed, 2])
    weights = initial_weights(workload.network, seed)
    for name, value in weights.items():
        if value.min() == value.max():
            weights[name] = value + random.uniform(-0.2, 0.2, value.shape).astype(np.float32)
    return weights


def certify(
    found: Trace, reference: Trace, workload: Workload, tolerance: Tolerance, seed: int = SEED
) -> Certificate:
    """Compare two traces of as many steps."""
    begin = start(workload, seed)
    losses = np.abs(found.losses - reference.losses) / np.abs(reference.losses)
    worst = int(np.argmax(np.where(np.isnan(losses), np.inf, losses)))
    update, first_weight = _moved(found.first, reference.first, begin)
    way, last_weight = _moved(found.last, reference.last, begin)
    steps = f"after {len(losses)} steps"
    deviations = {
        "first_logits": (_apart(found.first_logits, reference.first_logits), "the first logits"),
        "first_loss": (float(losses[0]), "the loss of step 1"),
        "first_update": (update, f"the first update of {first_weight}"),
        "losses": (float(losses[worst]), f"the loss of step {worst + 1}"),
        "weights": (way, f"{last_weight} {steps}"),
        "logits": (_apart(found.logits, reference.logits), f"the logits {steps}"),
    }
    allowed = asdict(tolerance)
    failures = (
        f"{what} deviates by {deviation:.1e}, {allowed[name]:.1e} is allowed"
        for name, (deviation, what) in deviations.items()
        if not deviation <= allowed[name]
    )
    return Certificate(
        steps=len(losses),
        **{name: found if isfinite(found) else None for name, (found, _) in deviations.items()},
        tolerance=tolerance,
        failure=next(failures, ""),
    )


def certify_evaluation(found: Floats, reference: Trace, certificate: Certificate) -> Certificate:
    """Hold to the certificate also a trainer's logits before any step, ``[batch, 10]``.

    For a trainer with dropout, which was certified without: in evaluation both do the same.
    """
    deviation = _apart(found, reference.first_logits)
    if certificate.failure or deviation <= certificate.tolerance.first_logits:
        return certificate
    allowed = certificate.tolerance.first_logits
    return replace(
        certificate,
        first_logits=deviation if isfinite(deviation) else None,
        failure=f"the first logits with dropout deviate by {deviation:.1e}, {allowed:.1e} is "
        "allowed",
    )


def _apart(found: Floats, reference: Floats) -> float:
    return _norm(found - reference) / _norm(reference)


def _moved(
    found: Mapping[str, Floats], reference: Mapping[str, Floats], begin: Mapping[str, Floats]
) -> tuple[float, str]:
    """By how much, relative to its way from ``begin``, the weight deviates that does so most."""

    def deviation(name: str) -> float:
        value = reference[name]
        rounding = float(np.finfo(found[name].dtype).eps) * _norm(value)
        beyond = _norm(found[name] - value) - rounding
        return 0.0 if beyond <= 0 else beyond / _norm(value - begin[name])

    # A NaN is not equal to itself, and worse than anything.
    deviations = [(deviation(name), name) for name in reference]
    return max(deviations, key=lambda pair: inf if isnan(pair[0]) else pair[0])


def _norm(values: NDArray[np.floating]) -> float:
    return float(np.linalg.norm(values.astype(np.float64)))


def tolerance(network: str, precision: Precision) -> Tolerance:
    """What rounding explains, with a margin of ten.

    fp32: ten times what harmless rounding was seen to do (``SPREAD``). The forward pass is held to
    a few millionths, before the first step and in it. Later quantities depend on which side of zero
    an activation falls, and rounding decides some: little can be said of them in float32, least in
    residual networks. They are proven in float64.

    fp64: 1e-11 throughout.
    """
    if precision == "fp64":
        return Tolerance(**dict.fromkeys(asdict(SPREAD["shallow"]), 1e-11))
    spread = SPREAD["residual" if network.startswith("resnet") else "shallow"]
    return Tolerance(**{name: 10 * value for name, value in asdict(spread).items()})


SPREAD = {
    "shallow": Tolerance(
        first_logits=4.5e-7,
        first_loss=1.7e-7,
        first_update=1.3e-2,
        losses=3.6e-4,
        weights=1.8e-1,
        logits=2.9e-2,
    ),
    "residual": Tolerance(
        first_logits=4.3e-7,
        first_loss=6.3e-7,
        first_update=1.3e-2,
        losses=2.8e-2,
        weights=1.8,
        logits=4.9e-1,
    ),
}
"""The largest deviations from the float64 reference that were seen in float32 on a CPU.

Over PyTorch, TensorFlow, Keras and JAX at the workloads' own settings, each as it is and with every
starting weight one unit in the last place off; and over 8 to 20 seeds of weights and images with
PyTorch in batches of 16. The median is far smaller: 0 for the first update of the listings.
"""


def trial(framework: str, mode: str, workload: Workload, precision: Precision) -> Trial:
    """A trial on the CPU of which nothing but a certificate is wanted."""
    return Trial(
        framework=framework,
        mode=mode,
        workload=without_dropout(workload),
        device="cpu",
        precision=precision,
        threads=1,
        block=0,
        seed=0,
        train_images=0,
        test_images=0,
        epochs=0,
    )


def without_dropout(workload: Workload) -> Workload:
    """What is proven of ``workload``: no two frameworks drop the same values."""
    return replace(workload, dropout=False)


def key(workload: Workload, steps: int) -> str:
    """Stands for all that determines the reference's trace but its own source."""
    determined = (
        VERSION,
        SEED,
        steps,
        repr(NETWORKS[workload.network]),
        asdict(without_dropout(workload)),
    )
    return sha256(json.dumps(determined, sort_keys=True).encode()).hexdigest()[:16]


def save(path: Path, trace: Trace) -> None:
    """Write a trace as ``.npz``."""
    weights = {f"first/{n}": v for n, v in trace.first.items()} | {
        f"last/{n}": v for n, v in trace.last.items()
    }
    others = {
        "losses": trace.losses,
        "first_logits": trace.first_logits,
        "logits": trace.logits,
    }
    np.savez(path, **others, **weights)  # type: ignore[arg-type]


def load(path: Path) -> Trace:
    """Read what ``save`` has written; raises ``OSError`` or ``ValueError`` for anything else."""
    with np.load(path, allow_pickle=False) as arrays:
        parts: dict[str, dict[str, Floats]] = {"first": {}, "last": {}}
        for name in arrays.files:
            part, _, weight = name.partition("/")
            if weight:
                parts[part][weight] = arrays[name]
        return Trace(
            losses=arrays["losses"],
            first_logits=arrays["first_logits"],
            logits=arrays["logits"],
            first=parts["first"],
            last=parts["last"],
        )
