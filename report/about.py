"""What the records of a section have in common, in lines of plain text."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from report.sections import Section

DATASET_NOTES = {
    "cifar10-jpeg": "a lossy re-encoding of CIFAR-10, not the canonical pixels: accuracies are "
    "not comparable with published ones",
    "images": "a folder of the user's own images: accuracies are not those of CIFAR-10",
    "synthetic": "generated images: accuracies are not those of CIFAR-10 and say nothing about it",
}


def about(section: Section) -> Iterator[str]:
    """Data, machine, code, how to repeat it, notes on it, and the workloads: a line each."""
    of = section.identity
    yield (
        f"Data: {dataset_note(section) or of['dataset']}. "
        f"{of['train_images']:,} images to train on, {of['test_images']:,} to test. "
        f"SHA-256 {of['dataset_digest']}."
    )
    gpu = f"{of['gpu']}, driver {of['gpu_driver'] or 'unknown'}" if of["gpu"] else "no GPU"
    machine = f"{of['cpu']}, {of['cores']} logical processors, {gpu}, {of['system']}"
    yield f"Machine: {machine}, {of['memory_bytes'] / 2**30:.1f} GiB memory."
    yield f"Code: sources {of['code_digest'][:12]} (commits: see Environment)."
    if section.again:
        yield f"To measure it anew: {section.again}"
    yield from section.notes
    for _, workload in section.workloads.iterrows():
        yield f"Workload {workload['workload']}: {', '.join(_training(workload))}."


def dataset_note(section: Section) -> str:
    """What a reader must know of the data set; empty for one that is what its name says."""
    name = str(section.identity["dataset"])
    return f"{name}, {DATASET_NOTES[name]}" if name in DATASET_NOTES else ""


def _training(workload: "pd.Series[Any]") -> Iterator[str]:
    """How a workload is trained; what it does without is left out."""
    yield f"network {workload['network']}"
    yield f"batches of {workload['batch_size']}"
    yield f"SGD with learning rate {workload['learning_rate']:g}"
    if workload["schedule"]:
        yield workload["schedule"]
    kind = "Nesterov momentum" if workload["nesterov"] else "momentum"
    yield f"{kind} {workload['momentum']:g}"
    if workload["weight_decay"]:
        yield f"weight decay {workload['weight_decay']:g} of kernels"
    if workload["dropout"]:
        yield "dropout"
    if workload["augmentation"]:
        yield "images shifted and mirrored at random"
