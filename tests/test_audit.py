"""Every finding is computed: it holds on the shipped facts, and stops holding when the facts it rests on change."""

from collections.abc import Sequence

import pytest

from nas import load_architecture
from nas.cost import cost
from nas.report.papers import PAPERS, Inputs, audit, make_paper
from nas.report.papers import facts as papers_facts
from nas.report.papers.audit import scaled_figures
from nas.report.papers.audit.finding import Finding, one, rounds_to
from nas.report.papers.audit.wide import norm_channels, norm_elements
from nas.report.papers.facts import Fact, FactError, facts
from nas.report.papers.networks import fused_b4
from nas.report.papers.zoo import Zoo

ALL = [(paper, check) for paper, checks in audit.AUDITS.items() for check in checks]


def changed(name: str, column: str, value: str, **where: str):
    """The shipped facts with `value` in `column` of every row of one file that `where` names."""

    def published(asked: str) -> Sequence[Fact]:
        rows = facts(asked)
        if asked != name:
            return rows
        hit = [all(row[key] == text for key, text in where.items()) for row in rows]
        assert any(hit), f"{name} has no row {where}"
        return tuple({**row, column: value} if found else row for row, found in zip(rows, hit, strict=True))

    return published


@pytest.mark.parametrize(("paper", "check"), ALL, ids=[f"{paper}-{check.__name__}" for paper, check in ALL])
def test_a_finding_holds_on_the_shipped_facts_and_shows_its_arithmetic(paper, check):
    found = check(facts)
    assert isinstance(found, Finding)
    assert found.holds, found.outcome
    assert found.outcome == found.conclusion
    assert found.steps
    assert any(mark.isdigit() for step in found.steps for mark in step)
    assert found.sources
    assert not {name for name in (found.claim, found.conclusion, found.title) if not name}


