"""What a built network has and holds, counted: parameters and activations."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nas.arch import Architecture
from nas.meters.bench import Bench
from nas.meters.flops import OPERATORS, hold_against_closed_form
from nas.meters.trace import said, traced
from nas.record import Reading


def params(net: nn.Module, bench: Bench) -> Reading:
    """Scalars that a training learns; one that several modules share counts once, frozen ones count too.

    Raises: FlopsMismatchError when the network built and `nas.cost` disagree.
    """
    counted = sum(parameter.numel() for parameter in net.parameters())
    if isinstance(bench.arch, Architecture):
        hold_against_closed_form(bench.arch, counted, "params")
    counts = "elements of parameters(); batch-norm running statistics are none"
    conditions = {"mode": "built", "batch": 1, "resolution": bench.arch.resolution, "counts": counts}
    return Reading(value=counted, spread=0.0, conditions=conditions)


def activations(net: nn.Module, bench: Bench) -> Reading:
    """Output elements of convolutions and linears for one image at the network's own resolution, in eval mode.

    Raises: FlopsMismatchError when the network that ran and `nas.cost` disagree.
    """
    by_operator, _ = traced(net, bench, "ActivationCountAnalysis")
    counted = [*OPERATORS, *(["addmm"] if by_operator.get("addmm") else [])]  # a linear, when called by that name
    total = sum(by_operator.get(operator, 0) for operator in counted)
    if isinstance(bench.arch, Architecture):
        hold_against_closed_form(bench.arch, total, "activations")
    return Reading(value=total, spread=0.0, conditions=said(bench, counted), detail={"by_operator": by_operator})


def image_flops(net: nn.Module, resolution: int) -> int:
    """Multiply-adds of one image, by torch's own counter: quick, where only a rule of thumb needs them."""
    training = net.training
    try:
        with torch.no_grad(), torch.random.fork_rng([]), FlopCounterMode(display=False) as counter:
            net.eval()(torch.zeros(1, 3, resolution, resolution))
        total: int = counter.get_total_flops()
        return total // 2
    finally:
        net.train(training)
