"""The training of ``trainer.py`` as a bare loop, to measure what the contract costs on top."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from bench.contract import Floats, Trial
from impls.pytorch.networks import NETWORKS
from impls.pytorch.trainer import (
    MODES,
    channels_first,
    disable_dropout,
    from_canonical,
    loss,
    schedulers,
    settings,
    sgd,
    synchronize,
)


def parts(
    trial: Trial,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    weights: Mapping[str, Floats],
) -> tuple[Callable[[NDArray[np.int32]], None], Callable[[], None]]:
    """The loop in two: one starts a step for each row of indices, one returns when all are done."""
    settings(trial)
    device, mode = torch.device(trial.device), MODES[trial.mode]
    model = NETWORKS[trial.workload.network]().to(device, memory_format=mode.layout)
    model.load_state_dict(model.state_dict() | from_canonical(weights))
    if not trial.workload.dropout:
        disable_dropout(model)
    model.train()
    optimizer = sgd(model, trial.workload.optimizer)
    schedule = schedulers(optimizer, trial.workload.optimizer)
    autocast = torch.autocast(trial.device, torch.bfloat16, enabled=trial.precision == "bf16")
    criterion = mode.compile(loss)
    pixels = channels_first(images).to(device, memory_format=mode.layout)
    targets = torch.tensor(labels, dtype=torch.int64, device=device)

    def start(batches: NDArray[np.int32]) -> None:
        for batch in torch.from_numpy(batches).to(device):
            optimizer.zero_grad()
            with autocast:
                value = criterion(model, pixels[batch], targets[batch])
            value.backward()
            optimizer.step()
            for scheduler in schedule:
                scheduler.step()

    def finish() -> None:
        synchronize(device)

    return start, finish
