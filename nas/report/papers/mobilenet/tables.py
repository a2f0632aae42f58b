"""The other tables of both MobileNet papers: architectures, layer types, and the networks beside them."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter

from nas.arch import Architecture, Op
from nas.block import Conv
from nas.cost import by_stage
from nas.report.papers.audit.wide import norm_channels
from nas.report.papers.comparison import Check, Comparison, Line, Quantity
from nas.report.papers.facts import Fact, facts, number
from nas.report.papers.mobilenet.multipliers import QUANTITIES, multiplied
from nas.report.papers.networks import (
    Network,
    accuracies,
    accuracy_columns,
    closed,
    closed_cost,
    counted,
    counted_on,
    own_accuracies,
    published,
    regenerate,
)
from nas.report.papers.paper import Inputs, Section
from nas.report.papers.peers import network
from nas.report.papers.verdict import Verdict, judge
from nas.report.table import Column, text

_MODEL = (Column("model", "model"), Column("top1_pct_published", "top-1 %, published", "number"))


def full_convolutions(arch: Architecture) -> Architecture:
    """`arch` with every depthwise-separable block one full k×k convolution: Table 4's Conv MobileNet. A fused block
    that does not expand is that convolution."""
    stages = (dataclasses.replace(stage, op=Op.FUSED_MBCONV, expand=1) for stage in arch.stages)
    return dataclasses.replace(arch, stages=tuple(stages))


def shallow(arch: Architecture) -> Architecture:
    """`arch` without the five layers of 14 × 14 × 512 that repeat: Table 5's Shallow MobileNet (§4.1)."""
    stages = (dataclasses.replace(s, layers=s.layers - 5) if s.layers == 6 else s for s in arch.stages)
    return dataclasses.replace(arch, stages=tuple(stages))


def first_tables(inputs: Inputs) -> Section:
    """MobileNet: Tables 4, 5, 8 and 9."""
    base = closed("mobilenetv1")
    ours = {
        "Conv MobileNet": full_convolutions(base),
        "MobileNet": base,
        "Shallow MobileNet": shallow(base),
        "0.75 MobileNet": multiplied("mobilenetv1", 0.75, 224),
        "1.0 MobileNet-224": base,
        "0.50 MobileNet-160": multiplied("mobilenetv1", 0.5, 160),
    }
    titles = {
        4: "depthwise separable against full convolutions",
        5: "narrow against shallow",
        8: "MobileNet beside popular networks",
        9: "a small MobileNet beside popular networks",
    }
    comparisons = tuple(
        _models(
            f"mobilenet/table{place}", f"mobilenet-table{place}", f"MobileNetV1, Table {place}: {title}", ours, inputs
        )
        for place, title in titles.items()
    )
    return Section("models", "MobileNet: Tables 4, 5, 8 and 9", comparisons=comparisons)


def second_table(inputs: Inputs) -> Section:
    """MobileNetV2: Table 4."""
    ours = {
        "MobileNetV1": closed("mobilenetv1"),
        "MobileNetV2": closed("mobilenetv2"),
        "MobileNetV2 (1.4)": multiplied("mobilenetv2", 1.4, 224),
    }
    comparison = _models(
        "mobilenetv2/table4", "mobilenetv2-table4", "MobileNetV2, Table 4: performance on ImageNet", ours, inputs
    )
    return Section("models-v2", "MobileNetV2: Table 4", comparisons=(comparison,))


def _models(source: str, name: str, title: str, ours: dict[str, Architecture], inputs: Inputs) -> Comparison:
    lines = []
    for row in facts(source):
        arch, asked = ours.get(row["model"]), network(row["model"])
        if arch is None:
            checks = tuple(
                regenerate(asked, key, row[column], 1e6, inputs.zoo, _foreign_reason(asked, key, row[column], inputs))
                for key, column in (("flops", "mult_adds_m"), ("params", "params_m"))
            )
        else:
            cost = closed_cost(arch)
            checks = (
                Check(row["mult_adds_m"], cost.flops / 1e6, _flops_reason(row, arch)),
                Check(row["params_m"], cost.params / 1e6, _params_reason(row, arch)),
            )
        own = accuracies(asked, inputs.records) if arch is None else own_accuracies((str(arch),), inputs.records)
        lines.append(Line((text(row["model"]), published(row["top1_pct"]), *own), checks, row["source"]))
    return Comparison(name, title, (*_MODEL, *accuracy_columns(inputs.records)), QUANTITIES, tuple(lines))


