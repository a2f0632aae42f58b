"""A network as the papers print theirs: a line a stage, with what it costs. Whatever prints a network reads it."""

from __future__ import annotations

from dataclasses import dataclass

from nas.arch import Architecture
from nas.cost import Cost, by_stage, cost


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table. `stride` and `channels` are None in the last one, which is the whole network.

    `size`: side in pixels of the map that enters; `cost`: for one image.
    """

    name: str
    operator: str
    stride: int | None
    channels: int | None
    layers: int
    size: int
    cost: Cost


def outline(arch: Architecture) -> tuple[Line, ...]:
    """Stem, stages 1 …, head, and the whole network, whose cost is their sum."""
    first, *stages, last = by_stage(arch)
    kernel, pool = arch.stem_kernel, " & max pool 3×3" if arch.stem_pool > 1 else ""
    lines = [Line("stem", f"Conv{kernel}×{kernel}{pool}", 2 * arch.stem_pool, arch.stem, 1, first.size, first.cost)]
    for row, stage in zip(stages, arch.stages, strict=True):
        lines.append(Line(row.name, stage.label, stage.stride, stage.channels, stage.layers, row.size, row.cost))
    head = f"{'Conv1×1 & ' if arch.head else ''}Pooling & FC"
    lines.append(Line("head", head, 1, arch.features, 1, last.size, last.cost))
    lines.append(Line("whole", "", None, None, arch.depth, arch.resolution, cost(arch)))
    return tuple(lines)
