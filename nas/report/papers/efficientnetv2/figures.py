"""Figures 1, 3 and 5 of EfficientNetV2 (arXiv:2104.00298): published points, and ours in the same plot."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from nas.report.papers.efficientnetv2.names import STAGES, plotted, zoo_name
from nas.report.papers.facts import Fact, facts, number
from nas.report.papers.figure import Axis, Figure, Kind, Series
from nas.report.papers.networks import count
from nas.report.papers.paper import Section
from nas.report.papers.timing import Key, time
from nas.report.papers.zoo import Device, Zoo, conditions

Value = Callable[[Fact], float | None]
Entries = Callable[[str], tuple[str, ...]]  # name in Table 7 → the zoo's entries whose times are averaged

_TOP1 = Axis("ImageNet top-1 (%), published")
_HOW = "Published points were read from the vectors of the paper's figure; accuracies are the paper's in every series."
_DEVICE = "{} gives the time for one image; its points are scaled so that V2-S stands at its published place."
_FAMILIES = {  # series of the paper → the family drawn as one, and its style; the rest are 'others'
    "EffNetV2": ("EfficientNetV2", 0),
    "EfficientNetV2": ("EfficientNetV2", 0),
    "EffNetV2(21k)": ("EfficientNetV2 (21k)", 1),
    "EfficientNetV2 (21k)": ("EfficientNetV2 (21k)", 1),
    "EffNet": ("EfficientNet", 2),
    "EfficientNet": ("EfficientNet", 2),
    "EffNet(baseline, orig train size)": ("EfficientNet", 2),
    "EffNet(reprod, ~30% smaller train size)": ("EfficientNet, smaller images", 3),
}
_OTHERS = ("others", 4)


def sizes(zoo: Zoo) -> Section:
    """Figure 5: params and multiply-adds, plotted and counted; latency, plotted and as Table 7 prints it."""
    drawn = (("5a", "params_m", "params", 1e6, "params (M)"), ("5b", "flops_b", "flops", 1e9, "FLOPs (B)"))
    figures = []
    for name, column, key, unit, label in drawn:
        rows = facts(f"efficientnetv2/figure{name}")
        series = (
            *_by_family(rows, "published", _column(column), "published"),
            *_by_family(rows, "counted", _counted(zoo, key, unit), "computed"),
        )
        title = f"Figure 5({name[-1]}): {label.split(' (')[0]} and accuracy"
        caption = f"{_HOW} Counted points stand at the published accuracy."
        figures.append(Figure(f"figure{name}", title, caption, Axis(label, log=True), _TOP1, series))
    return Section("figure5", "Figure 5: model size, multiply-adds and latency", figures=(*figures, *latency(zoo)))


def latency(zoo: Zoo) -> list[Figure]:
    """Figure 5(c) as plotted and with Table 7's milliseconds; then Table 7's beside every device."""
    rows = [row for row in facts("efficientnetv2/figure5c") if row["series"] in ("EffNetV2", "EffNet")]
    table = {row["model"]: row for row in facts("efficientnetv2/table7") if row["version"] == "v3"}

    def printed(row: Fact) -> float | None:
        return number(table[plotted(row["series"], row["model"])]["infer_ms"])

    plain = _by_family(rows, "Figure 5(c)", _column("infer_ms"), "published")
    true = _by_family(rows, "Table 7", printed, "published")
    x = Axis("inference (ms, V100, batch 16)", log=True)
    caption = f"{_HOW} EfficientNet is plotted at its training hours; Table 7 has its milliseconds (the audit)."
    moved = [replace(one, style=style) for one, style in zip(true, (1, 3), strict=True)]
    title = "Figure 5(c): inference time and accuracy"
    first = Figure("figure5c", title, caption, x, _TOP1, (*plain, *moved))
    devices = _measured(first, rows, true, ("infer_images_per_s", printed, _own), zoo)
    return [first, *devices]


def training(zoo: Zoo) -> Section:
    """Figure 1(a), days of training; Figure 1(b), params; Figure 3, step time."""
    days = [row for row in facts("efficientnetv2/figure1a") if row["version"] != "v1"]
    again = [row for row in days if "repro" in row["model"]]
    days = [row for row in days if row not in again]
    own = [row for row in days if row["series"] in ("EfficientNetV2", "EfficientNet")]
    first = Figure(
        "figure1a",
        "Figure 1(a): training time and accuracy",
        f"{_HOW} Points that only v1 of the paper has are left out.",
        Axis("training (days, 32 TPUv3 cores)", log=True),
        _TOP1,
        (
            *_by_family(days, "published", _column("train_days"), "published"),
            *(
                replace(one, name="EfficientNet-B7, reproduced, published", style=3)
                for one in _by_family(again, "published", _column("train_days"), "published")
            ),
        ),
    )
    shown = _by_family(own, "published", _column("train_days"), "published")
    how: tuple[Key, Value, Entries] = ("train_images_per_s", _column("train_days"), _staged)
    devices = _measured(first, own, shown, how, zoo)
    return Section("training", "Figures 1 and 3: training", figures=(first, *devices, efficiency(zoo), *steps(zoo)))


def efficiency(zoo: Zoo) -> Figure:
    """Figure 1(b): parameter efficiency."""
    rows = facts("efficientnetv2/figure1b")
    counted = {
        "EfficientNet (2019)": "efficientnet-b6",
        "EfficientNetV2 (ours)": "efficientnetv2-s",
        "DeiT/ViT (2021)": "timm:deit_base_patch16_384",
    }
    found = [(row, count(counted.get(row["model"], ""), "params", zoo)) for row in rows]
    ours = [(row, params / 1e6) for row, params in found if params is not None]
    series = (
        replace(
            _series("published", "published", [(row, number(row["params_m"])) for row in rows], 0),
            labels=tuple(row["model"].split(" (")[0] for row in rows),
        ),
        replace(_series("counted", "computed", ours, 1), labels=()),  # the published point beside it has the name
    )
    caption = (
        f"{_HOW} By params and accuracy the points are B6, a ResNet-RS that the figure does not name, DeiT-B at 384 px "
        "and V2-S; all but the ResNet-RS are counted where the zoo has them."
    )
    title = "Figure 1(b): params and accuracy"
    return Figure("figure1b", title, caption, Axis("params (M)", log=True), _TOP1, series, named=True)


def steps(zoo: Zoo) -> list[Figure]:
    """Figure 3: time of a training step at one image size; then V2 beside every device."""
    rows = [row for row in facts("efficientnetv2/figure3") if row["version"] != "v1"]
    series = _by_family(rows, "published", _column("step_ms"), "published")
    x = Axis("training step (ms, TPUv3, batch 32 a core)", log=True)
    title = "Figure 3: training efficiency"
    caption = f"{_HOW} Points of EfficientNet and of other networks carry no label in the figure."
    first = Figure("figure3", title, caption, x, _TOP1, tuple(series))
    own = [row for row in rows if row["series"] == "EffNetV2"]
    how: tuple[Key, Value, Entries] = ("train_images_per_s", _column("step_ms"), _own)
    return [first, *_measured(first, own, series[:1], how, zoo)]


def _own(model: str) -> tuple[str, ...]:
    return (zoo_name(model),)


def _staged(model: str) -> tuple[str, ...]:
    return STAGES.get(model, _own(model))


def _measured(
    first: Figure, rows: list[Fact], shown: list[Series], how: tuple[Key, Value, Entries], zoo: Zoo
) -> list[Figure]:
    """One figure per device that timed V2-S and another network: published points and the device's, in one unit."""
    key, published, entries = how
    small = next(row for row in rows if plotted(row["series"], row["model"]) == "EfficientNetV2-S")
    at = published(small) or 0.0
    figures = []
    for device in zoo.devices:
        base = time(entries("EfficientNetV2-S"), key, device)
        if base is None:
            continue

        def value(row: Fact, device: Device = device, base: float = base[0]) -> float | None:
            found = time(entries(plotted(row["series"], row["model"])), key, device)
            return None if found is None else at * found[0] / base

        ours = _by_family(rows, f"measured on {device.name}", value, "measured")
        if sum(len(one.x) for one in ours) > 1:
            shown_at = _conditions((plotted(row["series"], row["model"]) for row in rows), key, entries, device)
            caption = f"{_HOW} {_DEVICE.format(device.name)} Measured: {shown_at}."
            figures.append(
                Figure(
                    f"{first.name}-{device.name}",
                    f"{first.title}, {device.name}",
                    caption,
                    first.x,
                    first.y,
                    (*shown, *ours),
                )
            )
    return figures


