"""The certificate: proof that a trainer computes what the reference computes. Runs in the workers.

Both start from the same weights and take the same steps on the same images. Compared are, in this
order: the logits in evaluation mode before any step, the loss of the first step, the first update
(that is, the gradient), the loss of every step, the weights after the last step, running statistics
included, and the logits they give in evaluation mode. A trainer without a passing certificate is
not timed.

How deviations are measured: a loss by its relative difference; the others tensor by tensor, the
Euclidean norm of the difference divided by that of the reference: its logits, its update, the way
its weights have moved; less what merely storing weights rounds away.

What rounding would spoil: where an activation is next to zero, or two pixels of a pooling window
are next to equal, rounding decides on which side they fall, and with it over a whole term of the
gradient. Such ties are rare, but a batch has millions of activations. So a batch of a certificate
has few distinct images, each many times and with many labels, and each network has a seed at which
all its activations keep away from ties in the first step. Then the first update agrees to rounding,
and can be held to it.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from hashlib import sha256
from math import inf, isfinite, isnan
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.contract import Device, Floats, Precision, Trainer, Trial
from bench.weights import initial_weights
from bench.workloads import (
    CLASSES,
    IMAGE_SHAPE,
    NETWORKS,
    WORKLOADS,
    Optimizer,
    Workload,
    weight_shapes,
)

DISTINCT = 4
"""Images per batch: few, so that few activations are next to a tie (see above)."""

STEPS = 10
"""As many as are compared before a trial is timed: shallow networks agree to a few millionths so
far, then rounding is amplified beyond use even between two runs of one framework."""

PAIRS = STEPS * DISTINCT * CLASSES
"""Images with their labels that its batches can have."""

VERSION = 2
"""Raise when what is compared changes: traces kept by older versions are then not used."""


SEEDS = {
    "listing1": 2,
    "listing3": 65,
    "rosetta": 61,
    "resnet20": 1,
    "resnet18": 1,
    "resnet18-narrow": 2,
}
"""Of the weights and images of certificates, by network: ones that leave room between every
activation and a tie, in the shallow networks in all ten steps (``impls/reference/ties.py``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """Deviations, largest ones: those allowed (``tolerance``) or those seen (``spread``)."""

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
    workload: Workload, seed: int | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """The batches of certificates, one after the other: images of noise and their labels.

    ``[STEPS * batch, 32, 32, 3]`` and ``[STEPS * batch]``. Each batch has ``DISTINCT`` images, the
    same ones whatever its size. ``seed``: the network's own, if None.
    """
    random = np.random.default_rng([_seed(workload, seed), 1])
    distinct = STEPS * DISTINCT
    # Smooth noise, as photographs are smooth: blocks of 4x4 pixels, with some noise on top.
    coarse = random.integers(0, 192, (distinct, 8, 8, 3)).repeat(4, axis=1).repeat(4, axis=2)
    fine = random.integers(0, 64, (distinct, *IMAGE_SHAPE))
    batches = (coarse + fine).astype(np.uint8).reshape(STEPS, DISTINCT, *IMAGE_SHAPE)
    rows = np.arange(workload.batch_size) % DISTINCT
    pixels = batches[:, rows].reshape(-1, *IMAGE_SHAPE)
    labels = random.integers(0, CLASSES, len(pixels)).astype(np.int32)
    return pixels, labels


def dataset(
    pixels: NDArray[np.uint8], labels: NDArray[np.int32], count: int
) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.int32]]:
    """A data set of ``count`` images that holds those batches, and their rows ``[STEPS, batch]``.

    An image that a batch has more than once with the same label is there once, so that
    ``PAIRS`` are always enough, and there are no fewer; then they are repeated. A framework that
    compiles for the size of its data set would compile anew for another one.
    """
    batch = len(pixels) // STEPS
    step, row = np.divmod(np.arange(len(pixels)), batch)
    pair = (step * DISTINCT + row % DISTINCT) * CLASSES + labels
    _, first, rows = np.unique(pair, return_index=True, return_inverse=True)
    wanted = max(count, PAIRS)
    return (
        np.resize(pixels[first], (wanted, *IMAGE_SHAPE)),
        np.resize(labels[first], wanted),
        rows.astype(np.int32).reshape(STEPS, batch),
    )


