"""FLOPs counted by fvcore while the network runs, held against the closed form where there is one."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import nn

from nas.arch import Architecture
from nas.cost import cost
from nas.foreign import Foreign
from nas.meters.bench import Bench
from nas.meters.errors import FlopsMismatchError
from nas.meters.trace import said, traced
from nas.record import Reading

OPERATORS = ("conv", "linear")
ATTENTION = "aten::scaled_dot_product_attention"
# What a foreign network multiplies besides: fvcore's names, and attention, which fvcore does not count
PRODUCTS = ("addmm", "mm", "matmul", "bmm", "baddbmm", "einsum", ATTENTION.removeprefix("aten::"))


def flops(net: nn.Module, bench: Bench) -> Reading:
    """Multiply-adds of convolutions and linears for one image at the network's own resolution, in eval mode.

    Of a foreign network, those of its matrix products too (attention has them): the operators stand in `conditions`.
    The other operators that fvcore counts, and those it does not, stand in `detail`.

    Raises: FlopsMismatchError when the network that ran and `nas.cost` disagree.
    """
    by_operator, uncounted = traced(net, bench, "FlopCountAnalysis", {ATTENTION: _attention})
    if isinstance(bench.arch, Foreign):
        counted = [*OPERATORS, *(operator for operator in PRODUCTS if by_operator.get(operator))]
        total = sum(by_operator.get(operator, 0) for operator in counted)
        conditions = said(bench, counted, closed_form="none: the network is foreign")
    else:
        total = sum(by_operator.get(operator, 0) for operator in OPERATORS)
        hold_against_closed_form(bench.arch, total)
        conditions = said(bench, OPERATORS)
    detail = {"by_operator": by_operator, "uncounted_calls": uncounted}
    return Reading(value=total, spread=0.0, conditions=conditions, detail=detail)


def hold_against_closed_form(arch: Architecture, counted: int, what: str = "FLOPs") -> None:
    """Raises: FlopsMismatchError naming the network and both numbers, unless `counted` is what `nas.cost` says."""
    expected = getattr(cost(arch), what.lower())
    if counted != expected:
        raise FlopsMismatchError(
            f"network {arch.id} ({arch}): counted while running {counted:,} {what}, by the closed form {expected:,}",
            "one of them is wrong: please report this network",
        )


def _attention(inputs: list[Any], outputs: list[Any]) -> int:
    """Multiply-adds of softmax(Q·Kᵀ)·V: queries (…, L, E), keys (…, S, E), values (…, S, V)."""
    del outputs
    query, key, value = (_shape(tensor) for tensor in inputs[:3])
    return prod(query) * key[-2] + prod(query[:-1]) * key[-2] * value[-1]


def _shape(tensor: Any) -> torch.Size:
    return torch.Size(tensor.type().sizes())