CHANGES = [
    ("figure-3-baseline", "efficientnet/figure3", "flops_b", "0.3858", {"series": "depth", "depth": "1.0"}),
    ("figure-3-baseline", "efficientnet/figure3", "flops_b", "1.50", {"series": "depth", "depth": "3.0"}),
    ("table-7-rows", "efficientnet/table7", "flops_b", "1.5", {"series": "resolution"}),
    ("table-7-rows", "efficientnet/table7", "flops_b", "2.2", {"series": "compound"}),
    ("figure-8-splice", "efficientnet/figure8", "flops_b", "0.8", {"series": "depth", "depth": "2"}),
    ("figure-8-splice", "efficientnet/figure8", "top1_pct", "79.1", {"series": "compound", "depth": "1.1"}),
    ("constants", "efficientnet/method", "value", "1.2", {"item": "beta (width base)"}),
    ("implied-phi", "efficientnet/coefficients", "depth", "3.6", {"model": "EfficientNet-B7"}),
    ("table-2-ratios", "efficientnet/table2", "params_ratio", "7.7", {"version": "v5", "model": "ResNet-152"}),
    ("table-2-ratios", "efficientnet/table2", "flops_b", "25", {"version": "v5", "model": "PNASNet"}),
    ("table-3-exchanged", "efficientnet/table3", "flops_b", "16.2", {"model": "ResNet-50", "scaling": "width"}),
    ("table-7-baseline", "efficientnet/table2", "top1_pct", "77.3", {"version": "v5", "model": "EfficientNet-B0"}),
    ("table-7-baseline", "efficientnet/table7", "top1_pct", "77.0", {"version": "early"}),
    ("regnet", "regnet/table3", "params_m", "25.6", {"model": "ResNet-50"}),
    ("regnet", "regnet/table4", "top1_err_pct", "21.1", {"model": "EfficientNet-B5"}),
    ("table-4", "efficientnet/table4", "speedup", "6.7", {"model": "EfficientNet-B1"}),
    ("table-4", "efficientnet/table4", "top1_pct", "79.1", {"model": "EfficientNet-B1"}),
    ("table-1-sizes", "efficientnet/table1", "resolution_icml", "14x14", {"stage": "6"}),
    ("dropout", "efficientnet/coefficients", "dropout", "0.2", {"model": "EfficientNet-B2"}),
    ("printed-flops", "efficientnet/table2", "flops_b", "4.4", {"model": "EfficientNet-B4"}),
    ("printed-flops", "efficientnet/table2", "flops_b", "38", {"model": "EfficientNet-B7"}),
    ("printed-flops", "efficientnetv2/figure5b", "flops_b", "1.83", {"series": "EffNet", "model": "B3"}),
    ("timm-gmacs", "timm/benchmark", "gmacs", "1.00", {}),
    ("v2-s", "efficientnetv2/table7", "flops_b", "8.4", {"model": "EfficientNetV2-S"}),
    ("v2-s", "efficientnetv2/table7", "params_m", "21", {"model": "EfficientNetV2-S"}),
    ("v2-l-flops", "efficientnetv2/table7", "flops_b", "56", {"model": "EfficientNetV2-L"}),
    ("v2-l-flops", "efficientnetv2/readme", "flops_b", "56.1", {"model": "EffNetV2-L", "training": "1k"}),
    ("v2-l-flops", "efficientnetv2/table7", "flops_b", "23", {"model": "EfficientNetV2-M", "version": "v3"}),
    ("table-3-kernels", "efficientnetv2/table3", "params_m", "65.5", {"variant": "Fused stage1-7"}),
    ("v2-b3-rounding", "efficientnetv2/configs", "width", "1.4", {"model": "efficientnetv2-b2"}),
    ("moving-statistics", "efficientnetv2/readme", "keras_params", "21612361", {"model": "EffNetV2-S"}),
    ("fused-se", "efficientnetv2/readme", "keras_params", "21658890", {"model": "EffNetV2-S"}),
    ("figure-5c-hours", "efficientnetv2/figure5c", "infer_ms", "60", {"series": "EffNet", "model": "B5"}),
    ("figure-5-points", "efficientnetv2/figure5a", "params_m", "30", {"series": "EffNet", "model": "B5"}),
    ("figure-1a-days", "efficientnetv2/figure1a", "train_days", "7.17", {"model": "ViT-L/16(21k)"}),
    ("figure-1a-days", "efficientnetv2/table10", "train_hours", "56", {"model": "V1-B7 (progressive learning)"}),
    ("table-6-code", "efficientnetv2/table6", "image_min", "64", {"where": "code"}),
    ("carried-over", "efficientnetv2/table10", "params_m", "54", {"model": "V2-M (ours)"}),
    ("carried-over", "efficientnetv2/figure1b", "params_m", "22", {"model": "EfficientNetV2 (ours)"}),
    ("versions", "efficientnetv2/table1", "flops_b", "128", {"model": "ResNet-RS-420"}),
    ("accuracies", "efficientnetv2/table8", "top1_pct", "83.9", {"model": "EfficientNetV2-S"}),
    ("readme-accuracies", "efficientnetv2/readme", "top1_pct", "85.1", {"model": "EffNetV2-M", "training": "1k"}),
    ("changes", "efficientnetv2/table12", "change", "-39%", {"model": "EfficientNet-B5"}),
    ("factors", "efficientnetv2/table11", "speedup", "2.4x", {"model": "V2-B0"}),
    ("factors", "efficientnetv2/table7", "train_hours", "20", {"model": "EfficientNetV2-M", "version": "v3"}),
    ("mobilenet-325-317", "mobilenet/checkpoints", "mult_adds_m", "325", {"model": "MobileNet_v1_0.75_224"}),
    ("mobilenet-last-stride", "mobilenet/table1", "type", "Conv dw / s1", {"row": "18"}),
    ("mobilenet-quoted", "mnasnet/table1", "mult_adds_m", "569", {"model": "MobileNetV1"}),
    ("mnasnet-160", "mnasnet/readme", "top1_pct", "59.3", {"model": "mnasnet-a1 depth_multiplier=0.35 input=160"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "file", "column", "value", "where"), CHANGES)
def test_a_finding_falls_with_the_facts_it_rests_on(name, file, column, value, where):
    check = next(check for _, check in ALL if check(facts).name == name)
    found = check(changed(file, column, value, **where))
    assert not found.holds
    assert found.outcome.startswith("The numbers above do not bear this out")


def test_every_finding_is_tested_to_fall():
    names = [found.name for paper in audit.AUDITS for found in audit.findings(paper)]
    assert len(names) == len(set(names))
    assert {name for name, *_ in CHANGES} | {"figure-1-accuracies"} == set(names)


def test_figure_1_falls_when_it_plots_its_table():
    table = {(row["version"], row["model"]): row["top1_pct"] for row in facts("efficientnet/table2")}

    def published(name: str) -> Sequence[Fact]:
        rows = facts(name)
        if name != "efficientnet/figure1":
            return rows
        return tuple({**row, "top1_pct": table.get((row["version"], row["model"]), row["top1_pct"])} for row in rows)

    assert not scaled_figures.figure_1(published).holds


def test_the_depth_curve_of_figure_3_is_a_line():
    rows = one(facts("efficientnet/figure3"), series="depth"), *facts("efficientnet/figure3")
    points = [(float(row["depth"]), float(row["flops_b"])) for row in rows[1:] if row["series"] == "depth"]
    slope, start, residual = scaled_figures.line(points)
    assert slope == pytest.approx(0.4498, abs=5e-5)
    assert start == pytest.approx(0.0507, abs=5e-5)
    assert residual < 5e-5
    assert scaled_figures.line([(0, 1), (1, 3), (2, 5)]) == (2, 1, 0)


@pytest.mark.parametrize(
    ("until", "se", "params", "flops"),
    [(0, True, 19_341_616, 4_393_771_024), (3, False, 19_944_398, 7_340_923_264),
     (5, True, 43_201_192, 20_688_564_256), (7, False, 131_120_152, 33_737_321_152)],
)  # fmt: skip
def test_fused_b4(until, se, params, flops):
    spent = cost(fused_b4(until, se=se))
    assert (spent.params, spent.flops) == (params, flops)


def test_normalised_channels_and_elements_are_those_of_the_built_network():
    import torch
    from torch import nn

    from nas import build, parse

    arch = parse("r64 s16 f1k3s1c16n1 m4k5s2c24n2se0.25 n0.25k3s2c64n2 h48 y10")
    network = build(arch).eval()
    seen: list[int] = []
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_hook(lambda module, args, output: seen.append(output.numel()))
    with torch.no_grad():
        network(torch.zeros(1, 3, 64, 64))
    channels = sum(module.num_features for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    assert norm_channels(arch) == channels
    assert norm_elements(arch) == sum(seen)


def test_moving_statistics_are_two_per_normalised_channel():
    arch = load_architecture("efficientnetv2-s")
    assert cost(arch).params + 2 * norm_channels(arch) == 21_612_360


def test_rounds_to_the_printed_digits():
    assert rounds_to(0.3858, "0.39")
    assert not rounds_to(0.3858, "0.38")
    assert rounds_to(8.8049, "8.8")


def test_a_row_that_is_not_there_is_named():
    with pytest.raises(FactError, match="no row with"):
        one(facts("efficientnet/table2"), model="EfficientNet-B9")


@pytest.mark.parametrize("name", sorted(PAPERS))
def test_a_report_lists_every_file_of_facts_that_it_reads_and_no_other(name, monkeypatch):
    read: set[str] = set()
    original = papers_facts._text

    def text(asked: str) -> str:
        read.add(asked)
        return original(asked)

    monkeypatch.setattr(papers_facts, "_text", text)
    assert set(make_paper(name, Inputs(Zoo(), Zoo())).facts) == read