def trace(
    trainer: Trainer,
    workload: Workload,
    count: int,
    *,
    steps: int = STEPS,
    seed: int | None = None,
    nudge: int = 0,
    together: bool = False,
) -> Trace:
    """Run the certificate's steps, one call of ``train`` each; the trainer's state is lost.

    With ``together``, all but the first in one call, whose mean loss stands for each of them.
    """
    pixels, labels = images(workload, seed)
    held, of_held, rows = dataset(pixels, labels, count)
    trainer.load_data(held, of_held)
    trainer.load_weights(start(workload, seed, nudge))
    first_logits = trainer.logits(pixels[: workload.batch_size])
    losses = [trainer.train(rows[:1])]
    first = trainer.weights()
    others = rows[np.arange(1, steps) % STEPS]
    if together:
        losses += [trainer.train(others)] * len(others)
    else:
        losses += [trainer.train(row[np.newaxis]) for row in others]
    return Trace(
        losses=np.array(losses),
        first=first,
        last=trainer.weights(),
        first_logits=first_logits,
        logits=trainer.logits(pixels[: workload.batch_size]),
    )


def start(
    workload: Workload, seed: int | None = None, nudge: int = 0
) -> dict[str, NDArray[np.float32]]:
    """The weights every certificate starts from.

    Scales and biases of normalisations are drawn too, and running statistics are off their usual
    start, so that a mistake in any of them shows. With a ``nudge`` other than 0, every weight is
    moved to the next float32 above or below, as that seed draws: a change that means nothing, to
    see what rounding can do.
    """
    seed = _seed(workload, seed)
    random = np.random.default_rng([seed, 2])
    weights = initial_weights(workload.network, seed)
    for name, value in weights.items():
        if value.min() == value.max():
            weights[name] = value + random.uniform(-0.2, 0.2, value.shape).astype(np.float32)
    if not nudge:
        return weights
    random = np.random.default_rng([seed, 3, nudge])
    directions = np.array([-np.inf, np.inf], np.float32)
    return {
        name: np.nextafter(value, random.choice(directions, value.shape))
        for name, value in weights.items()
    }


def _seed(workload: Workload, seed: int | None) -> int:
    return SEEDS[workload.network] if seed is None else seed


def certify(
    found: Trace,
    reference: Trace,
    workload: Workload,
    tolerance: Tolerance,
    *,
    seed: int | None = None,
    nudge: int = 0,
) -> Certificate:
    """Compare two traces of as many steps, of which ``found`` may have had a nudge."""
    begin = start(workload, seed), start(workload, seed, nudge)
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


