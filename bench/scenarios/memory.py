"""How much memory does training take? A pass of its own, of one batch size; nothing is timed."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import sqrt

import numpy as np

from bench.contract import Cap, Trainer, Trial
from bench.inputs import Inputs
from bench.memory import peak_resident_bytes, reset_peak
from bench.nvml import device_bytes
from bench.records import Memory
from bench.scenarios.fresh import ask

STEPS = 5
"""After the first few steps no framework was seen to take more."""
CAP_PRECISION = 0.02
"""Share by which the smallest cap may be too large."""
LEAST_CAP = 2**24
"""Bytes; a bound to the search, not a finding."""


def measure(trainer: Trainer, inputs: Inputs, trial: Trial, baseline: int | None) -> Memory:
    """Train a few steps of ``trial.batch_size`` with a trainer that has done nothing yet.

    ``baseline`` is what was resident before it was built. In a fresh process, because allocators
    keep what they once had, and before the certificate, whose batches have another size.
    """
    reset_peak()
    trainer.load_data(inputs.of_epoch(0), inputs.labels)
    trainer.load_weights(inputs.weights)
    train(trainer, trial)
    host, device = peak_resident_bytes(), trainer.peak_device_bytes()
    return Memory(
        batch_size=trial.batch_size,
        baseline_host_bytes=baseline,
        peak_host_bytes=host,
        peak_device_bytes=device,
        smallest_cap_bytes=smallest_cap(trial, device, device_bytes()) if device else None,
    )


def train(trainer: Trainer, trial: Trial) -> None:
    """Take the steps of a memory pass."""
    rows = np.arange(STEPS * trial.batch_size, dtype=np.int32) % trial.train_images
    for batch in rows.reshape(STEPS, 1, trial.batch_size):
        trainer.train(batch)


def smallest_cap(trial: Trial, first: int, whole: int) -> int:
    """Fewest bytes with which ``trial`` trains on a device of ``whole``; ``first`` is a guess.

    No allocator's habit distorts that. Raises ``RuntimeError`` where all of them are too few.
    """
    return smallest(partial(_trains, trial, whole), first=min(first, whole), most=whole)


def smallest(trains: Callable[[int], str], first: int, most: int) -> int:
    """Fewest bytes with which something trains, at most ``CAP_PRECISION`` too many.

    ``trains`` says why not, or nothing; ``first`` is what is tried first, ``most`` the limit.
    Raises ``RuntimeError`` with the reason where it does not train with ``most``.
    """
    enough = max(first, LEAST_CAP)
    while why_not := trains(enough):
        if enough == most:
            raise RuntimeError(f"with {most:,} bytes of device memory: {why_not}")
        enough = min(2 * enough, most)
    too_few = enough // 2
    while too_few > LEAST_CAP and not trains(too_few):
        enough, too_few = too_few, too_few // 2
    while enough > too_few * (1 + CAP_PRECISION):
        between = int(sqrt(enough * too_few))
        if trains(between):
            too_few = between
        else:
            enough = between
    return enough


def _trains(trial: Trial, whole: int, allowed: int) -> str:
    """Why ``trial`` does not train with so many bytes, in a process of its own; empty if it does.

    Whatever goes wrong counts: libraries that get no memory fail in many words, or crash.
    """
    capped = replace(trial, cap=Cap(bytes=allowed, share=allowed / whole))
    answer, status = ask("bench.capped", capped, os.environ)
    answered = json.loads(answer or "{}")
    if answered.get("status") == "ok":
        return ""
    return answered.get("message") or f"it ended with status {status}"
