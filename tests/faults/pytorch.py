"""Faults in PyTorch code, each planted by a function that takes pytest's ``monkeypatch``."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import pytest
import torch  # type: ignore[import-not-found]
import torch.nn.functional as F  # type: ignore[import-not-found]  # noqa: N812
from torch import nn

from bench.workloads import Optimizer

networks: Any = import_module("impls.pytorch.networks")
trainer: Any = import_module("impls.pytorch.trainer")

Plant = Callable[[pytest.MonkeyPatch], None]


def listing3(
    patch: pytest.MonkeyPatch,
    *,
    conv1: Callable[[Any, Any], Any] = lambda self, x: self.conv1(x),
    first: Callable[[Any], Any] = lambda x: F.max_pool2d(F.relu(x), 2),
) -> None:
    """Another first convolution, or something else after it."""

    def forward(self: Any, x: Any) -> Any:
        x = first(conv1(self, x))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.dense1(torch.flatten(x, 1)))
        return self.dense2(x)

    patch.setattr(networks.Listing3, "forward", forward)


def shifted_conv(self: Any, x: Any) -> Any:
    return F.conv2d(F.pad(x, (0, 2, 0, 2)), self.conv1.weight, self.conv1.bias)


def biasless_conv(self: Any, x: Any) -> Any:
    return F.conv2d(x, self.conv1.weight, None, padding=1)


def uneven_padding(patch: pytest.MonkeyPatch) -> None:
    true = nn.Conv2d.forward

    def forward(self: Any, x: Any) -> Any:
        if self.stride == (2, 2) and self.padding == (1, 1):
            return F.conv2d(F.pad(x, (0, 1, 0, 1)), self.weight, self.bias, 2)
        return true(self, x)

    patch.setattr(nn.Conv2d, "forward", forward)


def norm(patch: pytest.MonkeyPatch, **attributes: float) -> None:
    """Batch normalisations with other settings than PyTorch's defaults."""
    patch.setattr(networks.nn, "BatchNorm2d", partial(nn.BatchNorm2d, **attributes))


def biased_variance(patch: pytest.MonkeyPatch) -> None:
    true = nn.BatchNorm2d.forward

    def forward(self: Any, x: Any) -> Any:
        kept = 0.9 * self.running_var
        y = true(self, x)
        if self.training:
            values = x.numel() // x.shape[1]
            added = self.running_var - kept
            self.running_var = kept + added * ((values - 1) / values)
        return y

    patch.setattr(nn.BatchNorm2d, "forward", forward)


def running_statistics(patch: pytest.MonkeyPatch) -> None:
    def forward(self: Any, x: Any) -> Any:
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, training=False
        )

    patch.setattr(nn.BatchNorm2d, "forward", forward)


def loss(patch: pytest.MonkeyPatch, change: Callable[[Any], Any], reduction: str) -> None:
    def changed(model: Any, images: Any, labels: Any) -> Any:
        logits = change(model(trainer.scale(images, model)))
        return F.cross_entropy(logits, labels, reduction=reduction)

    patch.setattr(trainer, "loss", changed)


def pixels(patch: pytest.MonkeyPatch, factor: float) -> None:
    patch.setattr(
        trainer, "scale", lambda images, model: images.to(model.conv1.weight.dtype) * factor
    )


def decay_for_all(patch: pytest.MonkeyPatch) -> None:
    def sgd(model: Any, optimizer: Optimizer) -> Any:
        return torch.optim.SGD(
            model.parameters(),
            lr=optimizer.learning_rate,
            momentum=optimizer.momentum,
            weight_decay=optimizer.weight_decay,
        )

    patch.setattr(trainer, "sgd", sgd)


def decoupled_decay(patch: pytest.MonkeyPatch) -> None:
    true = torch.optim.SGD.step

    def step(self: Any, *arguments: Any) -> Any:
        kernels, _ = self.param_groups
        decay, kernels["weight_decay"] = kernels["weight_decay"], 0.0
        with torch.no_grad():
            for parameter in kernels["params"]:
                parameter.mul_(1 - kernels["lr"] * decay)
        done = true(self, *arguments)
        kernels["weight_decay"] = decay
        return done

    patch.setattr(torch.optim.SGD, "step", step)


def rate_in_velocity(patch: pytest.MonkeyPatch) -> None:
    """v = m * v + rate * g; w = w - v: the velocity in PyTorch's form is v / rate."""
    true = torch.optim.SGD.step

    def step(self: Any, *arguments: Any) -> Any:
        for group in self.param_groups:
            before = group.get("before", group["lr"])
            group["before"] = group["lr"]
            for parameter in group["params"]:
                if (velocity := self.state[parameter].get("momentum_buffer")) is not None:
                    velocity.mul_(before / group["lr"])
        return true(self, *arguments)

    patch.setattr(torch.optim.SGD, "step", step)


def never_zeroed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(torch.optim.SGD, "zero_grad", lambda _: None)


def kept_optimizer(patch: pytest.MonkeyPatch) -> None:
    true = trainer.PyTorchTrainer.load_weights

    def load_weights(self: Any, weights: Any) -> None:
        kept = getattr(self, "optimizer", None), getattr(self, "schedulers", None)
        true(self, weights)
        if kept[0] is not None:
            self.optimizer, self.schedulers = kept

    patch.setattr(trainer.PyTorchTrainer, "load_weights", load_weights)


def never_evaluating(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(nn.Module, "eval", lambda self: self.train())


FAULTS: dict[str, Plant] = {
    "padding shifted by one": partial(listing3, conv1=shifted_conv),
    "padding below and to the right under a stride": uneven_padding,
    "bias dropped": partial(listing3, conv1=biasless_conv),
    "ReLU missing": partial(listing3, first=lambda x: F.max_pool2d(x, 2)),
    "average pooling": partial(listing3, first=lambda x: F.avg_pool2d(F.relu(x), 2)),
    "pixels unscaled": partial(pixels, factor=1.0),
    "pixels scaled by 1/256": partial(pixels, factor=1 / 256),
    "softmax before the softmax": partial(
        loss, change=lambda logits: F.softmax(logits, 1), reduction="mean"
    ),
    "loss summed": partial(loss, change=lambda logits: logits, reduction="sum"),
    "batch norm: epsilon 1e-3": partial(norm, eps=1e-3),
    "batch norm: epsilon 1.001e-5": partial(norm, eps=1.001e-5),
    "batch norm: momentum 0.99": partial(norm, momentum=0.01),
    "batch norm: biased running variance": biased_variance,
    "batch norm: running statistics never updated": partial(norm, momentum=0.0),
    "batch norm: batch statistics in evaluation": never_evaluating,
    "batch norm: running statistics in training": running_statistics,
    "weight decay also on biases and scales": decay_for_all,
    "weight decay decoupled": decoupled_decay,
    "momentum form": rate_in_velocity,
    "gradients not zeroed by zero_grad": never_zeroed,
}

HARMLESS: dict[str, Plant] = {
    "ReLU after the pooling": partial(listing3, first=lambda x: F.relu(F.max_pool2d(x, 2))),
    "weight decay decoupled, no momentum": decoupled_decay,
    "momentum form, constant rate": rate_in_velocity,
}

STALE: dict[str, Plant] = {"optimizer state kept": kept_optimizer}

EVALUATION: dict[str, Plant] = {"dropout active in evaluation": never_evaluating}
