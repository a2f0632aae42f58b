"""MobileNet's two multipliers: every width at every resolution, regenerated, beside what papers and code print."""

from __future__ import annotations

from nas.arch import Architecture
from nas.cost import by_stage
from nas.report.papers.audit.wide import norm_channels
from nas.report.papers.comparison import Check, Comparison, Line, Quantity
from nas.report.papers.facts import Fact, facts, number
from nas.report.papers.figure import Axis, Figure, Series
from nas.report.papers.networks import accuracy_columns, closed, closed_cost, own_accuracies, published
from nas.report.papers.paper import Inputs, Section
from nas.report.papers.verdict import Verdict, judge
from nas.report.papers.zoo import Zoo
from nas.report.table import Column, text
from nas.scaling import Multiplier, multipliers

QUANTITIES = (Quantity("mult_adds_m", "mult-adds (M)"), Quantity("params_m", "params (M)"))


def multiplied(rounding: Multiplier, width: float, px: int) -> Architecture:
    """The MobileNet of that generation with both multipliers."""
    return multipliers(closed(rounding), width=width, resolution=px, rounding=rounding)


def first(inputs: Inputs) -> Section:
    """MobileNet: Tables 6 and 7, and the grid of the official checkpoints."""
    tables = [
        _listed(
            f"mobilenet/table{place}",
            f"mobilenet-table{place}",
            f"MobileNetV1, Table {place}: {title}",
            "mobilenetv1",
            inputs.records,
        )
        for place, title in ((6, "width multiplier"), (7, "resolution multiplier"))
    ]
    grid = _grid(
        "mobilenet/checkpoints",
        "mobilenet-grid",
        "MobileNetV1, checkpoints: the official grid",
        "mobilenetv1",
        inputs.records,
    )
    said = "Channels × width are cut to whole numbers, at least 8; the image is as large as is said (§3.3, §3.4)."
    return Section("multipliers", "MobileNet: width × resolution", (said,), comparisons=(*tables, grid))


def second(inputs: Inputs) -> Section:
    """MobileNetV2: the grid of the official checkpoints."""
    title = "MobileNetV2, checkpoints: the official grid"
    grid = _grid("mobilenetv2/checkpoints", "mobilenetv2-grid", title, "mobilenetv2", inputs.records)
    said = (
        "Channels × width go to multiples of 8 by the 90 % rule; the last convolution is never narrowed (§6.1). Rows "
        "without a published number complete the grid."
    )
    return Section("multipliers-v2", "MobileNetV2: width × resolution", (said,), comparisons=(grid,))


def accuracy() -> Section:
    """Published accuracies over published and computed mult-adds of both grids."""
    figures = []
    for name, rounding, title in (
        ("mobilenet", "mobilenetv1", "MobileNet"),
        ("mobilenetv2", "mobilenetv2", "MobileNetV2"),
    ):
        rows = facts(f"{name}/checkpoints")
        kind: Multiplier = "mobilenetv1" if rounding == "mobilenetv1" else "mobilenetv2"
        series = []
        for place, width in enumerate(
            dict.fromkeys(row["width"] for row in rows if row["width"] not in ("1.4", "1.3"))
        ):
            group = [row for row in rows if row["width"] == width]
            top1 = tuple(number(row["top1_pct"]) for row in group)
            labels = tuple(f"{width} at {row['px']} px" for row in group)
            printed = tuple(number(row["mult_adds_m"]) for row in group)
            ours = tuple(_flops(multiplied(kind, number(width), int(row["px"]))) for row in group)
            said = tuple(row["source"] for row in group)
            series += [
                Series(f"width {width}, published", "published", printed, top1, labels, False, place, sources=said),
                Series(f"width {width}, computed", "computed", ours, top1, labels, True, place, sources=said),
            ]
        x, y = Axis("mult-adds (M)", log=True), Axis("ImageNet top-1 (%), published")
        caption = "Accuracies are those of the official checkpoints in both series; only the costs are computed."
        figures.append(Figure(f"{name}-grid", f"{title}: both multipliers", caption, x, y, tuple(series)))
    return Section("accuracy", "Accuracy over cost", figures=tuple(figures))


def _listed(source: str, name: str, title: str, rounding: Multiplier, records: Zoo) -> Comparison:
    lines = [_line(row, rounding, records) for row in facts(source)]
    return Comparison(name, title, _columns(records), QUANTITIES, tuple(lines))


def _grid(source: str, name: str, title: str, rounding: Multiplier, records: Zoo) -> Comparison:
    """Every published width at every published resolution, the printed rows filled in."""
    rows = facts(source)
    known = {(row["width"], row["px"]): row for row in rows}
    widths, sides = (sorted({row[key] for row in rows}, key=float, reverse=True) for key in ("width", "px"))
    origin = rows[0]["source"]
    lines = [
        _line(known.get((width, px), {"width": width, "px": px, "source": origin}), rounding, records)
        for width in widths
        for px in sides
    ]
    return Comparison(name, title, _columns(records), QUANTITIES, tuple(lines))


def _columns(records: Zoo) -> tuple[Column, ...]:
    return (
        Column("network", "network"),
        Column("width", "width", "number"),
        Column("px", "px", "number"),
        Column("top1_pct_published", "top-1 %, published", "number"),
        *accuracy_columns(records),
    )


def _line(row: Fact, rounding: Multiplier, records: Zoo) -> Line:
    width, px = number(row["width"]), int(row["px"])
    arch = multiplied(rounding, width, px)
    cells = (
        text(f"{row['width']} at {px} px"),
        text(row["width"]),
        text(px),
        published(row.get("top1_pct", "")),
        *own_accuracies((str(arch),), records),
    )
    flops, params = row.get("mult_adds_m", ""), row.get("params_m", "")
    checks = (
        Check(flops, _flops(arch), _flops_reason(arch, flops, rounding, width)),
        Check(params, closed_cost(arch).params / 1e6, _params_reason(arch, params)),
    )
    return Line(cells, checks, row["source"])


def _flops(arch: Architecture) -> float:
    return closed_cost(arch).flops / 1e6


def _flops_reason(arch: Architecture, printed: str, rounding: Multiplier, width: float) -> str:
    """Without the stem, if that is what was printed; else what the count at 224 px makes of it."""
    bare = (closed_cost(arch).flops - by_stage(arch)[0].cost.flops) / 1e6
    if printed and judge(printed, bare).verdict is Verdict.REPRODUCED:
        return "the printed number leaves out the first convolution; without it the count rounds to the printed digits"
    whole, square = _flops(multiplied(rounding, width, 224)), (arch.resolution / 224) ** 2
    return (
        f"the printed number does not follow: at 224 px the same network costs {whole:.1f}, and "
        f"({arch.resolution}/224)² of it is {whole * square:.1f}"
    )


def _params_reason(arch: Architecture, printed: str) -> str:
    """Without batch norm's scales and offsets, or with its moving statistics, if that is what was printed."""
    bare = (closed_cost(arch).params - 2 * norm_channels(arch)) / 1e6
    wide = (closed_cost(arch).params + 2 * norm_channels(arch)) / 1e6
    if printed and judge(printed, bare).verdict is not Verdict.DIFFERS:
        return f"the printed number leaves out batch norm's scales and offsets: without them {bare:.3f}"
    if printed and judge(printed, wide).verdict is not Verdict.DIFFERS:
        return f"the printed number counts batch norm's moving statistics: with them {wide:.3f}"
    return (
        f"neither without batch norm's scales and offsets ({bare:.3f}) nor with its moving statistics ({wide:.3f}) is "
        "it met"
    )
