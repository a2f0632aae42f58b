"""Tables of EfficientNet (arXiv:1905.11946v5) beside what the networks cost."""

from __future__ import annotations

from nas.report.papers.comparison import Check, Comparison, Line, Quantity
from nas.report.papers.facts import Fact, facts, number
from nas.report.papers.networks import Network, accuracies, accuracy_columns, published, regenerate
from nas.report.papers.paper import Inputs, Section
from nas.report.papers.verdict import Verdict, judge
from nas.report.papers.zoo import Zoo
from nas.report.table import Column, text

_NOBODY = "neither nas, torchvision nor timm holds this network"
PEERS = {  # as Table 2 calls them
    "ResNet-50": Network("resnet-50"),
    "ResNet-152": Network("resnet-152"),
    "DenseNet-169": Network(foreign="torchvision:densenet169"),
    "DenseNet-264": Network(why=_NOBODY),
    "Inception-v3": Network(foreign="torchvision:inception_v3"),
    "Xception": Network(foreign="timm:legacy_xception"),
    "Inception-v4": Network(foreign="timm:inception_v4"),
    "Inception-resnet-v2": Network(foreign="timm:inception_resnet_v2"),
    "ResNeXt-101": Network(foreign="torchvision:resnext101_64x4d"),
    "PolyNet": Network(why=_NOBODY),
    "SENet": Network(foreign="timm:legacy_senet154"),
    "NASNet-A": Network(foreign="timm:nasnetalarge"),
    "PNASNet": Network(foreign="timm:pnasnet5large"),
    "AmoebaNet-A": Network(why=_NOBODY),
    "AmoebaNet-C": Network(why=_NOBODY),
    "GPipe": Network(why=_NOBODY),
}
_FLOPS = {  # printed in the paper, and not what the released network costs
    "EfficientNet-B4": "the released network (1.4, 1.8, 380 px) costs this; Figure 5 plots 4.16, so the "
    "printed number is no slip of the pen but another count",
    "EfficientNet-B5": "the released network (1.6, 2.2, 456 px) costs this; Figure 5 plots 9.94, so the "
    "printed number is another count; the EfficientNetV2 paper prints 10 for the same network (its Table 7)",
}


def network(model: str) -> Network:
    """The network that Table 2 calls `model`."""
    return PEERS.get(model) or Network(model.lower())


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
    if row["model"] in _FLOPS and key == "flops":
        return _FLOPS[row["model"]]
    foreign = network(row["model"]).foreign
    record = zoo.counts.find(foreign, key) if foreign else None
    if record is None:
        return "the paper does not say how it was counted"
    said = f"counted on {record.arch}; the paper does not say where its number is from"
    params, flops = (record.value(one) for one in ("params", "flops"))
    if key == "params" and params and flops and judge(row["flops_b"], flops / 1e9).verdict is Verdict.REPRODUCED:
        said += (
            f"; its FLOPs are reproduced, so the {abs(number(row['params_m']) - params / 1e6):.0f} M weights between "
        )
        said += "the two are used about once an image (classifiers, squeeze-and-excitation)"
    return said


def _ratio(row: Fact, first: Fact, key: str, ours: Check, zoo: Zoo) -> Check:
    """The printed ratio to the EfficientNet of the group, beside the ratio of the exact counts."""
    column = {"params": "params_m", "flops": "flops_b"}[key]
    printed = row[f"{key}_ratio"]
    if not printed or row is first:
        return Check()
    if ours.regenerated is None:
        return Check(printed, None, ours.reason)
    exact = ours.judgement
    unit = {"params": 1e6, "flops": 1e9}[key]
    base = regenerate(network(first["model"]), key, first[column], unit, zoo)
    assert base.regenerated is not None, "nas ships every EfficientNet"
    rounded = number(row[column]) / number(first[column])
    division = f"{row[column]} / {first[column]} = {rounded:.2f}"
    reason = f"the printed, rounded numbers do not give it either: {division}"
    if judge(printed, rounded).verdict is Verdict.REPRODUCED:
        reason = f"the paper's rounded numbers give it: {division}"
    if exact is not None and exact.verdict is Verdict.DIFFERS:
        reason = f"the {'params' if key == 'params' else 'FLOPs'} in this row differ"
    return Check(printed, ours.regenerated / base.regenerated, reason)
