"""Params and multiply-adds: Tables 1, 3, 7, 10 and 11 of EfficientNetV2 (arXiv:2104.00298)."""

from __future__ import annotations

from nas.report.papers.audit.wide import norm_channels
from nas.report.papers.comparison import Check, Comparison, Line, Quantity
from nas.report.papers.facts import Fact, facts, number
from nas.report.papers.networks import (
    Network,
    accuracies,
    accuracy_columns,
    billions,
    closed,
    count,
    counted_on,
    fused_b4,
    millions,
    own_accuracies,
    published,
    regenerate,
    unreleased,
)
from nas.report.papers.paper import Inputs
from nas.report.papers.peers import network
from nas.report.papers.verdict import Verdict, judge
from nas.report.table import Column, text

_QUANTITIES = (Quantity("params_m", "params (M)"), Quantity("flops_b", "FLOPs (B)"))
_SMALL = "efficientnetv2-s"
_UNRELEASED = "printed is what V2-B0 × (1.4, 1.8) has at 380 px, and not the released V2-S (the audit shows it)"
_TOP1 = Column("top1_pct_published", "top-1 %, published", "number")


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


def fused(inputs: Inputs) -> Comparison:
    """Table 3: EfficientNet-B4 with Fused-MBConv in more and more stages."""
    pairs = list(zip(facts("efficientnetv2/table3"), (0, 3, 5, 7), strict=True))
    above = [100 * (number(row["flops_b"]) / billions(fused_b4(until, se=False)) - 1) for row, until in pairs]
    reason = f"in every row, fused or not, {min(above):.1f} % to {max(above):.1f} % more is printed than counted"
    lines = []
    for row, until in pairs:
        arch, kept = fused_b4(until, se=False), fused_b4(until)
        why = f"counted without SE in fused blocks; with SE it would be {millions(kept):.3f}" if until else ""
        also = f"; with SE in fused blocks it would be {billions(kept):.3f}" if until else ""
        checks = (
            Check(row["params_m"], millions(arch), why),
            Check(row["flops_b"], billions(arch), reason + also),
        )
        own = own_accuracies((str(arch),), inputs.records)
        lines.append(Line((text(row["variant"]), published(row["top1_pct"]), *own), checks, row["source"]))
    columns = (Column("variant", "EfficientNet-B4"), _TOP1, *accuracy_columns(inputs.records))
    note = (
        "Fused with kernels 3, 5, 5 in stages 3, 5 and 6, the only choice near the printed numbers (the audit compares "
        "16). The numbers cannot tell whether fused blocks kept squeeze-and-excitation; here they have none, as in "
        "EfficientNetV2, and every reason gives the count with it."
    )
    return Comparison("table3", "Table 3: Fused-MBConv by stage", columns, _QUANTITIES, tuple(lines), note)


def same_training(inputs: Inputs) -> tuple[Comparison, Comparison]:
    """Table 10: V1-B7 and V2-M under the same training; sizes, and what the paper says V2-M saves of them."""
    before, after = facts("efficientnetv2/table10")[:2]
    names = {before["model"]: "EfficientNet-B7", after["model"]: "EfficientNetV2-M"}
    columns = (Column("model", "model"), _TOP1, *accuracy_columns(inputs.records))
    lines = tuple(
        Line(
            (
                text(row["model"]),
                published(row["top1_pct"]),
                *accuracies(network(names[row["model"]]), inputs.records),
            ),
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
                f"the paper divides its rounded params, V2-M's those of v1: {after['params_m']} / {before['params_m']}",
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
            (
                text(row["model"]),
                text(row["name_in_v1"]),
                published(row["top1_pct"]),
                published(row["images_per_s"]),
                *accuracies(network(row["model"]), inputs.records),
            ),
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
        *accuracy_columns(inputs.records),
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
    params, flops = row["params_m"], row["flops_b"]
    return (
        regenerate(found, "params", params, 1e6, inputs.zoo, _params_reason(row, found, inputs)) if params else Check(),
        regenerate(found, "flops", flops, 1e9, inputs.zoo, _flops_reason(row, found, inputs)) if flops else Check(),
    )


def _params_reason(row: Fact, found: Network, inputs: Inputs) -> str:
    """What else is counted or printed for the same network."""
    if not found.shipped:
        return counted_on(found, inputs.zoo)
    arch = closed(found.shipped)
    if judge(row["params_m"], millions(unreleased())).verdict is Verdict.REPRODUCED and arch == closed(_SMALL):
        return _UNRELEASED
    wide = millions(arch) + 2e-6 * norm_channels(arch)
    said = f"with batch norm's moving statistics, which are not learnable, it would be {wide:.3f}"
    return said + _repository(found, "params_m", "M")


def _flops_reason(row: Fact, found: Network, inputs: Inputs) -> str:
    if not found.shipped:
        return _foreign_flops_reason(row, found, inputs)
    arch = closed(found.shipped)
    if found.shipped == _SMALL and judge(row["flops_b"], billions(unreleased())).verdict is Verdict.REPRODUCED:
        return _UNRELEASED
    costs = f"the released network costs {billions(arch):.3f} at {arch.resolution} px"
    if found.shipped.startswith("efficientnetv2"):
        return costs + _repository(found, "flops_b", "B")
    first = [one for one in facts("efficientnet/table2") if one["version"] == "v5" and network(one["model"]) == found]
    same = f"; the first paper prints {first[0]['flops_b']} (its audit lists all counts)" if first else ""
    return costs + same


def _foreign_flops_reason(row: Fact, found: Network, inputs: Inputs) -> str:
    """Beside what was counted: what operations or the size of fine-tuning would give, where that meets the number."""
    counted = (inputs.zoo.count(found.foreign, "flops") or 0.0) / 1e9
    said = counted_on(found, inputs.zoo)
    if judge(row["flops_b"], 2 * counted).verdict is not Verdict.DIFFERS:
        return f"{said}; two operations for each multiply-add are {2 * counted:.1f}"
    if found.foreign == "timm:resnetv2_152x2_bit":  # counted at 480 px; ViT and DeiT are printed at 384 px
        return f"{said}; at 384 px it would be {counted * (384 / 480) ** 2:.1f}"
    return said


def _repository(found: Network, column: str, unit: str) -> str:
    """What the official repository prints for a released V2; empty for others."""
    name = found.shipped.replace("efficientnetv2-", "EffNetV2-").upper().replace("EFFNET", "EffNet")
    rows = [row for row in facts("efficientnetv2/readme") if row["model"] == name and row["flops_b"]]
    return f"; the repository prints {rows[0][column]} {unit}" if rows else ""
