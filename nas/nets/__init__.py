"""From an architecture, or a foreign network, to a `torch.nn.Module`."""

from __future__ import annotations

from typing import overload

from torch import nn

from nas.arch import Architecture
from nas.foreign import Foreign
from nas.nets.build import Network
from nas.nets.build import build as _build
from nas.nets.foreign import build_foreign, resolve_foreign


@overload
def build(arch: Architecture, *, dropout: float = 0.0, drop_path: float = 0.0) -> Network: ...
@overload
def build(arch: Foreign) -> nn.Module: ...


def build(arch: Architecture | Foreign, *, dropout: float = 0.0, drop_path: float = 0.0) -> nn.Module:
    """The module of `arch`, (N, 3, H, W) → (N, classes), in train mode, freshly initialised from torch's global seed.

    `dropout` and `drop_path` are of an Architecture (see `nas.nets.build.build`); a Foreign keeps its own.
    """
    if isinstance(arch, Foreign):
        return build_foreign(arch)
    return _build(arch, dropout=dropout, drop_path=drop_path)


__all__ = ["Network", "build", "build_foreign", "resolve_foreign"]
