"""What a run remembers: weights, averages and the optimizers' state, by names that a file can have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


def remembered(
    net: nn.Module, average: nn.Module | None, optimizers: Sequence[torch.optim.Optimizer]
) -> dict[str, Tensor]:
    """Every tensor that a training needs to go on."""
    found = {f"net.{name}": tensor for name, tensor in net.state_dict().items()}
    if average:
        found |= {f"average.{name}": tensor for name, tensor in average.state_dict().items()}
    for number, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            found |= {f"optimizer{number}.{index}.{key}": value for key, value in state.items() if value is not None}
    return found


def remember(
    tensors: Mapping[str, Tensor],
    net: nn.Module,
    average: nn.Module | None,
    optimizers: Sequence[torch.optim.Optimizer],
) -> None:
    """Give everything back. Raises: KeyError, RuntimeError for what another training remembered."""
    net.load_state_dict(_below(tensors, "net."))
    if average:
        average.load_state_dict(_below(tensors, "average."))
    for number, optimizer in enumerate(optimizers):
        _remember(optimizer, _below(tensors, f"optimizer{number}."))


def _remember(optimizer: torch.optim.Optimizer, memory: Mapping[str, Tensor]) -> None:
    """Give an optimizer its memory back, laid out as its parameters are: fused steps go through both as they lie."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in memory.items():
        index, _, key = name.partition(".")
        own = parameters[int(index)]
        laid = torch.empty_like(own).copy_(tensor) if own.shape == tensor.shape else tensor
        state.setdefault(int(index), {})[key] = laid
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
