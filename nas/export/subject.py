"""What is exported: a network as a value, and as a module whose weights tell its layers apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from nas.arch import Architecture
from nas.foreign import Foreign
from nas.nets import Network, build
from nas.nets.blocks import Block
from nas.training.start import with_weights
from nas.training.weights import Weights, WeightsError

_IMAGES, _SIDE = 4, 128  # that random statistics are taken from: pixels enough for the last maps
_LEAST_VARIANCE = 0.1  # a channel that hardly varies would magnify what rounding leaves
_ADDED = 0.2  # of a residual block's scale
_MOMENTUM = 0.1  # as torch has it


@dataclass(frozen=True, eq=False)
class Subject:
    """`arch` with `weights`; where these are None, with weights and statistics of its norms drawn from `seed`."""

    name: str
    arch: Architecture
    weights: Weights | None = None
    loaded: nn.Module | None = None
    seed: int = 0

    @cached_property
    def net(self) -> nn.Module:
        """The module, in eval mode."""
        return self.loaded or drawn(self.arch, self.seed)

    @property
    def params(self) -> int:
        """Learnable scalars."""
        return sum(parameter.numel() for parameter in self.net.parameters())


def trained(name: str, arch: Architecture | None, weights: Weights) -> Subject:
    """The network that `weights` are of, with their classes, pixels and epsilon; `arch` otherwise, where it is given.

    Raises: WeightsError for weights of another network, naming its first layer that differs, and both shapes; for a
    file that does not say of which network it is, where `arch` is None; and for a network of another library.
    """
    try:
        named = weights.arch
    except ValueError as error:
        raise WeightsError(
            f"{weights.path}: what it says of its network does not read: {error}", getattr(error, "hint", "")
        ) from None
    if isinstance(named, Foreign):
        raise WeightsError(f"{weights.path}: is of {named}, which is no network of nas' notation",
                           f"its own library exports it; its architecture: nas import {named.reference}")  # fmt: skip
    if named is None and arch is None:
        raise WeightsError(f"{weights.path}: does not say of which network it is",
                           f"name the network: nas export REF --weights {weights.path}")  # fmt: skip
    ready = with_weights(arch, weights)
    assert isinstance(ready.arch, Architecture)
    return Subject(name, ready.arch, weights, ready.net)


def drawn(arch: Architecture, seed: int = 0) -> Network:
    """`arch` in eval mode with weights and statistics drawn from `seed` that tell its layers apart."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        net = build(arch)
    randomise(net, seed)
    return net


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
