"""What is inside a network, row by row, for the page to draw: stem, stages, head, and where the cost goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nas.arch import Architecture, ArchitectureError, parse
from nas.cost import by_stage
from nas.foreign import is_foreign

FIELDS = (
    "name", "op", "label", "kernel", "stride", "channels", "layers", "expand", "se", "groups", "size", "params",
    "flops", "activations",
)  # fmt: skip


def drawing(notation: str) -> list[list[Any]] | None:
    """A row of FIELDS for the stem, for every stage and for the head; None for a network whose inside is not known."""
    if not notation or is_foreign(notation):
        return None
    try:
        arch = parse(notation)
    except ArchitectureError:  # a record of another version
        return None
    return [list(row) for row in _rows(arch)]


def drawings(notations: Sequence[str]) -> dict[str, Any]:
    """The drawings of many networks, equal rows said once: `of[i]` are the places in `rows` of network i."""
    places: dict[tuple[Any, ...], int] = {}
    known: dict[str, list[int] | None] = {}
    for notation in notations:
        if notation not in known:
            drawn = drawing(notation)
            known[notation] = None if drawn is None else [places.setdefault(tuple(row), len(places)) for row in drawn]
    return {"fields": list(FIELDS), "rows": [list(row) for row in places], "of": [known[one] for one in notations]}


def _rows(arch: Architecture) -> list[tuple[Any, ...]]:
    first, *stages, last = by_stage(arch)
    kernel, pool = arch.stem_kernel, " & max pool 3×3" if arch.stem_pool > 1 else ""
    stem = ("conv", f"Conv{kernel}×{kernel}{pool}", kernel, 2 * arch.stem_pool, arch.stem, 1, 1, 0, 1)
    head = ("conv" if arch.head else "fc", f"{'Conv1×1 & ' if arch.head else ''}Pooling & FC", 1, 1, arch.features, 1)
    cells = [
        (str(stage.op), stage.label, stage.kernel, stage.stride, stage.channels, stage.layers, _short(stage.expand),
         _short(stage.se), stage.groups)
        for stage in arch.stages
    ]  # fmt: skip
    return [
        (row.name, *cell, row.size, row.cost.params, row.cost.flops, row.cost.activations)
        for row, cell in zip((first, *stages, last), (stem, *cells, (*head, 1, 0, 1)), strict=True)
    ]


def _short(value: float) -> float:
    return int(value) if value == int(value) else value
