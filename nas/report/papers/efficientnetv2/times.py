"""Times of EfficientNetV2 (arXiv:2104.00298) as ratios within one device: Tables 2, 3, 7, 10 and 11."""

from __future__ import annotations

import dataclasses

from nas.report.papers.comparison import Comparison
from nas.report.papers.efficientnetv2.names import STAGES, zoo_name
from nas.report.papers.facts import Fact, facts
from nas.report.papers.networks import closed, closed_cost, published
from nas.report.papers.peers import network
from nas.report.papers.timing import Key, Pair, compare
from nas.report.papers.zoo import Zoo
from nas.report.table import Cell, Column, Table, text

_TRAIN: Key = "train_images_per_s"
_INFER: Key = "infer_images_per_s"
_V100 = "V100, fp16, batch 16"


def image_size() -> Table:
    """Table 2 as printed, and what B6 costs at the two sizes."""
    base = closed("efficientnet-b6")
    rows = []
    for row in facts("efficientnetv2/table2"):
        spent = closed_cost(dataclasses.replace(base, resolution=int(row["train_px"])))
        columns = ("top1_pct", *_RATES)
        rows.append(
            (
                text(row["model"]),
                text(int(row["train_px"])),
                *(text(row[name]) if row[name] == "OOM" else published(row[name]) for name in columns),
                Cell(f"{spent.flops / 1e9:.3f}", spent.flops),
                Cell(f"{spent.activations / 1e6:.1f}", spent.activations),
                text(row["source"]),
            )
        )
    heads = (
        Column("model", "model"),
        Column("train_px", "train px", "number"),
        Column("top1_pct_published", "top-1 %, published", "number"),
        *(Column(f"{name}_published", f"{label}, published", "number") for name, label in _RATES.items()),
        Column("flops", "FLOPs (B), computed", "number"),
        Column("activations", "activations (M), computed", "number"),
        Column("source", "source"),
    )
    return Table("table2", "Table 2: training at smaller images, images/s per core or GPU", heads, tuple(rows))


_RATES = {
    "tpu_images_per_s_batch32": "TPUv3, batch 32",
    "tpu_images_per_s_batch128": "TPUv3, batch 128",
    "v100_images_per_s_batch12": "V100, batch 12",
    "v100_images_per_s_batch24": "V100, batch 24",
}


def image_size_speedup(zoo: Zoo) -> Comparison:
    """Table 2: how much faster B6 trains at 380 px than at 512 px, where both fit."""
    large, small = facts("efficientnetv2/table2")
    pairs = tuple(
        Pair(
            f"B6 at {small['train_px']} px ÷ at {large['train_px']} px",
            (f"efficientnet-b6@{large['train_px']}",),
            (f"efficientnet-b6@{small['train_px']}",),
            _TRAIN,
            (large[name], small[name]),
            "rate",
            label,
            small["source"],
        )
        for name, label in _RATES.items()
        if "OOM" not in (large[name], small[name])
    )
    return compare("table2-speedup", "Table 2: training speed at 380 px", pairs, zoo)


def fused_speedup(zoo: Zoo) -> Comparison:
    """Table 3: training speed of B4 with fused stages over B4 without."""
    plain, *variants = facts("efficientnetv2/table3")
    pairs = tuple(
        Pair(
            f"{row['variant']} ÷ {plain['variant'].lower()}",
            ("efficientnet-b4",),
            (f"efficientnet-b4-fused-{row['variant'].removeprefix('Fused stage')}",),
            _TRAIN,
            (plain[column], row[column]),
            "rate",
            device,
            row["source"],
        )
        for row in variants
        for column, device in (("tpu_images_per_s", "TPUv3"), ("v100_images_per_s", "V100"))
    )
    return compare("table3-speedup", "Table 3: speed of fused B4 over B4", pairs, zoo)


def inference(zoo: Zoo) -> Comparison:
    """Table 7: inference time of every network over V2-S's."""
    rows = [row for row in facts("efficientnetv2/table7") if row["version"] == "v3" and row["infer_ms"]]
    small = _row(rows, "EfficientNetV2-S")
    pairs: list[Pair] = []
    for row in rows:
        name = zoo_name(row["model"])
        if name and name in {"efficientnetv2-s", *(zoo_name(pair.label.removeprefix("V2-S ÷ ")) for pair in pairs)}:
            continue  # pre-training changes no network: the first row of each stands
        pairs.append(
            Pair(
                f"V2-S ÷ {row['model']}",
                (name,),
                ("efficientnetv2-s",),
                _INFER,
                (row["infer_ms"], small["infer_ms"]),
                "time",
                _V100,
                row["source"],
                why=network(row["model"]).why,
            )
        )
    return compare("table7-inference", "Table 7: inference, V2-S over the others", tuple(pairs), zoo)


def training(zoo: Zoo) -> Comparison:
    """Table 7: hours of training over V2-S's: time for one image, averaged over the four sizes of V2's training."""
    rows = [row for row in facts("efficientnetv2/table7") if row["version"] == "v3"]
    small = _row(rows, "EfficientNetV2-S")
    names = [*(f"EfficientNet-B{place}" for place in range(3, 8)), "EfficientNetV2-M", "EfficientNetV2-L"]
    pairs = tuple(
        Pair(
            f"V2-S ÷ {row['model']}",
            STAGES.get(row["model"], (zoo_name(row["model"]),)),
            STAGES["EfficientNetV2-S"],
            _TRAIN,
            (row["train_hours"], small["train_hours"]),
            "time",
            "32 TPUv3 cores",
            row["source"],
        )
        for row in (_row(rows, name) for name in names)
    )
    note = (
        "Every network trains for 350 epochs, so that the ratio of hours is that of the time for one image: V1 at its "
        "own size, V2 averaged over the four image sizes that its code trains at."
    )
    return compare("table7-training", "Table 7: training, V2-S over the others", pairs, zoo, note)


def same_training(zoo: Zoo) -> Comparison:
    """Table 10: V2-M over V1-B7 under the same progressive learning."""
    before, after = facts("efficientnetv2/table10")[:2]
    pairs = (
        Pair(
            "V2-M ÷ V1-B7, inference",
            ("efficientnet-b7",),
            ("efficientnetv2-m",),
            _INFER,
            (before["infer_ms"], after["infer_ms"]),
            "time",
            _V100,
            after["source"],
        ),
        Pair(
            "V2-M ÷ V1-B7, training",
            ("efficientnet-b7",),
            STAGES["EfficientNetV2-M"],
            _TRAIN,
            (before["train_hours"], after["train_hours"]),
            "time",
            "32 TPUv3 cores",
            after["source"],
            why="the paper does not print the image sizes of B7's progressive learning",
        ),
    )
    return compare("table10-speedup", "Table 10: speed of V2-M over V1-B7", pairs, zoo)


def scaled_down(zoo: Zoo) -> Comparison:
    """Table 11: the printed speed-ups of V2 over V1 of like accuracy."""
    rows = facts("efficientnetv2/table11")
    pairs = tuple(
        Pair(
            f"{new['model']} ÷ {old['model']}",
            (zoo_name(old["model"]),),
            (zoo_name(new["model"]),),
            _INFER,
            (old["images_per_s"], new["images_per_s"]),
            "rate",
            "V100, fp16, batch 128",
            new["source"],
            printed=new["speedup"],
        )
        for old, new in zip(rows[::2], rows[1::2], strict=True)
    )
    return compare("table11-speedup", "Table 11: inference speed of V2 over V1", pairs, zoo)


def _row(rows: list[Fact], model: str) -> Fact:
    return next(row for row in rows if row["model"] == model)