def _foreign_reason(asked: Network, key: str, printed: str, inputs: Inputs) -> str:
    """What it was counted on; and where the printed number is nearer to operations, two for each multiply-add, that."""
    said, mult_adds = counted_on(asked, inputs.zoo), inputs.zoo.count(asked.foreign, "flops") or 0.0
    if key == "flops" and said and abs(number(printed) - 2e-6 * mult_adds) < abs(number(printed) - 1e-6 * mult_adds):
        said += f"; two operations for each multiply-add would be {2e-6 * mult_adds:.0f}"
    return said


def _flops_reason(row: Fact, arch: Architecture) -> str:
    bare = (closed_cost(arch).flops - arch.features * arch.classes) / 1e6
    if judge(row["mult_adds_m"], bare).verdict is Verdict.REPRODUCED:
        return f"without the classifier it is {bare:.2f}"
    if row["model"] == "MobileNetV1":
        paper = facts("mobilenet/table6")[0]["mult_adds_m"]
        return f"the MobileNet paper prints {paper} for the same network"
    checkpoint = _checkpoint(row)
    return f"the official checkpoint's table prints {checkpoint['mult_adds_m']}" if checkpoint else "no count gives it"


def _params_reason(row: Fact, arch: Architecture) -> str:
    bare = (closed_cost(arch).params - 2 * norm_channels(arch)) / 1e6
    checkpoint = _checkpoint(row)
    said = f"; the official checkpoint's table prints {checkpoint['params_m']}" if checkpoint else ""
    if judge(row["params_m"], bare).verdict is not Verdict.DIFFERS:
        cut = "" if judge(row["params_m"], bare).verdict is Verdict.REPRODUCED else ", which the paper cut off"
        return f"without batch norm's scales and offsets it is {bare:.3f}{cut}{said}"
    return f"neither with nor without batch norm's scales and offsets ({bare:.3f}) is this the network's{said}"


def _checkpoint(row: Fact) -> Fact | None:
    width = {"MobileNetV2": "1.0", "MobileNetV2 (1.4)": "1.4"}.get(row["model"])
    rows = facts("mobilenetv2/checkpoints")
    return next((one for one in rows if one["width"] == width and one["px"] == "224"), None)


def layer_types() -> Section:
    """MobileNet, Table 2: the share of mult-adds and params by type of layer."""
    arch = closed("mobilenetv1")
    spent = _by_type(arch)
    totals = {key: sum(one[key] for one in spent.values()) for key in ("flops", "params")}
    quantities = (Quantity("mult_adds_pct", "mult-adds (%)"), Quantity("params_pct", "params (%)"))
    rows = [(row, *re.findall(r"[\d.]+%", row["filter"])) for row in facts("mobilenet/table2")]
    printed = sum(number(flops) for _, flops, _ in rows)
    lines = []
    for row, flops, params in rows:
        found = spent[row["type"]]
        shares = {key: 100 * found[key] / totals[key] for key in totals}
        bare = 100 * found["weights"] / sum(one["weights"] for one in spent.values())
        reason = f"of the weights alone, without batch norm and biases, the share is {bare:.2f} %"
        rest = (
            f"the printed shares sum to {printed:.2f} %; with the regenerated one in its place, to "
            f"{printed + shares['flops'] - number(flops):.2f} %"
        )
        checks = (
            Check(flops, shares["flops"], rest),
            Check(params, shares["params"], reason),
        )
        lines.append(
            Line((text(row["type"]), counted(found["flops"]), counted(found["params"])), checks, row["source"])
        )
    columns = (
        Column("type", "type"),
        Column("mult_adds", "mult-adds, computed", "number"),
        Column("params", "params, computed", "number"),
    )
    comparison = Comparison(
        "mobilenet-table2", "MobileNetV1, Table 2: resource per layer type", columns, quantities, tuple(lines)
    )
    return Section("layer-types", "MobileNet: Table 2", comparisons=(comparison,))


