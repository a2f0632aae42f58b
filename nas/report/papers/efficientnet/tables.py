"""Tables of EfficientNet (arXiv:1905.11946v5) beside what the networks cost."""

from __future__ import annotations

from nas.report.papers.audit.wide import norm_channels
from nas.report.papers.comparison import Check, Comparison, Line, Quantity
from nas.report.papers.facts import Fact, facts, number
from nas.report.papers.networks import (
    accuracies,
    accuracy_columns,
    closed,
    closed_cost,
    counted_on,
    published,
    regenerate,
)
from nas.report.papers.paper import Inputs, Section
from nas.report.papers.peers import network
from nas.report.papers.verdict import Verdict, judge
from nas.report.papers.zoo import Zoo
from nas.report.table import Column, text


def models(inputs: Inputs) -> Section:
    """Table 2: B0 to B7 and the ConvNets beside them."""
    rows = [row for row in facts("efficientnet/table2") if row["version"] == "v5"]
    quantities = (
        Quantity("params_m", "params (M)"),
        Quantity("params_ratio", "params ÷ EfficientNet's"),
        Quantity("flops_b", "FLOPs (B)"),
        Quantity("flops_ratio", "FLOPs ÷ EfficientNet's"),
    )
    firsts = {row["group"]: row for row in rows if row["model"] == row["group"]}
    lines = []
    for row in rows:
        counted = {
            key: regenerate(network(row["model"]), key, row[column], unit, inputs.zoo, _reason(row, key, inputs.zoo))
            for key, column, unit in (("params", "params_m", 1e6), ("flops", "flops_b", 1e9))
        }
        ratios = [_ratio(row, firsts[row["group"]], key, counted[key], inputs.zoo) for key in ("params", "flops")]
        checks = (counted["params"], ratios[0], counted["flops"], ratios[1])
        own = accuracies(network(row["model"]), inputs.records)
        cells = (text(row["model"]), published(row["top1_pct"]), published(row["top5_pct"]), *own)
        lines.append(Line(cells, checks, row["source"]))
    columns = (
        Column("model", "model"),
        Column("top1_pct_published", "top-1 %, published", "number"),
        Column("top5_pct_published", "top-5 %, published", "number"),
        *accuracy_columns(inputs.records),
    )
    comparison = Comparison(
        "table2", "Table 2: B0 to B7 and the ConvNets beside them", columns, quantities, tuple(lines)
    )
    return Section("models", "Table 2: performance and size", comparisons=(comparison,))


def _reason(row: Fact, key: str, zoo: Zoo) -> str:
    """Why a printed count may differ from ours."""
    asked = network(row["model"])
    if asked.shipped:
        return _flops_reason(row["model"]) if key == "flops" else _params_reason(row["model"])
    record = zoo.counts.find(asked.foreign, key) if asked.foreign else None
    if record is None:
        return asked.why
    said = counted_on(asked, zoo)
    params, flops = (record.value(one) for one in ("params", "flops"))
    if key == "params" and params and flops and judge(row["flops_b"], flops / 1e9).verdict is Verdict.REPRODUCED:
        said += (
            f"; its FLOPs are reproduced, so the {abs(number(row['params_m']) - params / 1e6):.0f} M weights between "
            "the two are used about once an image (classifiers, squeeze-and-excitation)"
        )
    return said


def _flops_reason(model: str) -> str:
    """What else is printed for the same network: Figure 5, and the second paper."""
    arch = closed(network(model).shipped)
    printed = {
        "Figure 5 plots": [row for row in facts("efficientnet/figure5") if row["version"] in ("v5", "both")],
        "the EfficientNetV2 paper's Table 7 prints": facts("efficientnetv2/table7"),
    }
    said = [
        f"{where} {row['flops_b']}"
        for where, rows in printed.items()
        for row in [one for one in rows if one["model"] == model][:1]
    ]
    return "; ".join([f"the released network costs {closed_cost(arch).flops / 1e9:.3f} at {arch.resolution} px", *said])


def _params_reason(model: str) -> str:
    """The count with batch norm's moving statistics, and what the second paper prints."""
    arch = closed(network(model).shipped)
    wide = (closed_cost(arch).params + 2 * norm_channels(arch)) / 1e6
    said = f"with batch norm's moving statistics, which are not learnable, it would be {wide:.3f}"
    later = [row for row in facts("efficientnetv2/table11") if network(row["model"]) == network(model)]
    return said + (f"; the EfficientNetV2 paper's Table 11 prints {later[0]['params_m']}" if later else "")


def _ratio(row: Fact, first: Fact, key: str, ours: Check, zoo: Zoo) -> Check:
    """The printed ratio to the EfficientNet of the group, beside the ratio of the exact counts."""
    column = {"params": "params_m", "flops": "flops_b"}[key]
    printed = row[f"{key}_ratio"]
    if not printed or row is first:
        return Check()
    if ours.regenerated is None:
        return Check(printed, None, ours.reason)
    unit = {"params": 1e6, "flops": 1e9}[key]
    base = regenerate(network(first["model"]), key, first[column], unit, zoo)
    assert base.regenerated is not None, "nas ships every EfficientNet"
    rounded = number(row[column]) / number(first[column])
    division = f"{row[column]} / {first[column]} = {rounded:.2f}"
    if judge(printed, rounded).verdict is Verdict.REPRODUCED:
        reason = f"the paper's rounded numbers give it: {division}"
    else:
        reason = f"the printed, rounded numbers do not give it either: {division}"
    if (found := ours.judgement) is not None and found.verdict is Verdict.DIFFERS:
        reason += f"; the {'params' if key == 'params' else 'FLOPs'} in this row differ"
    return Check(printed, ours.regenerated / base.regenerated, reason)
