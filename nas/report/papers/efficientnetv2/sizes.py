"""Params and multiply-adds: Tables 1, 3, 7, 10 and 11 of EfficientNetV2 (arXiv:2104.00298)."""

from __future__ import annotations

from nas.report.papers.audit.efficientnetv2 import fused_b4
from nas.report.papers.comparison import Check, Comparison, Line, Quantity
from nas.report.papers.efficientnetv2.names import network
from nas.report.papers.facts import Fact, facts
from nas.report.papers.networks import accuracies, accuracy_columns, closed_cost, count, published, regenerate
from nas.report.papers.paper import Inputs
from nas.report.table import Column, text

_QUANTITIES = (Quantity("params_m", "params (M)"), Quantity("flops_b", "FLOPs (B)"))
_TOP1 = Column("top1_pct_published", "top-1 %, published", "number")
_RULE = "printed is what V2-B0 × (1.4, 1.8) has at 380 px, and not the released V2-S (the audit shows it)"
_PARAMS = {  # printed, and not what the released network has
    "S": _RULE,
    "M": "v1's number, which v3 corrects in Table 7 only",
    "L": "no count of the released V2-L gives it: 119.0 with moving statistics; the repository prints 119.5",
    "B0": "the repository prints 7.1 for the released V2-B0",
}
_FLOPS = {
    "S": _RULE,
    "M": "the repository prints 24.7 for the released V2-M at 480 px",
    "L": "the repository prints 56.3 for the released V2-L at 480 px; 53 would be at 453 to 460 px (the audit)",
    "XL": "the released V2-XL at 512 px",
}
_OLD = "the first paper's multiply-adds, which lie below the count from B3 on (its audit lists them)"


def efficiency(inputs: Inputs) -> Comparison:
    """Table 1: parameter efficiency, in both versions of the paper."""
    lines = [_line(row, inputs, (row["version"],)) for row in facts("efficientnetv2/table1")]
    columns = (Column("model", "model"), Column("version", "version"), _TOP1, *accuracy_columns(inputs.records))
    return Comparison("table1", "Table 1: parameter efficiency", columns, _QUANTITIES, tuple(lines))


def main(inputs: Inputs) -> Comparison:
    """Table 7 of v3, then the rows of v1 whose params differ or that v3 dropped."""
    rows = facts("efficientnetv2/table7")
    new = {row["model"]: row for row in rows if row["version"] == "v3"}
    changed = [
        row
        for row in rows
        if row["version"] == "v1"
        and (row["model"] not in new or new[row["model"]]["params_m"] != row["params_m"])
        and "(21k)" not in row["model"]
    ]
    lines = [
        _line(row, inputs, (row["version"],), (row["infer_ms"], row["train_hours"]))
        for row in (*new.values(), *changed)
    ]
    columns = (
        Column("model", "model"),
        Column("version", "version"),
        _TOP1,
        Column("infer_ms_published", "infer (ms), published", "number"),
        Column("train_hours_published", "train (h), published", "number"),
        *accuracy_columns(inputs.records),
    )
    note = (
        "Published times: inference on a V100, fp16, batch 16; training on 32 TPUv3 cores. A foreign network is "
        "counted on torchvision's or timm's implementation at the size of its paper."
    )
    return Comparison("table7", "Table 7: performance and size", columns, _QUANTITIES, tuple(lines), note)


def fused() -> Comparison:
    """Table 3: EfficientNet-B4 with Fused-MBConv in more and more stages."""
    reason = (
        "the printed multiply-adds are 2 % to 3 % above the count in every row, fused or not; kernels 3, 5, 5 and no "
        "SE in fused blocks (the audit compares 16 alternatives)"
    )
    lines = []
    for row, until in zip(facts("efficientnetv2/table3"), (0, 3, 5, 7), strict=True):
        spent = closed_cost(fused_b4(until, se=False))
        kept = closed_cost(fused_b4(until)).params / 1e6
        why = f"counted without SE in fused blocks, as in EfficientNetV2; with SE it would be {kept:.2f}"
        checks = (
            Check(row["params_m"], spent.params / 1e6, why),
            Check(row["flops_b"], spent.flops / 1e9, reason),
        )
        lines.append(Line((text(row["variant"]), published(row["top1_pct"])), checks, row["source"]))
    columns = (Column("variant", "EfficientNet-B4"), _TOP1)
    return Comparison("table3", "Table 3: Fused-MBConv by stage", columns, _QUANTITIES, tuple(lines))


