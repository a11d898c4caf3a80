"""Training as PyTorch's own example has it, to hold ``trainer.py`` against.

After https://github.com/pytorch/examples/blob/main/mnist/main.py: a ``DataLoader`` over a data set
of scaled images feeds a loop of operations. Left out is what would only make it slower: the example
scales each image when it is asked for, and prints losses.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch.utils.data import DataLoader, TensorDataset

from bench.contract import Floats, Trial
from impls.pytorch.networks import NETWORKS
from impls.pytorch.trainer import (
    channels_first,
    disable_dropout,
    from_canonical,
    schedulers,
    settings,
    sgd,
    synchronize,
)


def loop(
    trial: Trial,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    weights: Mapping[str, Floats],
) -> Callable[[NDArray[np.int32]], float]:
    """A function that takes a step for each row of indices, and returns their mean loss."""
    settings(trial)
    device = torch.device(trial.device)
    model = NETWORKS[trial.workload.network]().to(device)
    model.load_state_dict(model.state_dict() | from_canonical(weights))
    if not trial.workload.dropout:
        disable_dropout(model)
    model.train()
    optimizer = sgd(model, trial.workload.optimizer)
    schedule = schedulers(optimizer, trial.workload.optimizer)
    scaled = channels_first(images).to(torch.float32) * (1 / 255)
    dataset = TensorDataset(scaled, torch.tensor(labels, dtype=torch.int64))

    def train(batches: NDArray[np.int32]) -> float:
        losses = []
        for data, target in DataLoader(dataset, batch_sampler=batches.tolist()):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(data.to(device)), target.to(device))
            loss.backward()
            optimizer.step()
            for scheduler in schedule:
                scheduler.step()
            losses.append(loss.detach())
        mean = torch.stack(losses).mean().item()
        synchronize(device)
        return mean

    return train
