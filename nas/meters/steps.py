"""The steps that meters time. Everything they touch already lies on the device."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from nas.arch import Architecture
from nas.meters.bench import Bench
from nas.meters.clock import Step
from nas.meters.errors import UnmeasurableError

OPTIMIZER = "SGD, momentum 0.9, weight decay 1e-5"
LOSS = "cross-entropy"


def train_step(net: nn.Module, bench: Bench, batch: int) -> Step:
    """A full training step of `net`: forward, cross-entropy, backward, SGD."""
    images, labels = bench.images(batch), bench.labels(batch)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-5)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with bench.autocast():
            loss = cross_entropy(_logits(net(images)), labels)
        torch.autograd.backward(loss)
        optimizer.step()

    return step


def _logits(answer: object) -> torch.Tensor:
    """What a network answers, if a loss can be taken of it. Raises: UnmeasurableError."""
    if isinstance(answer, torch.Tensor):
        return answer
    raise UnmeasurableError(f"in train mode it answers with a {type(answer).__name__}, not a tensor (N, classes)")


def infer_step(net: nn.Module, bench: Bench, batch: int) -> Step:
    """One forward pass of `net` without gradients."""
    images = bench.images(batch)

    def step() -> None:
        with torch.inference_mode(), bench.autocast():
            net(images)

    return step


def check_trainable(bench: Bench, batch: int) -> None:
    """Raises: UnmeasurableError where batch norm would see one value a channel: one image, one pixel."""
    if batch == 1 and isinstance(bench.arch, Architecture) and bench.resolution <= bench.arch.total_stride:
        raise UnmeasurableError(
            f"one image of {bench.resolution} px leaves batch norm a single value", "use a batch of at least 2"
        )
