"""Optimizers by name, over two groups: what decays (filters, matrices) and what does not (norms, biases)."""

from __future__ import annotations

from torch import nn, optim

from nas.recipe import Training


def make_optimizer(net: nn.Module, training: Training) -> optim.Optimizer:
    """The optimizer that `training` names; weight decay spares vectors (norm scales and shifts, biases)."""
    weights = [parameter for parameter in net.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in net.parameters() if parameter.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": training.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    rate = training.learning_rate
    if training.optimizer == "adamw":
        return optim.AdamW(groups, lr=rate, fused=True)
    if training.optimizer == "sgd":
        return optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True, fused=True)
    return optim.RMSprop(groups, lr=rate, momentum=0.9, alpha=0.9, eps=1e-3)
