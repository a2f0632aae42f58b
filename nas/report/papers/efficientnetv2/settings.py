"""Table 6 of EfficientNetV2 (arXiv:2104.00298): progressive learning as printed, and as the code runs it."""

from __future__ import annotations

from nas.report.papers.facts import Fact, facts
from nas.report.papers.paper import Section
from nas.report.papers.progressive import stage_sizes
from nas.report.table import Cell, Column, Table, text

_RANGES = (("image", "image size (px)"), ("randaug", "RandAugment"), ("mixup", "mixup"), ("dropout", "dropout"))


def progressive() -> Section:
    """Table 6, paper against code, and the image size of each stage by each."""
    rows = facts("efficientnetv2/table6")
    stages = max(int(row["stages"]) for row in rows)
    table = Table(
        "table6",
        "Table 6: progressive learning, paper against code",
        (
            Column("model", "model"),
            Column("where", "where"),
            *(Column(key, label) for key, label in _RANGES),
            Column("cutmix", "CutMix"),
            Column("source", "source"),
        ),
        tuple(
            (
                text(f"V2-{row['model']}"),
                text(row["where"]),
                *(_range(row, key) for key, _ in _RANGES),
                text(row["cutmix_max"]),
                text(row["source"]),
            )
            for row in rows
        ),
    )
    sizes = Table(
        "table6-sizes",
        "Image size of each stage, computed (px)",
        (
            Column("model", "model"),
            Column("where", "by"),
            Column("rule", "rule"),
            *(Column(f"stage_{place}", f"stage {place}", "number") for place in range(1, stages + 1)),
            Column("mean_area", "mean area ÷ last", "number"),
        ),
        tuple(_sizes(row) for row in rows),
    )
    words = (
        "Printed settings are compared with those of the official code; nothing here trains with them. In the code "
        "RandAugment and mixup rise evenly from the first stage to the last, dropout is constant (its schedule is "
        "commented out), and CutMix is used with the strength of mixup.",
    )
    return Section("progressive", "Table 6: progressive learning", words, tables=(table, sizes))


def _sizes(row: Fact) -> tuple[Cell, ...]:
    sizes = stage_sizes(row)
    low, more, count = int(row["image_min"]), int(row["image_max"]) - int(row["image_min"]), len(sizes)
    rule = f"{low} + {more} · i / {count - 1}" if row["where"] == "paper" else f"{low} + {more} · (i + 1) / {count}"
    area = sum(size**2 for size in sizes) / count / sizes[-1] ** 2
    by = "Algorithm 1" if row["where"] == "paper" else "code"
    return (text(f"V2-{row['model']}"), text(by), text(rule), *map(text, sizes), Cell(f"{area:.3f}", area))


def _range(row: Fact, key: str) -> Cell:
    low, high = row[f"{key}_min"], row[f"{key}_max"]
    return text(low if low == high else f"{low} → {high}")
