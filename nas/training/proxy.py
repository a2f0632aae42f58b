"""The network that stands in for an architecture in a short training, and how it starts."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import nn

from nas.arch import Architecture
from nas.data import Data
from nas.errors import NasError
from nas.foreign import LIBRARIES, Foreign
from nas.nets import Network, build
from nas.nets.blocks import Block
from nas.scaling import scale
from nas.training_recipe import Training


def proxy(arch: Architecture, training: Training, classes: int) -> Architecture:
    """`arch` at the recipe's width and resolution, for data of `classes`: what `top1_pct` trains in its stead.

    Raises: ArchitectureError where the recipe's fixed resolution is below the network's total stride.
    """
    scaled = scale(arch, width=training.width)
    return dataclasses.replace(scaled, resolution=proxy_resolution(arch, training), classes=classes)


class ProxyError(NasError):
    """A foreign network that cannot be trained as the recipe or the data ask."""


FOREIGN_KEEPS = {"dropout": "its own", "drop_path": "its own", "zero_init": False}  # it starts as its library makes it


def foreign_proxy(arch: Foreign, training: Training, data: Data) -> Foreign:
    """A foreign network at the size of `data` and for its classes. Raises: ProxyError where it cannot be had so."""
    if training.width != 1:
        raise ProxyError(
            f"{arch} cannot be trained at width {training.width:g}: only a network in nas' notation can be narrowed",
            "set training.width: 1.0",
        )
    if training.progressive and training.progressive.dropout is not None:
        raise ProxyError(f"{arch} has dropout of its own: progressive.dropout cannot change it", "leave it out")
    if arch.source not in LIBRARIES and arch.classes != data.classes:
        raise ProxyError(f"{arch} tells {arch.classes} classes apart; {data.name} has {data.classes}")
    return dataclasses.replace(arch, resolution=data.resolution, classes=data.classes)


def built(arch: Architecture | Foreign, seed: int) -> nn.Module:
    """A network whose first weights are drawn from `seed`. Global random state is left alone."""
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        return build(arch)


def proxy_resolution(arch: Architecture | Foreign, training: Training) -> int:
    """Side in pixels of the images that the proxy of `arch`, or a foreign network, is trained on: load the data at it.

    The recipe's `resolution`; or, where it has a `resolution_scale`, so much of the network's own, rounded to the
    nearest multiple of the recipe's `pixels` (a space of many resolutions asks for only a few sizes of the data), and
    at least the first such multiple that is no less than the network's total stride, where that is known.
    """
    if training.resolution_scale is None:
        return training.resolution
    multiple = training.pixels
    nearest = math.floor(arch.resolution * training.resolution_scale / multiple + 0.5)
    stride = arch.total_stride if isinstance(arch, Architecture) else 1
    return multiple * max(nearest, -(-stride // multiple))


def build_for_training(arch: Architecture, training: Training) -> Network:
    """`arch` as a module with the recipe's regularisation, freshly initialised from torch's global seed."""
    net = build(arch, dropout=training.dropout, drop_path=training.drop_path)
    if training.zero_init:
        zero_init_shortcuts(net)
        nn.init.zeros_(net.classifier.weight)
    return net


def zero_init_shortcuts(net: nn.Module) -> None:
    """Set the last norm scale of every residual block to 0, so that each starts as the identity (arXiv:1706.02677)."""
    for block in net.modules():
        if isinstance(block, Block) and block.residual:
            norms = [module for module in block.body.modules() if isinstance(module, nn.BatchNorm2d)]
            nn.init.zeros_(norms[-1].weight)
