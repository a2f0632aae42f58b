"""EfficientNet's tables of scaled networks: Table 3 (MobileNets and ResNet-50) and Table 7 (B0)."""

from __future__ import annotations

from nas.arch import Architecture
from nas.report.papers.comparison import Check, Comparison, Line, Quantity
from nas.report.papers.facts import Fact, facts, number
from nas.report.papers.networks import accuracy_columns, billions, closed, millions, own_accuracies, published
from nas.report.papers.paper import Inputs, Section
from nas.report.papers.verdict import Verdict, judge
from nas.report.papers.zoo import Zoo
from nas.report.table import Column, text
from nas.scaling import scale

COMPOUND = (1.4, 1.2, 1.3)  # depth, width, resolution: what Table 3 prints for MobileNetV1 and Table 7 for B0
_FLOPS = Quantity("flops_b", "FLOPs (B)")
_COLUMNS = (
    Column("row", "row"),
    Column("depth", "d", "number"),
    Column("width", "w", "number"),
    Column("resolution", "r", "number"),
    Column("top1_pct_published", "top-1 %, published", "number"),
    Column("px", "px", "number"),
    Column("params_m", "params (M), computed", "number"),
)


def factors(row: Fact) -> tuple[float, float, float]:
    """(depth, width, resolution) as a row prints them."""
    depth, width, resolution = (number(row[key]) for key in ("depth", "width", "resolution"))
    return depth, width, resolution


def scaled(base: Architecture, by: tuple[float, float, float]) -> Architecture:
    """`base` scaled by (depth, width, resolution), with V1's rounding and whole pixels."""
    return scale(base, depth=by[0], width=by[1], resolution=by[2])


def baselines(inputs: Inputs) -> Section:
    """Table 3: MobileNetV1, MobileNetV2 and ResNet-50, scaled by one dimension and by all three."""
    rows = facts("efficientnet/table3")
    lines = [
        _line(
            row,
            closed(row["model"].lower()),
            row["printed"],
            _table3_reason(row, rows) if row["depth"] else "",
            inputs.records,
        )
        for row in rows
    ]
    note = "Layers round up, channels to multiples of 8 by the 90 % rule, pixels to the nearest whole number."
    title = "Table 3: scaling MobileNets and ResNet-50"
    comparison = Comparison(
        "table3", title, (*_COLUMNS, *accuracy_columns(inputs.records)), (_FLOPS,), tuple(lines), note
    )
    return Section("baselines", "Table 3: scaling up MobileNets and ResNet", comparisons=(comparison,))


def single(inputs: Inputs) -> Section:
    """Table 7: B0 scaled by one dimension and by all three."""
    rows = [row for row in facts("efficientnet/table7") if row["version"] == "v5"]
    base = closed("efficientnet-b0")
    lines = [_line(row, base, row["series"], _table7_reason(row, base), inputs.records) for row in rows]
    comparison = Comparison(
        "table7",
        "Table 7: B0 scaled by each method",
        (*_COLUMNS, *accuracy_columns(inputs.records)),
        (_FLOPS,),
        tuple(lines),
    )
    return Section("single", "Table 7: scaled models of Figure 8", comparisons=(comparison,))


def _line(row: Fact, base: Architecture, name: str, reason: str, records: Zoo) -> Line:
    if not row["depth"]:
        return _unknown(row, base, name, records)
    by = factors(row)
    arch = scaled(base, by)
    size = text(arch.resolution), text(round(millions(arch), 3))
    own = own_accuracies((str(arch),), records)
    cells = (text(name), *(text(f"{factor:g}") for factor in by), published(row["top1_pct"]), *size, *own)
    return Line(cells, (Check(row["flops_b"], billions(arch), reason),), row["source"])


def _unknown(row: Fact, base: Architecture, name: str, records: Zoo) -> Line:
    """A compound row without coefficients: those of MobileNetV1 are tried, and nothing is judged by them."""
    tried = scaled(base, COMPOUND)
    even = scaled(base, (*COMPOUND[:2], 288 / base.resolution))
    reason = (
        "the paper prints no coefficients for this row; MobileNetV1's (1.4, 1.2, 1.3) would cost "
        f"{billions(tried):.2f} at {tried.resolution} px and {billions(even):.2f} at {even.resolution} px"
    )
    nothing, own = (text(None),) * 3, own_accuracies((), records)
    cells = (text(name), *nothing, published(row["top1_pct"]), text(None), text(None), *own)
    return Line(cells, (Check(row["flops_b"], None, reason),), row["source"])


def _table3_reason(row: Fact, rows: tuple[Fact, ...]) -> str:
    if not row["depth"]:
        return ""  # no coefficients, nothing to judge
    base = closed(row["model"].lower())
    if row["scaling"] == "compound":
        even = billions(scaled(base, (*COMPOUND[:2], 288 / base.resolution)))
        return (
            "an odd side rounds up at every stride, so 291 px (1.3 × 224) cost more than their nominal share; at "
            f"288 px, a multiple of 32, it would be {even:.2f}"
        )
    exchanged = {"depth": "width", "width": "depth"}.get(row["scaling"])
    for other in rows:
        if other["model"] == row["model"] and other["scaling"] == exchanged and other["depth"]:
            ours, theirs = billions(scaled(base, factors(row))), billions(scaled(base, factors(other)))
            straight = abs(ours - number(row["flops_b"])) + abs(theirs - number(other["flops_b"]))
            crossed = abs(ours - number(other["flops_b"])) + abs(theirs - number(row["flops_b"]))
            if crossed < straight:
                apart = max(abs(ours / number(other["flops_b"]) - 1), abs(theirs / number(row["flops_b"]) - 1))
                return (
                    f"the depth and width rows look exchanged: this row computes to {ours:.2f}, the {exchanged} row, "
                    f"which prints {other['flops_b']}, to {theirs:.2f}; exchanged, both are met within "
                    f"{100 * apart:.1f} %"
                )
    return "the printed number does not follow from the printed coefficients"


def _table7_reason(row: Fact, base: Architecture) -> str:
    """The point of Figure 3 that prints as this row does, and where its curve starts."""
    curve = [fact for fact in facts("efficientnet/figure3") if fact["series"] == row["series"]]
    key = row["series"]
    near = [fact for fact in curve if judge(row["flops_b"], number(fact["flops_b"])).verdict is Verdict.REPRODUCED]
    start = f"the scaled network is not B0: the curve of Figure 3 starts at {curve[0]['flops_b'] if curve else '?'} B"
    if near:
        return f"{start} (B0: {billions(base):.3f}), and its point {key} = {near[0][key]} is {near[0]['flops_b']} B"
    return (
        f"{start} (B0: {billions(base):.3f}); no point of the curve prints as this row, its width factor is not known"
    )
