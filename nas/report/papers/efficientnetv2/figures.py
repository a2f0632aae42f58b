"""Figures 1, 3 and 5 of EfficientNetV2 (arXiv:2104.00298): published points, and ours in the same plot."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from nas.report.papers.efficientnetv2.names import STAGES, plotted, zoo_name
from nas.report.papers.facts import Fact, facts, number
from nas.report.papers.figure import Axis, Figure, Series
from nas.report.papers.networks import count
from nas.report.papers.paper import Section
from nas.report.papers.timing import time
from nas.report.papers.zoo import Device, Zoo

_TOP1 = Axis("ImageNet top-1 (%), published")
_HOW = "Published points were read from the vectors of the paper's figure. Accuracies are the paper's in every series"


def sizes(zoo: Zoo) -> Section:
    """Figures 5(a) and 5(b): params and multiply-adds, plotted and counted."""
    drawn = (
        ("5a", "params_m", "params", 1e6, "params (M)"),
        ("5b", "flops_b", "flops", 1e9, "FLOPs (B)"),
    )
    figures = []
    for name, column, key, unit, label in drawn:
        rows = facts(f"efficientnetv2/figure{name}")

        def value(row: Fact, key: str = key, unit: float = unit) -> float | None:
            found = count(zoo_name(plotted(row["series"], row["model"])), key, zoo)
            return None if found is None else found / unit

        series = (
            *_published(rows, column),
            *_ours(rows, "counted", "computed", value),
        )
        title = f"Figure 5({name[-1]}): {label.split(' (')[0]} and accuracy"
        caption = f"{_HOW}; counted points differ in {label} alone."
        figures.append(Figure(f"figure{name}", title, caption, Axis(label, log=True), _TOP1, series))
    return Section("figure5", "Figure 5: model size, multiply-adds and latency", figures=(*figures, latency(zoo)))


def latency(zoo: Zoo) -> Figure:
    """Figure 5(c) as plotted, Table 7's milliseconds for the same networks, and every device scaled to V2-S's."""
    rows = facts("efficientnetv2/figure5c")
    table = {row["model"]: row for row in facts("efficientnetv2/table7") if row["version"] == "v3"}

    def printed(row: Fact) -> float | None:
        found = table.get(plotted(row["series"], row["model"]))
        return number(found["infer_ms"]) if found and found["infer_ms"] else None

    own = [row for row in rows if row["series"] in ("EffNetV2", "EffNet")]
    series = [*_published(own, "infer_ms", "plotted")]
    series += [replace(one, line=False) for one in _ours(own, "Table 7", "published", printed)]
    series += [_scaled(own, device, "infer_images_per_s", 24.0, _own) for device in zoo.devices]
    caption = (
        f"{_HOW}. EfficientNet stands at its training hours in the figure; Table 7 has its milliseconds (the audit). A "
        "device's points are its times for one image, scaled so that V2-S stands at its published place."
    )
    x = Axis("inference (ms, V100, batch 16)", log=True)
    return Figure("figure5c", "Figure 5(c): inference time and accuracy", caption, x, _TOP1, _filled(series))


def training(zoo: Zoo) -> Section:
    """Figure 1(a), days of training, Figure 1(b), params, and Figure 3, step time."""
    days = facts("efficientnetv2/figure1a")
    own = [row for row in days if row["series"] in ("EfficientNetV2", "EfficientNet") and "repro" not in row["model"]]
    series = [*_published([row for row in days if row["version"] != "v1"], "train_days")]
    series += [_scaled(own, device, "train_images_per_s", 0.3125, _staged) for device in zoo.devices]
    text = "A device's points are its times for one image, averaged over the sizes of V2's training and"
    caption = f"{_HOW}. {text} scaled so that V2-S stands at its published place. Points of v1 alone are left out."
    first = Figure(
        "figure1a", "Figure 1(a): training time and accuracy", caption, Axis("training (days, 32 TPUv3)", log=True),
        _TOP1, _filled(series),
    )  # fmt: skip
    return Section("figures", "Figures 1 and 3: training", figures=(first, efficiency(zoo), steps(zoo)))


def efficiency(zoo: Zoo) -> Figure:
    """Figure 1(b): parameter efficiency."""
    rows = facts("efficientnetv2/figure1b")
    counted = {"EfficientNet (2019)": "efficientnet-b6", "EfficientNetV2 (ours)": "efficientnetv2-s",
               "DeiT/ViT (2021)": "timm:deit_base_patch16_384"}  # fmt: skip
    found = [(row, count(counted.get(row["model"], ""), "params", zoo)) for row in rows]
    ours = [(row, params / 1e6) for row, params in found if params is not None]
    series = (
        _series("published", "published", [(row, number(row["params_m"])) for row in rows], 0),
        _series("counted", "computed", ours, 1),
    )
    caption = (
        f"{_HOW}. By params and accuracy the points are B6, a ResNet-RS, DeiT-B at 384 px and V2-S; the first, third "
        "and fourth are counted."
    )
    title = "Figure 1(b): params and accuracy"
    return Figure("figure1b", title, caption, Axis("params (M)", log=True), _TOP1, series, named=True)


def steps(zoo: Zoo) -> Figure:
    """Figure 3: time of a training step at the network's own size."""
    rows = [row for row in facts("efficientnetv2/figure3") if row["version"] != "v1"]
    own = [row for row in rows if row["series"] == "EffNetV2"]
    series = [*_published(rows, "step_ms")]
    series += [_scaled(own, device, "train_images_per_s", 73.0, _own) for device in zoo.devices]
    caption = (
        f"{_HOW}. The points of EfficientNet are not labelled in the figure. A device's points are its times for one "
        "image, scaled so that V2-S stands at its published place."
    )
    x = Axis("training step (ms, TPUv3, batch 32 a core)", log=True)
    return Figure("figure3", "Figure 3: training efficiency", caption, x, _TOP1, _filled(series))