def same_training(inputs: Inputs) -> tuple[Comparison, Comparison]:
    """Table 10: V1-B7 and V2-M under the same training; sizes, and what the paper says V2-M saves of them."""
    before, after = facts("efficientnetv2/table10")[:2]
    names = {before["model"]: "EfficientNet-B7", after["model"]: "EfficientNetV2-M"}
    columns = (Column("model", "model"), _TOP1)
    lines = tuple(
        Line(
            (text(row["model"]), published(row["top1_pct"])),
            _checks({**row, "model": names[row["model"]]}, inputs),
            row["source"],
        )
        for row in (before, after)
    )
    large, small = (count(name.lower(), "params", inputs.zoo) or 0 for name in names.values())
    dear, cheap = (count(name.lower(), "flops", inputs.zoo) or 0 for name in names.values())
    saved = Line(
        (text("V2-M against B7"),),
        (
            Check(
                after["change_params"],
                100 * (small / large - 1),
                f"the paper divides v1's params: {after['params_m']} / {before['params_m']}",
            ),
            Check(
                after["change_flops"],
                100 * (cheap / dear - 1),
                f"the paper divides its rounded multiply-adds: {after['flops_b']} / {before['flops_b']}",
            ),
        ),
        after["source"],
    )
    change = (Quantity("params_change_pct", "params, change (%)"), Quantity("flops_change_pct", "FLOPs, change (%)"))
    return (
        Comparison("table10", "Table 10: the same training", columns, _QUANTITIES, lines),
        Comparison("table10-saved", "Table 10: what V2-M saves", (Column("pair", "pair"),), change, (saved,)),
    )


def scaled_down(inputs: Inputs) -> Comparison:
    """Table 11: small networks of both families; v3 added the multiply-adds and renamed V2's."""
    lines = [
        Line(
            (text(row["model"]), text(row["name_in_v1"]), published(row["top1_pct"]), published(row["images_per_s"])),
            _checks(row, inputs),
            row["source"],
        )
        for row in facts("efficientnetv2/table11")
    ]
    columns = (
        Column("model", "model"),
        Column("name_in_v1", "name in v1"),
        _TOP1,
        Column("images_per_s_published", "images/s, published", "number"),
    )
    note = "Published throughput: inference on a V100, fp16, batch 128. Multiply-adds are in v3 only."
    return Comparison("table11", "Table 11: scaling down", columns, _QUANTITIES, tuple(lines), note)


def _line(row: Fact, inputs: Inputs, said: tuple[str, ...], times: tuple[str, ...] = ()) -> Line:
    cells = (
        text(f"{row['model']}, v1" if row["version"] == "v1" else row["model"]),
        *map(text, said),
        published(row["top1_pct"]),
        *map(published, times),
        *accuracies(network(row["model"]), inputs.records),
    )
    return Line(cells, _checks(row, inputs), row["source"])


def _checks(row: Fact, inputs: Inputs) -> tuple[Check, Check]:
    found = network(row["model"])
    size = row["model"].replace("(21k)", "").strip().rpartition("-")[2]
    second = found.shipped.startswith("efficientnetv2")
    counted = f"counted on {found.foreign} at its paper's size" if found.foreign else ""
    reasons = (_PARAMS.get(size, "") if second else counted, _FLOPS.get(size, "") if second else counted or _OLD)
    if found.foreign == "timm:resnetv2_152x2_bit" and (at_480 := inputs.zoo.count(found.foreign, "flops")):
        at_384 = at_480 * (384 / 480) ** 2 / 1e9
        reasons = (reasons[0], f"counted at 480 px, the size of its paper; at 384 px it would be {at_384:.1f}")
    if row.get("version") == "v1" and found.foreign == "timm:resnetrs420":
        reasons = (reasons[0], "v1 prints operations; v3 halves the number to multiply-adds")
    params, flops = row["params_m"], row["flops_b"]
    return (
        regenerate(found, "params", params, 1e6, inputs.zoo, reasons[0]) if params else Check(),
        regenerate(found, "flops", flops, 1e9, inputs.zoo, reasons[1]) if flops else Check(),
    )
