"""Table 4 of EfficientNetV2 (arXiv:2104.00298), and how far V2-S, M and L follow from the base by a rule."""

from __future__ import annotations

import dataclasses

from nas.arch import Architecture
from nas.cost import by_stage
from nas.report.papers.comparison import Check, Comparison, Line, Quantity
from nas.report.papers.facts import Fact, facts, number
from nas.report.papers.networks import closed, closed_cost
from nas.report.papers.paper import Section
from nas.report.table import Cell, Column, Table, text
from nas.scaling import scale, staged

_NAMES = {"s": "efficientnet-b4", "m": "efficientnet-b5", "l": "efficientnet-b7"}


def v2_s() -> Section:
    """Table 4 in both versions of the paper, beside the released network."""
    arch = closed("efficientnetv2-s")
    quantities = (Quantity("stride", "stride"), Quantity("channels", "channels"), Quantity("layers", "layers"))
    shapes = [
        ("Conv3x3", 2, arch.stem, 1),
        *((stage.label, stage.stride, stage.channels, stage.layers) for stage in arch.stages),
        ("Conv1x1 & Pooling & FC", None, arch.head, 1),
    ]
    costs = [row.cost for row in by_stage(arch)]
    columns = (
        Column("stage", "stage"),
        Column("version", "version"),
        Column("operator_published", "operator, published"),
        Column("operator_nas", "operator, nas"),
        Column("params_computed", "params, computed", "number"),
        Column("flops_computed", "FLOPs, computed", "number"),
    )
    reason = "v1 prints another number; v3 and the released code have this one"
    lines = []
    for place, row in enumerate(facts("efficientnetv2/table4")):
        name, stride, channels, layers = shapes[place % len(shapes)]
        spent = costs[place % len(shapes)]
        cells = (
            text(f"stage {row['stage']}, {row['version']}"),
            text(row["version"]),
            text(row["operator"]),
            text(name),
        )
        counts = (Cell(f"{spent.params:,}", spent.params), Cell(f"{spent.flops:,}", spent.flops))
        checks = (
            Check(row["stride"], stride) if stride else Check(),
            Check(row["channels"], channels, reason),
            Check(row["layers"], layers, reason),
        )
        lines.append(Line((*cells, *counts), checks, row["source"]))
    comparison = Comparison("table4", "Table 4: EfficientNetV2-S, stage by stage", columns, quantities, tuple(lines))
    return Section("architecture", "Table 4: the V2-S network", comparisons=(comparison,))


def rules() -> Section:
    """V2-S, M and L from V2-B0: compound scaling with the coefficients of V1-B4, B5 and B7, then the staged rule."""
    base = closed("efficientnetv2-b0")
    rows, shown = [], []
    for size, name in _NAMES.items():
        coefficients = _coefficients(name)
        released = closed(f"efficientnetv2-{size}")
        plain = dataclasses.replace(
            scale(base, width=coefficients[0], depth=coefficients[1], floor=None), resolution=released.resolution
        )
        ruled = staged(
            base,
            width=coefficients[0],
            depth=coefficients[1],
            resolution=coefficients[2] / base.resolution,
            late=size != "s",
        )
        shown.append((size, coefficients, plain, ruled, released))
        rows += _stages(size, plain, ruled, released)
    columns = (
        Column("network", "network"),
        Column("part", "part"),
        Column("compound", "compound rule"),
        Column("staged", "staged rule"),
        Column("released", "released"),
        Column("remainder", "what remains"),
    )
    table = Table("staged-rule", "V2-S, M and L from V2-B0, part by part", columns, tuple(rows))
    words = (
        "The paper scales the base by compound scaling with two changes: inference at most at 480 px, and more layers "
        "late (§3.3); neither coefficients nor stages are printed. Compound rule: V2-B0 with width and depth of V1-B4, "
        "B5 and B7, at the released size. Staged rule: the same, one layer more in the base's stage 5 and "
        "a seventh stage behind the last for M and L, the base's head, a stem as wide as its first stage, ≤ 480 px.",
    )
    return Section("staged", "V2-S, M and L from the base", words, tables=(table, _costs(shown)))


def _coefficients(name: str) -> tuple[float, float, float]:
    """(width, depth, pixels) of a V1 network as its code states them."""
    model = name.replace("efficientnet-b", "EfficientNet-B")
    row: Fact = next(row for row in facts("efficientnet/coefficients") if row["model"] == model)
    return number(row["width"]), number(row["depth"]), number(row["resolution"])


def _stages(size: str, plain: Architecture, ruled: Architecture, released: Architecture) -> list[tuple[Cell, ...]]:
    """One row per part: channels × layers by each rule and as released; '–' where a network has no such stage."""
    parts = [("stem", *(str(arch.stem) for arch in (plain, ruled, released)))]
    for place in range(len(released.stages)):
        parts.append((f"stage {place + 1}", *(_stage(arch, place) for arch in (plain, ruled, released))))
    parts.append(("head", *(str(arch.head) for arch in (plain, ruled, released))))
    parts.append(("pixels", *(str(arch.resolution) for arch in (plain, ruled, released))))
    return [
        (text(f"V2-{size.upper()}"), *map(text, part), text("none" if part[2] == part[3] else _left(part[2], part[3])))
        for part in parts
    ]


def _stage(arch: Architecture, place: int) -> str:
    return f"{arch.stages[place].channels} × {arch.stages[place].layers}" if place < len(arch.stages) else "–"


def _left(made: str, released: str) -> str:
    """What the rule leaves: released minus made, number by number."""
    ours, theirs = made.split(" × "), released.split(" × ")
    if len(ours) != len(theirs) or "–" in (made, released):
        return f"{released} instead of {made}"
    changes = [int(b) - int(a) for a, b in zip(ours, theirs, strict=True)]
    words = ("channels", "layers") if len(changes) == 2 else ("",)
    return ", ".join(
        f"{change:+d} {word}".strip().replace("-", "−") for change, word in zip(changes, words, strict=True) if change
    )


def _costs(shown: list[tuple[str, tuple[float, float, float], Architecture, Architecture, Architecture]]) -> Table:
    """Params and multiply-adds of the three networks by each rule and as released."""
    rows = []
    for size, (width, depth, _), *networks in shown:
        for name, arch in zip(("compound rule", "staged rule", "released"), networks, strict=True):
            spent = closed_cost(arch)
            rows.append(
                (
                    text(f"V2-{size.upper()}"),
                    text(f"width {width:g}, depth {depth:g}"),
                    text(name),
                    Cell(f"{spent.params / 1e6:.3f}", spent.params),
                    Cell(f"{spent.flops / 1e9:.3f}", spent.flops),
                    text("the released network" if arch == networks[-1] and name != "released" else ""),
                )
            )
    columns = (
        Column("network", "network"),
        Column("coefficients", "× V2-B0"),
        Column("rule", "made by"),
        Column("params", "params (M)", "number"),
        Column("flops", "FLOPs (B)", "number"),
        Column("same", "is"),
    )
    return Table("staged-costs", "What the rules' networks cost", columns, tuple(rows))
