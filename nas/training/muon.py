"""Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon): momentum, made orthogonal, as the step of a matrix.

All directions of a filter bank learn at one pace, which is what a deep network of few steps lacks under Adam.
Matrices of one shape are updated together: a step on 64 small ones costs a few batched products.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

_QUINTIC = (3.4445, -4.7750, 2.0315)  # the post's: steep at 0, singular values end between 0.7 and 1.2
_ITERATIONS = 4


class Muon(Optimizer):
    """For filters (out, in, k, k), flattened to (out, in · k²). Updates are scaled to AdamW's usual root mean square of
    0.2 per element (arXiv:2502.16982), so that both share a learning rate."""

    def __init__(
        self, banks: Iterable[Tensor], learning_rate: float, weight_decay: float = 0.0, momentum: float = 0.9
    ) -> None:
        by_shape: dict[tuple[int, ...], list[Tensor]] = defaultdict(list)
        for bank in banks:
            by_shape[tuple(bank.shape)].append(bank)
        groups = [{"params": alike} for alike in by_shape.values()]
        super().__init__(groups, {"lr": learning_rate, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        """One update."""
        for group in self.param_groups:
            banks = [bank for bank in group["params"] if bank.grad is not None]
            if banks:
                self._update(banks, group)

    def _update(self, banks: list[Tensor], group: dict[str, Any]) -> None:
        """Banks of one shape, stacked to (count, out, in · k²)."""
        gradient = torch.stack([bank.grad.flatten(1) for bank in banks if bank.grad is not None])
        state = self.state[banks[0]]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(gradient)
        momentum = state["momentum"].mul_(group["momentum"]).add_(gradient)
        update = orthogonal(gradient.add(momentum, alpha=group["momentum"]))  # Nesterov
        size = 0.2 * max(update.shape[1:]) ** 0.5  # an orthogonal (m, n) has elements of 1 / √max(m, n)
        for bank, change in zip(banks, update, strict=True):
            bank.mul_(1 - group["lr"] * group["weight_decay"])
            bank.add_(change.view(bank.shape), alpha=-group["lr"] * size)


def orthogonal(matrices: Tensor) -> Tensor:
    """Matrices (count, m, n) with their singular values moved to about 1, by Newton–Schulz iteration.

    The iterates of X are polynomials of X Xᵀ times X, so only the small square matrices are iterated: for an expansion
    of 6 that is half the work.
    """
    wide = matrices.mT if matrices.shape[1] > matrices.shape[2] else matrices
    wide = wide / (wide.norm(dim=(1, 2), keepdim=True) + 1e-7)
    first, third, fifth = _QUINTIC
    gram = wide @ wide.mT
    unit = torch.eye(gram.shape[1], device=gram.device, dtype=gram.dtype)
    total = unit.expand_as(gram)
    for _ in range(_ITERATIONS):
        factor = torch.baddbmm(third * gram, gram, gram, alpha=fifth) + first * unit
        total = factor @ total
        gram = factor @ gram @ factor
    result: Tensor = total @ wide
    return result.mT if matrices.shape[1] > matrices.shape[2] else result