def _by_type(arch: Architecture) -> dict[str, Counter[str]]:
    """Mult-adds, params and weights by the type of layer as Table 2 calls it, summed over every convolution."""
    spent: dict[str, Counter[str]] = {}
    size = arch.resolution
    convs = [arch.stem_conv]
    convs += [part for _, block in arch.blocks() for part in block.convs() if isinstance(part, Conv)]
    for conv in convs:
        kind = "Conv DW 3x3" if conv.groups > 1 else f"Conv {conv.kernel}x{conv.kernel}"
        size = conv.out_size(size)
        found = spent.setdefault(kind, Counter())
        found.update({"flops": conv.weights * size * size, "params": conv.params, "weights": conv.weights})
    linear = arch.features * arch.classes
    spent["Fully Connected"] = Counter({"flops": linear, "params": linear + arch.classes, "weights": linear})
    return spent


def first_architecture() -> Section:
    """MobileNet, Table 1: the size and the width that enter every row."""
    arch = closed("mobilenetv1")
    convs = [arch.stem_conv]
    convs += [part for _, block in arch.blocks() for part in block.convs() if isinstance(part, Conv)]
    rows = facts("mobilenet/table1")
    repeated = [row for row in rows if row["layers"] != "1"]
    printed = [
        one
        for row in rows
        for one in (
            repeated * int(row["layers"]) if row is (repeated or rows)[0] else () if row in repeated else (row,)
        )
    ]
    quantities = (Quantity("px", "input px"), Quantity("channels", "input channels"), Quantity("stride", "stride"))
    lines, size = [], arch.resolution
    for row, conv in zip(printed, convs, strict=False):
        side, _, channels = row["input"].split("x")
        stride = row["type"].rsplit("s", 1)[1]
        reason = f"the next row is entered at {conv.out_size(size)} px, so this layer has stride {conv.stride}"
        checks = (Check(side, size), Check(channels, conv.in_channels), Check(stride, conv.stride, reason))
        lines.append(Line((text(row["type"]), text(row["filter"])), checks, row["source"]))
        size = conv.out_size(size)
    columns = (Column("type", "type, published"), Column("filter", "filter, published"))
    comparison = Comparison(
        "mobilenet-table1", "MobileNetV1, Table 1: MobileNet body", columns, quantities, tuple(lines)
    )
    return Section("architecture", "MobileNet: Table 1", comparisons=(comparison,))


def second_architecture() -> Section:
    """MobileNetV2, Table 2: the size and the width that enter every row, and its layers."""
    arch = closed("mobilenetv2")
    sizes = [row.size for row in by_stage(arch)]
    widths = [3, arch.stem, *(stage.channels for stage in arch.stages)]
    layers = [1, *(stage.layers for stage in arch.stages), 1]
    quantities = (Quantity("px", "input px"), Quantity("channels", "input channels"), Quantity("layers", "layers"))
    lines = []
    for row, size, width, count in zip(facts("mobilenetv2/table2"), sizes, widths, layers, strict=False):
        side, channels = re.fullmatch(r"(\d+)\^2x(\d+)", row["input"]).groups()  # type: ignore[union-attr]
        reason = f"the rows above leave {size} px"
        checks = (Check(side, size, reason), Check(channels, width), Check(row["layers"], count))
        lines.append(Line((text(f"{row['row']}: {row['type']}"),), checks, row["source"]))
    columns = (Column("operator", "row, published"),)
    comparison = Comparison(
        "mobilenetv2-table2", "MobileNetV2, Table 2: the network", columns, quantities, tuple(lines)
    )
    return Section("architecture-v2", "MobileNetV2: Table 2", comparisons=(comparison,))
