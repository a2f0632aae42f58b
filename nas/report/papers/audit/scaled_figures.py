"""EfficientNet's Figures 3, 4 and 8 and Table 7: which network was scaled there?"""

from __future__ import annotations

import dataclasses

from nas.arch import Architecture
from nas.report.papers.audit.finding import Finding, Published, one, rounds_to, some, sources
from nas.report.papers.networks import billions
from nas.scaling import scale
from nas.space_file import load_architecture

Point = tuple[float, float]


def baseline(published: Published) -> Finding:
    """Figures 3 and 4 start from a network of 0.50 B multiply-adds, which is not B0."""
    rows = some(published("efficientnet/figure3"), series="depth")
    printed = [(float(row["depth"]), float(row["flops_b"])) for row in rows]
    b0 = load_architecture("efficientnet-b0")
    ours = [(depth, billions(scale(b0, depth=depth))) for depth, _ in printed]
    near = _as_dear(b0, printed[0][1])
    enlarged = [(depth, billions(scale(near, depth=depth))) for depth, _ in printed]
    fits = {name: line(points) for name, points in (("printed", printed), ("B0", ours), ("larger B0", enlarged))}
    slope, start, residual = fits["printed"]
    steps = (
        "Figure 3, depth, (d, billions of multiply-adds): " + _points(printed) + ".",
        f"Least squares: {start:.4f} + {slope:.4f} d; the largest residual is {1e3 * residual:.3f} thousandths, so the "
        "curve is a straight line to every digit that the figure holds.",
        f"B0 with layers × d, counted: {_points(ours)}: {fits['B0'][1]:+.4f} + {fits['B0'][0]:.4f} d.".replace(
            "-", "−"
        ),
        f"At d = 1 the figure has {printed[0][1]:.4f} B and B0 has {ours[0][1]:.4f} B: "
        f"{printed[0][1] / ours[0][1]:.3f} times as many.",
        f"B0 at {near.resolution} px would cost {enlarged[0][1]:.4f} B, about the printed start, but rise by "
        f"{fits['larger B0'][0]:.4f} B per unit of depth and not by {slope:.4f}: a larger picture does not explain it.",
    )
    away = printed[0][1] / ours[0][1] - 1
    holds = away > 0.1 and residual < 1e-3 and abs(fits["larger B0"][0] / slope - 1) > 0.05
    return Finding(
        name="figure-3-baseline",
        title="Figures 3 and 4 do not start from B0",
        claim="The captions of Figures 3 and 4 call the baseline EfficientNet-B0 (Table 1).",
        steps=steps,
        conclusion=(
            "The network scaled in Figures 3 and 4 costs 0.50 B multiply-adds, B0 0.39 B. It is another network; the "
            "paper does not print which."
        ),
        holds=holds and rounds_to(printed[0][1], "0.50") and rounds_to(ours[0][1], "0.39"),
        sources=sources(rows, published("efficientnet/captions")[:2]),
    )


def table_7(published: Published) -> Finding:
    """Table 7's one-dimension rows are points of Figure 3; regenerated from B0 they cost about 1.5 B, not 1.8 B."""
    table, figure = some(published("efficientnet/table7"), version="v5"), published("efficientnet/figure3")
    b0 = load_architecture("efficientnet-b0")
    depth, width, resolution, compound = (
        one(table, series=name) for name in ("depth", "width", "resolution", "compound")
    )
    same_depth = one(figure, series="depth", depth="4.0")
    near = min(some(figure, series="resolution"), key=lambda row: abs(float(row["flops_b"]) - 1.9444))
    factors = [(float(row["width"]), float(row["flops_b"])) for row in some(figure, series="width")]
    law = [flops / factor**2 for factor, flops in factors[2:]]
    implied = (float(width["flops_b"]) / (sum(law) / len(law))) ** 0.5
    ours = {
        "depth": billions(scale(b0, depth=float(depth["depth"]))),
        "width": billions(scale(b0, width=float(width["width"]))),
        "resolution": billions(scale(b0, resolution=float(resolution["resolution"]))),
        "compound": billions(scale(b0, depth=1.4, width=1.2, resolution=1.3)),
    }
    steps = (
        f"Depth: Figure 3 at d = 4 has ({same_depth['flops_b']} B, {same_depth['top1_pct']} %); Table 7 prints "
        f"({depth['flops_b']} B, {depth['top1_pct']} %).",
        f"Resolution: Figure 3 at r = {near['resolution']} has ({near['flops_b']} B, {near['top1_pct']} %); Table 7 "
        f"prints ({resolution['flops_b']} B, {resolution['top1_pct']} %) and calls it r = {resolution['resolution']}.",
        "Width: Figure 3 divided by w² is " + ", ".join(f"{value:.3f}" for value in law) + " B from w = 1.8 on; "
        f"{width['flops_b']} B then needs w = {implied:.2f}, and Table 7 prints w = {width['width']}.",
        f"Counted on B0: d = 4 {ours['depth']:.3f} B, w = 2 {ours['width']:.3f} B, r = 2 {ours['resolution']:.3f} B; "
        f"compound (1.4, 1.2, 1.3) {ours['compound']:.3f} B against the printed {compound['flops_b']} B.",
    )
    holds = (
        rounds_to(float(same_depth["flops_b"]), depth["flops_b"])
        and rounds_to(float(near["flops_b"]), resolution["flops_b"])
        and near["resolution"] != resolution["resolution"]
        and all(ours[row["series"]] < 0.9 * float(row["flops_b"]) for row in (depth, width, resolution))
        and rounds_to(ours["compound"], compound["flops_b"])
    )
    return Finding(
        name="table-7-rows",
        title="Table 7 compares two baselines",
        claim="Table 7 scales EfficientNet-B0 by one dimension at a time and by all three.",
        steps=steps,
        conclusion=(
            "The one-dimension rows come from the network of Figure 3; only the compound row is a scaled B0. Whoever "
            "regenerates the table from B0 gets 1.4 B to 1.6 B in the first three rows, not 1.8 B or 1.9 B."
        ),
        holds=holds and all(1.4 <= ours[name] <= 1.6 for name in ("depth", "width", "resolution")),
        sources=sources(table, (same_depth,)),
    )