def _own(model: str) -> tuple[str, ...]:
    return (zoo_name(model),)


def _staged(model: str) -> tuple[str, ...]:
    return STAGES.get(model, _own(model))


def _scaled(
    rows: Iterable[Fact], device: Device, key: str, at: float, entries: Callable[[str], tuple[str, ...]]
) -> Series:
    """The device's times for one image over V2-S's, times `at`, its published place."""
    base = time(entries("EfficientNetV2-S"), key, device)
    points = []
    for row in rows:
        found = time(entries(plotted(row["series"], row["model"])), key, device)
        if base is not None and found is not None:
            points.append((row, at * found[0] / base[0]))
    return replace(_series(device.name, "measured", points, None), line=False)


def _published(rows: Iterable[Fact], column: str, suffix: str = "published") -> list[Series]:
    groups: dict[str, list[tuple[Fact, float]]] = {}
    for row in rows:
        groups.setdefault(row["series"], []).append((row, number(row[column])))
    return [
        _series(f"{name}, {suffix}", "published", points, place) for place, (name, points) in enumerate(groups.items())
    ]


def _ours(rows: Iterable[Fact], suffix: str, kind: str, value: Callable[[Fact], float | None]) -> list[Series]:
    """One series for each of the figure's, of the points that `value` knows."""
    groups: dict[str, list[tuple[Fact, float]]] = {}
    for row in rows:
        points = groups.setdefault(row["series"], [])
        found = value(row)
        if found is not None:
            points.append((row, found))
    return [
        _series(f"{name}, {suffix}", kind, points, place)
        for place, (name, points) in enumerate(groups.items())
        if points
    ]


def _series(name: str, kind: str, points: list[tuple[Fact, float]], style: int | None) -> Series:
    return Series(
        name,
        "published" if kind == "published" else "computed" if kind == "computed" else "measured",
        tuple(x for _, x in points),
        tuple(number(row["top1_pct"]) for row, _ in points),
        tuple(row["model"] for row, _ in points),
        line=kind != "computed" and len(points) > 1,
        style=style,
    )


def _filled(series: list[Series]) -> tuple[Series, ...]:
    return tuple(one for one in series if one.x)
