"""The published EfficientNet and EfficientNetV2 families as the page lays them over a study, as they were printed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from nas.report.drawing import drawing
from nas.report.papers.facts import Fact, facts, number
from nas.space_file import load_architecture

NOTE = (
    "Published networks: params, FLOPs and ImageNet top-1 as printed, after their own long training. A study's "
    "accuracies are of its own data and training, often of a proxy, and do not compare with them."
)


@cache
def published() -> tuple[dict[str, Any], ...]:
    """B0 to B7 of EfficientNet (arXiv:1905.11946v5, Table 2), and V2-B0 to B3, S, M and L trained on ImageNet alone
    (the authors' README); notation and drawing are the shipped baseline's of that name."""
    return tuple(_entry(*one) for one in (*_first(), *_second()))


def _first() -> Iterator[tuple[Fact, str, str]]:
    for fact in facts("efficientnet/table2"):
        if fact["version"] == "v5" and fact["model"] == fact["group"]:
            yield fact, fact["model"], "EfficientNet"


def _second() -> Iterator[tuple[Fact, str, str]]:
    for fact in facts("efficientnetv2/readme"):
        if fact["training"] == "1k":
            yield fact, fact["model"].replace("EffNetV2", "EfficientNetV2"), "EfficientNetV2"


def _entry(fact: Fact, name: str, family: str) -> dict[str, Any]:
    arch = load_architecture(name.lower())
    return {
        "name": name,
        "family": family,
        "resolution": arch.resolution,
        "params": round(number(fact["params_m"]) * 1e6),
        "flops": round(number(fact["flops_b"]) * 1e9),
        "top1_pct": number(fact["top1_pct"]),
        "source": fact["source"].partition(";")[0],
        "notation": str(arch),
        "drawing": drawing(str(arch)),
    }
