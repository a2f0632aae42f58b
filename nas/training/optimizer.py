"""Optimizers by name, over parameters sorted by what they are."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

from torch import Tensor, nn, optim

from nas.training.muon import Muon
from nas.training_recipe import Training


def make_optimizers(net: nn.Module, training: Training, backbone_rate: float = 1.0) -> list[optim.Optimizer]:
    """The optimizers that together update every parameter of `net` that learns; `set_rate` sets the rate of all.

    All but the classifier learns at `backbone_rate` times the learning rate.
    """
    head = {id(parameter) for parameter in classifier_of(net).parameters()}
    learning = [parameter for parameter in net.parameters() if parameter.requires_grad]
    if training.optimizer == "muon":
        banks = [bank for bank in _filter_banks(net) if bank.requires_grad]
        taken = {id(bank) for bank in banks}
        groups = _groups([one for one in learning if id(one) not in taken], training, head, backbone_rate)
        adam = optim.AdamW(groups, lr=training.learning_rate, betas=(0.9, 0.99), fused=True)
        if not banks:
            return [adam]
        muon = Muon(banks, training.learning_rate, training.weight_decay)
        for group in muon.param_groups:
            group["scale"] = backbone_rate
        return [muon, adam]
    return [_OPTIMIZERS[training.optimizer](_groups(learning, training, head, backbone_rate), training.learning_rate)]


def set_rate(optimizers: Sequence[optim.Optimizer], learning_rate: float) -> None:
    """Give every group of every optimizer this learning rate, times its own `scale`."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * group["scale"]


def classifier_of(net: nn.Module) -> nn.Module:
    """What answers for the classes: a network's `classifier`, of a stranger's module the last linear layer."""
    own = getattr(net, "classifier", None)
    if isinstance(own, nn.Linear):
        return own
    linears = [module for module in net.modules() if isinstance(module, nn.Linear)]
    return linears[-1] if linears else nn.Identity()


_OPTIMIZERS: dict[str, Callable[[list[dict[str, Any]], float], optim.Optimizer]] = {
    "adamw": lambda groups, rate: optim.AdamW(groups, lr=rate, fused=True),
    "sgd": lambda groups, rate: optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True, fused=True),
    "rmsprop": lambda groups, rate: optim.RMSprop(groups, lr=rate, momentum=0.9, alpha=0.9, eps=1e-3),
}


def _groups(
    parameters: list[nn.Parameter], training: Training, head: Container[int], backbone_rate: float
) -> list[dict[str, Any]]:
    """Weight decay spares vectors: norm scales and shifts, biases."""
    kinds: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in parameters:
        decay = training.weight_decay if parameter.ndim > 1 else 0.0
        kinds.setdefault((decay, 1.0 if id(parameter) in head else backbone_rate), []).append(parameter)
    return [{"params": alike, "weight_decay": decay, "scale": scale} for (decay, scale), alike in kinds.items()]


def _filter_banks(net: nn.Module) -> list[Tensor]:
    """Filters that mix many channels and have a batch norm behind them: a matrix whose scale does not matter."""
    convs = (module for module in net.modules() if isinstance(module, nn.Conv2d))
    return [conv.weight for conv in convs if conv.groups == 1 and conv.in_channels > 3 and conv.bias is None]


__all__ = ["Muon", "classifier_of", "make_optimizers", "set_rate"]
