"""What other counts add to convolutions and linears: batch normalisation's channels and elements."""

from __future__ import annotations

from collections.abc import Iterator

from nas.arch import Architecture
from nas.block import Conv, SqueezeExcite


def norm_channels(arch: Architecture) -> int:
    """Channels that batch norm follows. Each has two learnable scalars and two moving statistics."""
    return sum(conv.out_channels for conv, _ in _normalised(arch))


def norm_elements(arch: Architecture) -> int:
    """Elements that batch norm writes for one image."""
    return sum(conv.out_channels * side**2 for conv, side in _normalised(arch))


def _normalised(arch: Architecture) -> Iterator[tuple[Conv, int]]:
    """(convolution that batch norm follows, side of its map) in forward order."""
    side = arch.stem_conv.out_size(arch.resolution)
    yield arch.stem_conv, side
    side = (side - 1) // arch.stem_pool + 1
    for _, block in arch.blocks():
        entered = side
        for part in block.convs():
            if isinstance(part, SqueezeExcite):
                continue
            side = part.out_size(side)
            if part.norm:
                yield part, side
        if block.shortcut is not None:
            yield block.shortcut, block.shortcut.out_size(entered)
    if arch.head_conv is not None:
        yield arch.head_conv, side
