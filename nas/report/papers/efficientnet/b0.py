"""EfficientNet's Table 1: the B0 network row by row, as nas unrolls it."""

from __future__ import annotations

from nas.cost import by_stage
from nas.report.papers.comparison import Check, Comparison, Line, Quantity
from nas.report.papers.facts import facts
from nas.report.papers.networks import closed, counted
from nas.report.papers.paper import Section
from nas.report.table import Column, text

_QUANTITIES = (
    Quantity("px", "input px"),
    Quantity("px_icml", "input px, ICML version"),
    Quantity("channels", "channels"),
    Quantity("layers", "layers"),
)
_COLUMNS = (
    Column("stage", "stage"),
    Column("operator", "operator, published"),
    Column("operator_nas", "operator, nas"),
    Column("params", "params, computed", "number"),
    Column("flops", "FLOPs, computed", "number"),
)


def architecture() -> Section:
    """Table 1. The side of every map is carried through the strides; channels and layers are those of the network whose
    counts Table 2 confirms."""
    arch = closed("efficientnet-b0")
    first, *middle, last = by_stage(arch)
    shapes = [(f"Conv{arch.stem_kernel}x{arch.stem_kernel}", first, arch.stem, 1)]
    for stage, row in zip(arch.stages, middle, strict=True):
        name = f"{stage.op.label}{stage.expand:g}, k{stage.kernel}x{stage.kernel}"
        shapes.append((name, row, stage.channels, stage.layers))
    shapes.append(("Conv1x1 & Pooling & FC", last, arch.head, 1))
    printed = facts("efficientnet/table1")
    lines = []
    for fact, (name, row, channels, layers) in zip(printed, shapes, strict=True):
        previous = next((other for other in printed if int(other["stage"]) == int(fact["stage"]) - 1), None)
        reason = "a misprint of the ICML version: the stage before it has stride 2"
        if previous is not None:
            reason += (
                f" and is entered at {previous['resolution_icml']} px, so {row.size} px leave it, as version 5 prints"
            )
        checks = (
            Check(fact["resolution"], row.size),
            Check(fact["resolution_icml"], row.size, reason),
            Check(fact["channels"], channels),
            Check(fact["layers"], layers),
        )
        cells = (
            text(f"stage {fact['stage']}"),
            text(fact["operator"]),
            text(name),
            counted(row.cost.params),
            counted(row.cost.flops),
        )
        lines.append(Line(cells, checks, fact["source"]))
    comparison = Comparison("table1", "Table 1: EfficientNet-B0", _COLUMNS, _QUANTITIES, tuple(lines))
    return Section("architecture", "Table 1: the B0 network", comparisons=(comparison,))