def _conditions(models: Iterable[str], key: str, entries: Entries, device: Device) -> str:
    """`EfficientNet-B4 at batch 4, 190 px, fp32; …` of the networks that the device timed, each once."""
    said = {
        model: " / ".join(conditions(record.readings[key]) for record in found if record is not None)
        for model in models
        for found in [[device.find(name, key) for name in entries(model)]]
    }
    return "; ".join(f"{model} at {at}" for model, at in said.items() if at)


def _column(name: str) -> Value:
    return lambda row: number(row[name])


def _counted(zoo: Zoo, key: str, unit: float) -> Value:
    def value(row: Fact) -> float | None:
        found = count(zoo_name(plotted(row["series"], row["model"])), key, zoo)
        return None if found is None else found / unit

    return value


def _by_family(rows: Iterable[Fact], suffix: str, value: Value, kind: Kind) -> list[Series]:
    """One series per family, of the points that `value` knows; only published families are joined by a line."""
    groups: dict[tuple[str, int], list[tuple[Fact, float]]] = {}
    for row in rows:
        points = groups.setdefault(_FAMILIES.get(row["series"], _OTHERS), [])
        if (found := value(row)) is not None:
            points.append((row, found))
    return [
        replace(
            _series(f"{name}, {suffix}", kind, points, style),
            line=kind == "published" and (name, style) != _OTHERS and len(points) > 1,
        )
        for (name, style), points in groups.items()
        if points
    ]


def _series(name: str, kind: Kind, points: list[tuple[Fact, float]], style: int) -> Series:
    labels = tuple(plotted(row.get("series", ""), row["model"]) or row["model"] for row, _ in points)
    x = tuple(place for _, place in points)
    top1 = tuple(number(row["top1_pct"]) for row, _ in points)
    return Series(name, kind, x, top1, labels, False, style, sources=tuple(row["source"] for row, _ in points))