def worst(certificates: Iterable[Certificate]) -> Certificate:
    """The largest deviations of several certificates of as many steps, and the first failure."""
    every = list(certificates)

    def largest(name: str) -> float | None:
        values = [getattr(earned, name) for earned in every]
        return None if None in values else max(values)

    return Certificate(
        steps=every[0].steps,
        **{name: largest(name) for name in QUANTITIES},
        tolerance=every[0].tolerance,
        failure=next((earned.failure for earned in every if earned.failure), ""),
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


def certify_together(
    found: Trace, reference: Trace, workload: Workload, certificate: Certificate
) -> Certificate:
    """Hold to the certificate also a trace that was taken ``together``."""
    mean = np.mean(reference.losses[1:])
    losses = np.array([reference.losses[0], *np.full(len(reference.losses) - 1, mean)])
    earned = certify(found, replace(reference, losses=losses), workload, certificate.tolerance)
    joint = worst((certificate, earned))
    failure = f"in one call, {earned.failure}" if earned.failure else ""
    return replace(joint, failure=certificate.failure or failure)


def _apart(found: Floats, reference: Floats) -> float:
    return _norm(found - reference) / _norm(reference)


def _moved(
    found: Mapping[str, Floats],
    reference: Mapping[str, Floats],
    begin: tuple[Mapping[str, Floats], Mapping[str, Floats]],
) -> tuple[float, str]:
    """By how much, relative to the reference's way, that weight deviates that does so most.

    ``begin`` is where the reference and where ``found`` began.
    """

    def deviation(name: str) -> float:
        way = reference[name] - begin[0][name]
        rounding = float(np.finfo(found[name].dtype).eps) * _norm(reference[name])
        beyond = _norm(found[name].astype(np.float64) - begin[1][name] - way) - rounding
        return 0.0 if beyond <= 0 else beyond / _norm(way)

    # A NaN is not equal to itself, and worse than anything.
    deviations = [(deviation(name), name) for name in reference]
    return max(deviations, key=lambda pair: inf if isnan(pair[0]) else pair[0])


def _norm(values: NDArray[np.floating]) -> float:
    return float(np.linalg.norm(values.astype(np.float64)))


def tolerance(trial: Trial) -> Tolerance:
    """What rounding explains: a margin over what it was seen to do (``spread.toml``).

    fp64: 1e-11 throughout. fp32: ten times the arm's own spread, and not below ten units of
    rounding; the first step is held to about a millionth, its update to a ten-thousandth. Later
    steps of residual networks amplify rounding beyond use; they are proven in float64. bf16: three
    times the spread, which says much of the forward pass and the losses, and of updates only that
    they are no others. tf32, which has three bits more than bfloat16: the same, for logits and the
    first loss an eighth.

    The spread of later steps is that of the workload's own settings; with others, the first step
    is held as tightly, later ones as if there were ties (``TIES``), or to the widest spread of any
    network. To the widest is held also a network, or framework, whose spread was never measured.
    """
    if trial.precision == "fp64":
        return Tolerance(**dict.fromkeys(QUANTITIES, 1e-11))
    network = trial.workload.network
    network = "resnet18-narrow" if network == "resnet18" else network
    seen: Precision = "bf16" if trial.precision == "tf32" else trial.precision
    alike = {name: values for name, values in spread().items() if name.precision == seen}
    widest = {name: max(getattr(value, name) for value in alike.values()) for name in QUANTITIES}
    own = (Measured(network, seen, arm) for arm in arms(trial.framework, trial.mode))
    measured = next((alike[of] for of in own if of in alike), Tolerance(**widest))
    margin, unit = MARGINS[seen]
    allowed = {name: margin * max(value, unit) for name, value in asdict(measured).items()}
    if seen == "fp32":
        # A gradient sums up to 2**17 values, in an order that each mode's kernels choose.
        allowed["first_update"] = max(allowed["first_update"], margin * 2**-17)
    if not _as_published(trial.workload):
        later = {name: margin * widest[name] for name in TIES} if normalised(network) else TIES
        allowed |= {name: max(allowed[name], value) for name, value in later.items()}
    if trial.precision == "tf32":
        allowed |= {name: allowed[name] / 8 for name in QUANTITIES[:2]}
    return Tolerance(**allowed)


def normalised(network: str) -> bool:
    """Whether a network has normalisations: then certificates hold its later steps loosely."""
    return any(name.endswith(".variance") for name in weight_shapes(network))


QUANTITIES = tuple(field.name for field in fields(Tolerance))

MARGINS: dict[Precision, tuple[float, float]] = {"fp32": (10, 2**-23), "bf16": (3, 2**-8)}
"""By how much the spread is multiplied, and the unit of rounding, below which none is taken."""

TIES = {"losses": 1e-3, "weights": 0.5, "logits": 0.1}
"""What ties can do to a network without normalisation in ten steps, with a margin of three: in
batches of 16 distinct images, over 20 seeds, losses were off by up to 3.6e-4 in float32, weights by
0.18, logits by 0.03."""

SPREAD = Path(__file__).with_name("spread.toml")


class Measured(NamedTuple):
    """Of what a spread was measured."""

    network: str
    precision: Precision
    arm: str
    """One of ``arms``."""


def arms(framework: str, mode: str) -> tuple[str, str]:
    """Under which names the spread of a mode may stand: its own, or the framework's."""
    return f"{framework}-{mode}", framework


@cache
def spread() -> dict[Measured, Tolerance]:
    """The largest deviations of correct trainers that were seen."""
    tables = tomllib.loads(SPREAD.read_text(encoding="utf-8"))
    return {
        Measured(network, precision, arm): Tolerance(**values)
        for network, precisions in tables.items()
        for precision, arms in precisions.items()
        for arm, values in arms.items()
    }


def _as_published(workload: Workload) -> bool:
    """Whether the settings are the network's own, for which the spread was measured."""
    network = "resnet18" if workload.network == "resnet18-narrow" else workload.network
    own = WORKLOADS[network]
    return (_within(workload.optimizer, STEPS), workload.batch_size) == (
        _within(own.optimizer, STEPS),
        own.batch_size,
    )


def _within(optimizer: Optimizer, steps: int) -> Optimizer:
    """What of the optimizer ``steps`` steps can see: no change of rate after them."""
    schedule = tuple(change for change in optimizer.schedule if change[0] < steps)
    return replace(optimizer, schedule=schedule)


def trial(
    framework: str,
    mode: str,
    workload: Workload,
    precision: Precision,
    *,
    device: Device = "cpu",
    threads: int = 1,
) -> Trial:
    """A trial of which nothing but a certificate is wanted."""
    return Trial(
        framework=framework,
        mode=mode,
        workload=without_dropout(workload),
        device=device,
        precision=precision,
        threads=threads,
        block=0,
        seed=0,
        train_images=0,
        test_images=0,
        epochs=0,
    )


def without_dropout(workload: Workload) -> Workload:
    """What is proven of ``workload``: no two frameworks drop the same values."""
    return replace(workload, dropout=False)


def key(workload: Workload, steps: int, seed: int | None = None) -> str:
    """Stands for all that determines the reference's trace but its own source."""
    determined = (
        VERSION,
        _seed(workload, seed),
        steps,
        repr(NETWORKS[workload.network]),
        asdict(replace(without_dropout(workload), optimizer=_within(workload.optimizer, steps))),
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
