"""How near an activation comes to a tie: what the seeds of certificates are chosen by.

``python -m impls.reference.ties WORKLOAD COUNT`` looks at the seeds below ``COUNT`` and prints
each that leaves more room than all before it.

A ReLU has a tie at 0, a pooling where the two largest of a window are equal: rounding, which is
another on every processor, decides on which side such an activation falls, and a whole term of the
gradient with it. The reference has no rounding to speak of, so it can say how far the nearest is.
"""

import argparse

import numpy as np

from bench import certificate
from bench.workloads import WORKLOADS, Layer, MaxPool, Relu, Residual, Workload
from impls.reference.layers import Array, windows
from impls.reference.networks import Weights, forward
from impls.reference.trainer import ReferenceTrainer, distinct, scale


def room(workload: Workload, seed: int | None = None) -> float:
    """How far the nearest activation is from a tie, as a share of its layer's root mean square.

    Of all steps of a certificate that holds later ones tightly, of networks with normalisation of
    the first. ``seed``: the network's own, if None. Raises ``ValueError`` as ``build`` does.
    """
    trial = certificate.trial("reference", "numpy", workload, "fp64")
    trainer = ReferenceTrainer(trial)
    images, labels, rows = certificate.dataset(*certificate.images(workload, seed), 0)
    trainer.load_data(images, labels)
    trainer.load_weights(certificate.start(workload, seed))
    found = []
    for batch in rows[: 1 if certificate.normalised(workload.network) else certificate.STEPS]:
        each, _, _ = distinct(images[batch])
        found.append(_nearest(trainer.layers, trainer.held, scale(each))[1])
        trainer.train_step(batch)
    return min(found)


def _nearest(layers: tuple[Layer, ...], weights: Weights, x: Array) -> tuple[Array, float]:
    """What comes out of ``layers``, and how far from a tie the nearest activation in them is."""
    found = np.inf
    for layer in layers:
        match layer:
            case Relu():
                found = min(found, from_zero(x))
            case MaxPool(size):
                found = min(found, from_equal(x, size))
            case Residual(body, shortcut):
                long, in_body = _nearest(body, weights, x)
                short, in_shortcut = _nearest(shortcut, weights, x)
                found = min(found, in_body, in_shortcut, from_zero(long + short))
        x, _, _ = forward((layer,), weights, x, training=True)
    return x, found


def from_zero(x: Array) -> float:
    """The smallest distance from zero, as a share of the root mean square of ``x``."""
    return float(np.abs(x).min()) / _size(x)


def from_equal(x: Array, size: int) -> float:
    """The smallest distance of a maximum from what comes next in its window, as such a share.

    ``x`` is ``[n, h, w, c]``. Windows without a positive value do not count: the ReLU that every
    network has next to its pooling lets nothing through.
    """
    values = np.sort(windows(x, size))
    gaps = (values[..., -1] - values[..., -2])[values[..., -1] > 0]
    return float(gaps.min(initial=np.inf)) / _size(x)


def _size(x: Array) -> float:
    return float(np.sqrt(np.mean(x * x)))


def main() -> None:
    """Print the seeds, each that is better than all before it; exit status 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m impls.reference.ties")
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("count", type=int, help="so many seeds, from 0")
    options = parser.parse_args()
    workload = certificate.without_dropout(WORKLOADS[options.workload])
    best = 0.0
    for seed in range(options.count):
        found = room(workload, seed)
        if found > best:
            print(f"{seed}: {found:.1e}", flush=True)
            best = found


if __name__ == "__main__":
    main()
