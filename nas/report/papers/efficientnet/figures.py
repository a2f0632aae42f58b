"""EfficientNet's Figures 1, 3, 4 and 8: the published points and the computed costs in one plot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nas.report.papers.efficientnet.scaled import factors, scaled
from nas.report.papers.facts import Fact, facts, number
from nas.report.papers.figure import Axis, Figure, Kind, Series
from nas.report.papers.networks import billions, closed, count
from nas.report.papers.paper import Section
from nas.report.papers.peers import network
from nas.report.papers.zoo import Zoo
from nas.report.table import Cell, Column, Table, text

DIMENSIONS = ("width", "depth", "resolution")
_TOP1 = Axis("ImageNet top-1 (%), published")
_FLOPS = Axis("FLOPs (B)", log=True)
_HOW = "Accuracies are the paper's in every series; only the costs are computed."


def size(zoo: Zoo) -> Section:
    """Figure 1: accuracy over parameters."""
    rows = [row for row in facts("efficientnet/figure1") if row["version"] in ("both", "v5")]
    own, peers = _split(rows)
    counted = [(row, found / 1e6) for row in own if (found := count(_network(row), "params", zoo)) is not None]
    beside = [(row, found / 1e6) for row in peers if (found := count(_network(row), "params", zoo)) is not None]
    series = [
        _points("EfficientNet, published", "published", own, [number(row["params_m"]) for row in own], 0),
        _points("EfficientNet, computed params", "computed", [row for row, _ in counted], [n for _, n in counted], 0),
        _points("other ConvNets, published", "published", peers, [number(row["params_m"]) for row in peers], 1, False),
    ]
    if beside:
        rows_beside, params = zip(*beside, strict=True)
        series.append(_points("other ConvNets, counted params", "computed", rows_beside, params, 1, False))
    caption = f"{_HOW} Published points were read from the vectors of the paper's figure."
    x = Axis("params (M)", log=True)
    figure = Figure("figure1", "Figure 1: model size and accuracy", caption, x, _TOP1, tuple(series))
    return Section("figure1", "Figure 1: model size", figures=(figure,))


def one_dimension() -> Section:
    """Figure 3: B0 scaled by width, depth or resolution alone."""
    base, rows = closed("efficientnet-b0"), facts("efficientnet/figure3")
    start = f"{billions(base):.3f}"
    figures, relative = [], []
    for place, dimension in enumerate(DIMENSIONS):
        curve = [row for row in rows if row["series"] == dimension]
        printed = [number(row["flops_b"]) for row in curve]
        ours = [billions(scaled(base, factors(row))) for row in curve]
        labels = tuple(f"{dimension[0]} = {row[dimension]}" for row in curve)
        top1 = tuple(number(row["top1_pct"]) for row in curve)
        series = (
            Series("published", "published", tuple(printed), top1, labels, style=0, sources=_sources(curve)),
            Series("FLOPs computed from B0", "computed", tuple(ours), top1, labels, style=1, sources=_sources(curve)),
        )
        caption = f"The published curve starts at {curve[0]['flops_b']} B, B0 costs {start} B. {_HOW}"
        title = f"Figure 3: scaling B0 by {dimension}"
        figures.append(Figure(f"figure3-{dimension}", title, caption, _FLOPS, _TOP1, series))
        steps = tuple(number(row[dimension]) for row in curve)
        for name, kind, costs in ((f"{dimension}, published", "published", printed),
                                  (f"{dimension}, computed", "computed", ours)):  # fmt: skip
            share = tuple(value / costs[0] for value in costs)
            which: Kind = "published" if kind == "published" else "computed"
            relative.append(Series(name, which, steps, share, style=place, sources=_sources(curve)))
    caption = "Each curve over its own start: what a factor costs, whatever the base was."
    x, y = Axis("factor"), Axis("FLOPs ÷ FLOPs at factor 1", log=True)
    figures.append(Figure("figure3-cost", "What a factor costs", caption, x, y, tuple(relative)))
    return Section("figure3", "Figure 3: scaling by one dimension", figures=tuple(figures))


def widths() -> Section:
    """Figure 4: width curves of four baselines; the width factors are printed for the first only, by Figure 3."""
    base, rows = closed("efficientnet-b0"), facts("efficientnet/figure4")
    names = list(dict.fromkeys(row["series"] for row in rows))
    series, starts = [], []
    for place, name in enumerate(names):
        curve = [row for row in rows if row["series"] == name]
        depth, resolution = number(curve[0]["depth"]), number(curve[0]["resolution"])
        label = f"d = {depth:g}, r = {resolution:g}"
        flops = tuple(number(row["flops_b"]) for row in curve)
        top1 = tuple(number(row["top1_pct"]) for row in curve)
        series.append(Series(f"{label}, published", "published", flops, top1, style=place, sources=_sources(curve)))
        known = [row for row in curve if row["width"] and not row["width"].endswith("?")] or curve[:1]
        by = [(depth, number(row["width"]) if row["width"] else 1.0, resolution) for row in known]
        ours = tuple(billions(scaled(base, one)) for one in by)
        heights = tuple(number(row["top1_pct"]) for row in known)
        labels = tuple(f"w = {one[1]:g}" for one in by)
        line = len(ours) > 1
        series.append(
            Series(f"{label}, computed", "computed", ours, heights, labels, line, place, sources=_sources(known))
        )
        starts.append((label, curve[0], ours[0]))
    caption = (
        "Filled marks: B0 scaled in closed form at the width factors that are known, which is every printed one for "
        f"d = 1, r = 1 and w = 1 for the others. {_HOW}"
    )
    title = "Figure 4: width at several depths and resolutions"
    figure = Figure("figure4", title, caption, _FLOPS, _TOP1, tuple(series))
    table = _starts(starts)
    return Section("figure4", "Figure 4: scaling width for several baselines", tables=(table,), figures=(figure,))


def _starts(starts: Iterable[tuple[str, Fact, float]]) -> Table:
    """Where each curve begins in the figure, and what B0 so scaled costs."""
    columns = (
        Column("curve", "curve at w = 1"),
        Column("flops_b_published", "FLOPs (B), published", "number"),
        Column("flops_b_computed", "FLOPs (B) of B0 so scaled, computed", "number"),
        Column("ratio", "published ÷ computed", "number"),
        Column("source", "source"),
    )
    lines = tuple(
        (text(label), Cell(row["flops_b"], number(row["flops_b"])), Cell(f"{ours:.4f}", round(ours, 6)),
         Cell(f"{number(row['flops_b']) / ours:.3f}", round(number(row["flops_b"]) / ours, 4)), text(row["source"]))
        for label, row, ours in starts
    )  # fmt: skip
    return Table("figure4-starts", "Where the curves of Figure 4 start", columns, lines)


def methods() -> Section:
    """Figure 8: B0 scaled by one dimension, and B0 to B4."""
    base, rows = closed("efficientnet-b0"), facts("efficientnet/figure8")
    series = []
    for place, method in enumerate(("compound", *DIMENSIONS)):
        curve = [row for row in rows if row["series"] == method]
        printed = tuple(number(row["flops_b"]) for row in curve)
        top1 = tuple(number(row["top1_pct"]) for row in curve)
        if method == "compound":  # the paper's own B0 to B4
            ours = tuple(billions(closed(f"efficientnet-b{number}")) for number in range(len(curve)))
            labels = tuple(f"B{number}" for number in range(len(curve)))
        else:
            ours = tuple(billions(scaled(base, factors(row))) for row in curve)
            labels = tuple(f"{method[0]} = {row[method]}" for row in curve)
        for kind, costs in (("published", printed), ("computed", ours)):
            which: Kind = "published" if kind == "published" else "computed"
            series.append(Series(f"{method}, {kind}", which, costs, top1, labels, style=place, sources=_sources(curve)))
    caption = (
        "In the paper every curve starts at B0's 0.39 B, and the points after it are those of Figure 3, whose curves "
        f"start at 0.50 B. {_HOW}"
    )
    title = "Figure 8: scaling B0 by each method"
    figure = Figure("figure8", title, caption, _FLOPS, _TOP1, tuple(series))
    return Section("figure8", "Figure 8: scaling up B0 by each method", figures=(figure,))


def _split(rows: Iterable[Fact]) -> tuple[list[Fact], list[Fact]]:
    """(EfficientNets, the others)."""
    every = list(rows)
    own = [row for row in every if row["model"].startswith("EfficientNet")]
    return own, [row for row in every if row not in own]


def _network(row: Fact) -> str:
    """Where nas finds the network of a point; empty where it cannot."""
    found = network(row["model"])
    return found.shipped or found.foreign


def _points(name: str, kind: str, rows: Sequence[Fact], x: Sequence[float], style: int, line: bool = True) -> Series:
    y = tuple(number(row["top1_pct"]) for row in rows)
    labels = tuple(row["model"] for row in rows)
    which: Kind = "published" if kind == "published" else "computed"
    return Series(name, which, tuple(x), y, labels, line, style, sources=_sources(rows))


def _sources(rows: Iterable[Fact]) -> tuple[str, ...]:
    return tuple(row["source"] for row in rows)
