"""What is exported: a network as a value, and as a module whose weights tell its layers apart."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from nas.arch import Architecture
from nas.errors import NasError
from nas.nets import Network, build
from nas.nets.blocks import Block
from nas.training.weights import Weights, WeightsError, load

_IMAGES, _SIDE = 4, 128  # that random statistics are taken from: pixels enough for the last maps
_LEAST_VARIANCE = 0.1  # a channel that hardly varies would magnify what rounding leaves
_ADDED = 0.2  # of a residual block's scale
_MOMENTUM = 0.1  # as torch has it


@dataclass(frozen=True)
class Subject:
    """`arch` with `weights`; where these are None, with weights and statistics of its norms drawn from `seed`."""

    name: str
    arch: Architecture
    weights: Weights | None = None
    seed: int = 0

    @cached_property
    def net(self) -> Network:
        """The module, in eval mode.

        Raises: WeightsError for weights of another network, naming its first layer that differs, and both shapes.
        """
        arch = self.arch
        with torch.random.fork_rng([]):
            torch.manual_seed(self.seed)
            net = build(arch).eval()
        if self.weights is None:
            randomise(net, self.seed)
        else:
            load(net, self.weights)
        return net

    @property
    def params(self) -> int:
        """Learnable scalars."""
        return sum(parameter.numel() for parameter in self.net.parameters())


def network_of(weights: Weights) -> Architecture:
    """The network that the weights' own file names. Raises: WeightsError where it names none of nas' notation."""
    try:
        arch = weights.arch
    except NasError as error:
        raise WeightsError(f"{weights.path}: what it says of its network does not read: {error}", error.hint) from None
    if not isinstance(arch, Architecture):
        of = f"is of {arch}, which is no network of nas' notation" if arch else "does not say of which network it is"
        raise WeightsError(f"{weights.path}: {of}", f"name the network: nas export REF --weights {weights.path}")
    return fitted(arch, weights)


def fitted(arch: Architecture, weights: Weights) -> Architecture:
    """`arch` with the classes of `weights`, and with their resolution and norm epsilon where their file says them.

    The resolution only where the file's network is `arch` otherwise: nothing is taken from another network.
    """
    arch = dataclasses.replace(arch, classes=weights.classes or arch.classes)
    eps = weights.about.get("norm_eps")
    if isinstance(eps, float) and 0 < eps < 1:
        arch = dataclasses.replace(arch, norm_eps=eps)
    try:
        own = weights.arch
    except NasError:
        return arch
    if not isinstance(own, Architecture):
        return arch
    sized = dataclasses.replace(arch, resolution=max(own.resolution, arch.total_stride))
    return sized if dataclasses.replace(own, classes=arch.classes) == sized else arch


def images(arch: Architecture, count: int, seed: int, side: int | None = None) -> Tensor:
    """(count, 3, side, side) random pixels about zero; `side` is the network's resolution where None."""
    side = side or arch.resolution
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def randomise(net: Network, seed: int = 0) -> None:
    """Draw all weights of `net`; the statistics of its norms become those of random images. Eval mode after.

    Fresh weights have scales of 1 and statistics of nothing: two layers swapped, or another epsilon, would not show.
    What a residual block adds is made small, as training does: a hundred layers would magnify what rounding leaves.
    """
    draw = torch.Generator().manual_seed(seed)
    for module in net.eval().modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.7, 1.3, generator=draw)
            nn.init.uniform_(module.bias, -0.2, 0.2, generator=draw)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu", generator=draw)
            if module.bias is not None:
                nn.init.uniform_(module.bias, -0.2, 0.2, generator=draw)
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    with torch.no_grad():
        for block in net.modules():
            if isinstance(block, Block) and block.residual:
                [*_, last] = (module for module in block.body.modules() if isinstance(module, nn.BatchNorm2d))
                last.weight.mul_(_ADDED)
        for norm in norms:
            norm.train().momentum = 1.0
        net(images(net.arch, _IMAGES, seed, max(_SIDE, net.arch.total_stride)))
    for norm in norms:
        norm.eval().momentum = _MOMENTUM
        assert norm.running_var is not None
        norm.running_var.clamp_min_(_LEAST_VARIANCE)