def figure_8(published: Published) -> Finding:
    """Figure 8's single-dimension curves are B0's point followed by Figure 3's points."""
    eight, three = published("efficientnet/figure8"), published("efficientnet/figure3")
    steps, holds = [], True
    for series in ("width", "depth", "resolution"):
        rows = some(eight, series=series)
        known = {(row["flops_b"], row["top1_pct"]) for row in some(three, series=series)}
        points = [(row["flops_b"], row["top1_pct"]) for row in rows]
        shared = sum(point in known for point in points[1:])
        steps.append(
            f"{series}: first ({points[0][0]} B, {points[0][1]} %), then {shared} of {len(points) - 1} points equal "
            "Figure 3's to every digit."
        )
        holds = holds and points[0] not in known and shared == len(points) - 1
    icml = {row["model"]: row["top1_pct"] for row in some(published("efficientnet/table2"), version="icml")}
    compound = some(eight, series="compound")[1:]
    equal = sum(row["top1_pct"] == icml[f"EfficientNet-B{place}"] for place, row in enumerate(compound, 1))
    steps.append(f"compound: {equal} of {len(compound)} accuracies after the first are Table 2's of the ICML version.")
    return Finding(
        name="figure-8-splice",
        title="Figure 8 joins B0 to curves of another network",
        claim="Figure 8 scales EfficientNet-B0 by depth, by width, by resolution and by all three.",
        steps=tuple(steps),
        conclusion=(
            "Every curve of Figure 8 starts at B0 and goes on with points of Figure 3, whose network is not B0. The "
            "compound curve is B1 to B4 of the ICML version."
        ),
        holds=holds and equal == len(compound),
        sources=sources(eight, three),
    )


def line(points: list[Point]) -> tuple[float, float, float]:
    """(slope, value at 0, largest absolute residual) of the least-squares line through (x, y)."""
    count = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
    start = mean_y - slope * mean_x
    return slope, start, max(abs(start + slope * x - y) for x, y in points)


def _as_dear(arch: Architecture, flops_b: float) -> Architecture:
    """The network at the resolution, in steps of its total stride, at which it costs nearest `flops_b`."""
    stride = arch.total_stride
    sizes = range(arch.resolution, 2 * arch.resolution + 1, stride)
    larger = [dataclasses.replace(arch, resolution=size) for size in sizes]
    return min(larger, key=lambda candidate: abs(billions(candidate) - flops_b))


def _points(points: list[Point]) -> str:
    return ", ".join(f"({x:g}, {y:.4f})" for x, y in points)


def figure_1(published: Published) -> Finding:
    """Figures 1 and 5 plot accuracies that Table 2 of the same version does not print."""
    table, figure = published("efficientnet/table2"), published("efficientnet/figure1")
    steps, unequal, total = [], 0, 0
    for version in ("v5", "icml"):
        printed = {row["model"]: row["top1_pct"] for row in some(table, version=version)}
        plotted = [
            (row["model"], row["top1_pct"])
            for row in figure
            if row["version"] in (version, "both") and row["model"].startswith("EfficientNet-B")
        ]
        pairs = [(name, value, printed[name]) for name, value in plotted if name in printed]
        other = [pair for pair in pairs if float(pair[1]) != float(pair[2])]
        unequal, total = unequal + len(other), total + len(pairs)
        shown = ", ".join(f"{name.removeprefix('EfficientNet-')} {drawn} for {said}" for name, drawn, said in other)
        steps.append(f"{version}: {len(other)} of {len(pairs)} points differ (plotted for printed): {shown or '–'}.")
    return Finding(
        name="figure-1-accuracies",
        title="Figure 1 does not plot Table 2",
        claim="Figure 1 plots B0 to B7 of Table 2 (accuracy against parameters).",
        steps=(*steps, f"Together {unequal} of {total}."),
        conclusion="Figure 1 was drawn with other accuracies than those of Table 2 in the same version of the paper.",
        holds=unequal > 0,
        sources=sources(table[:1], figure[:1]),
    )
