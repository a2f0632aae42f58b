"""Closed-form cost: params, FLOPs and activations of an architecture, whole and by stage, without building it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from nas.arch import Architecture
from nas.block import Block, Conv, SqueezeExcite


@dataclass(frozen=True, slots=True)
class Cost:
    """`params`: learnable scalars. `flops`: multiply-adds of convolutions and linears. `activations`: their output
    elements. All for one image (1, 3, resolution, resolution)."""

    params: int = 0
    flops: int = 0
    activations: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.params + other.params, self.flops + other.flops, self.activations + other.activations)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the paper's table: the cost of a stage and the side in pixels of the map that enters it."""

    name: str
    size: int
    cost: Cost


def cost(arch: Architecture) -> Cost:
    """Params, FLOPs (multiply-adds) and activations of the whole network for one image."""
    total = Cost()
    for row in by_stage(arch):
        total += row.cost
    return total


def by_stage(arch: Architecture) -> tuple[Row, ...]:
    """The same, row by row: stem, stages 1 …, head (1×1 convolution and classifier). The rows sum to `cost`."""
    size = arch.resolution
    stem, after = _conv_cost(arch.stem_conv, size)
    rows = [Row("stem", size, stem)]
    size, width = (after - 1) // arch.stem_pool + 1, arch.stem
    for number, stage in enumerate(arch.stages, 1):
        entered = size
        total, size = block_cost(stage.block(width, first=True), size)
        width = stage.channels
        if stage.layers > 1:  # every later block of a stage is the same one
            each, size = block_cost(stage.block(width, first=False), size)
            times = stage.layers - 1
            total += Cost(each.params * times, each.flops * times, each.activations * times)
        rows.append(Row(str(number), entered, total))
    head = _conv_cost(arch.head_conv, size)[0] if arch.head_conv else Cost()
    linear = Cost((arch.features + 1) * arch.classes, arch.features * arch.classes, arch.classes)
    rows.append(Row("head", size, head + linear))
    return tuple(rows)


@lru_cache(maxsize=65_536)
def block_cost(block: Block, size: int) -> tuple[Cost, int]:
    """(cost of the block on a `size` × `size` map, side of the map that leaves it)."""
    total = _conv_cost(block.shortcut, size)[0] if block.shortcut else Cost()
    for part in block.convs():
        if isinstance(part, SqueezeExcite):  # both convolutions see one pixel
            for conv in (part.squeeze, part.excite):
                total += _conv_cost(conv, 1)[0]
        else:
            spent, size = _conv_cost(part, size)
            total += spent
    return total, size


def _conv_cost(conv: Conv, size: int) -> tuple[Cost, int]:
    out = conv.out_size(size)
    return Cost(conv.params, conv.weights * out * out, conv.out_channels * out * out), out
