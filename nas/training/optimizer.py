"""Optimizers by name, over parameters sorted by what they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn, optim

from nas.recipe import Training
from nas.training.muon import Muon


def make_optimizers(net: nn.Module, training: Training) -> list[optim.Optimizer]:
    """The optimizers that together update every parameter of `net`; `set_rate` sets the learning rate of all."""
    if training.optimizer == "muon":
        banks = _filter_banks(net)
        taken = {id(bank) for bank in banks}
        rest = [parameter for parameter in net.parameters() if id(parameter) not in taken]
        adam = optim.AdamW(_groups(rest, training), lr=training.learning_rate, betas=(0.9, 0.99), fused=True)
        return [Muon(banks, training.learning_rate, training.weight_decay), adam] if banks else [adam]
    return [_OPTIMIZERS[training.optimizer](_groups(list(net.parameters()), training), training.learning_rate)]


def set_rate(optimizers: list[optim.Optimizer], learning_rate: float) -> None:
    """Give every group of every optimizer this learning rate."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate


_OPTIMIZERS: dict[str, Callable[[list[dict[str, Any]], float], optim.Optimizer]] = {
    "adamw": lambda groups, rate: optim.AdamW(groups, lr=rate, fused=True),
    "sgd": lambda groups, rate: optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True, fused=True),
    "rmsprop": lambda groups, rate: optim.RMSprop(groups, lr=rate, momentum=0.9, alpha=0.9, eps=1e-3),
}


def _groups(parameters: list[nn.Parameter], training: Training) -> list[dict[str, Any]]:
    """Weight decay spares vectors: norm scales and shifts, biases."""
    return [
        {"params": [one for one in parameters if one.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0},
    ]


def _filter_banks(net: nn.Module) -> list[Tensor]:
    """Filters that mix many channels and have a batch norm behind them: a matrix whose scale does not matter."""
    convs = (module for module in net.modules() if isinstance(module, nn.Conv2d))
    return [conv.weight for conv in convs if conv.groups == 1 and conv.in_channels > 3 and conv.bias is None]


__all__ = ["Muon", "make_optimizers", "set_rate"]
