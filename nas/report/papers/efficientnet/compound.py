"""The grid of EfficientNet's section 3, which the paper does not publish, and what its coefficients imply."""

from __future__ import annotations

import math

from nas.grid import Constraint, Grid, Member, grid
from nas.report.papers.efficientnet.scaled import scaled
from nas.report.papers.facts import facts, number
from nas.report.papers.figure import Axis, Figure, Series
from nas.report.papers.networks import closed, closed_cost, counted
from nas.report.papers.paper import Section
from nas.report.table import Cell, Column, Table, text

ALPHA, BETA, GAMMA = 1.2, 1.1, 1.15  # section 4, step 1
STEP, TOLERANCE = 0.05, 0.1  # ours: the paper states neither


def search() -> Section:
    """Every (α, β, γ) with α·β²·γ² ≈ 2 on B0, each network once, under both constraints."""
    base = closed("efficientnet-b0")
    nominal, real = (grid(base, step=STEP, tolerance=TOLERANCE, constraint=constraint) for constraint in _BOTH)
    low, middle, high = nominal.real_range
    member = next((one for one in nominal.members if (ALPHA, BETA, GAMMA) in one.triples), None)
    paper = closed_cost(scaled(base, (ALPHA, BETA, GAMMA)))
    said = [
        "The paper fixes φ = 1, assumes twice the resources and searches α, β, γ with α·β²·γ² ≈ 2; it publishes "
        f"neither step, range nor tolerance. Here: step {STEP:g}, range 1 to 2, within {TOLERANCE:g} of 2.",
        f"{nominal.passed} of {nominal.considered} triples pass and build {len(nominal.members)} distinct networks, "
        f"which cost {low:.2f} to {high:.2f} times B0 (median {middle:.2f}): nominal is not real.",
        f"1.2 · 1.1² · 1.15² = {ALPHA * BETA**2 * GAMMA**2:.4f}. "
        + (f"Built at {member.arch.resolution} px it costs {member.real:.2f} times B0; " if member else "")
        + f"at {round(base.resolution * GAMMA)} px, the nearest whole number to 1.15 × {base.resolution}, "
        f"{paper.flops / closed_cost(base).flops:.2f} times.",
    ]
    tables = (_summary((nominal, real)), _members(nominal))
    return Section(
        "grid", "Section 3: the grid of α, β, γ", tuple(said), tables=tables, figures=(_figure(nominal, real),)
    )


def implied() -> Section:
    """The φ that each published coefficient implies."""
    columns = (
        Column("model", "model"),
        *(Column(key, label, "number") for key, label in (
            ("depth", "d, published"), ("width", "w, published"), ("px", "px, published"),
            ("phi_depth", "φ of d"), ("phi_width", "φ of w"), ("phi_resolution", "φ of px"),
            ("log2_flops", "log₂ of FLOPs ÷ B0's"),
        )),
        Column("source", "source"),
    )  # fmt: skip
    base = closed_cost(closed("efficientnet-b0")).flops
    rows = []
    for row in facts("efficientnet/coefficients"):
        if row["model"].rsplit("-", 1)[-1] not in {f"B{size}" for size in range(8)}:
            continue
        depth, width, side = (number(row[key]) for key in ("depth", "width", "resolution"))
        phis = (
            math.log(depth) / math.log(ALPHA),
            math.log(width) / math.log(BETA),
            math.log(side / 224) / math.log(GAMMA),
            math.log2(closed_cost(closed(row["model"].lower())).flops / base),
        )
        cells = (Cell(row[key], number(row[key])) for key in ("depth", "width", "resolution"))
        found = (Cell(f"{phi:.2f}", round(phi, 4)) for phi in phis)
        rows.append((text(row["model"]), *cells, *found, text(row["source"])))
    table = Table("implied-phi", "The φ that each published coefficient implies", columns, tuple(rows))
    said = "φ = ln d ÷ ln 1.2 = ln w ÷ ln 1.1 = ln (px ÷ 224) ÷ ln 1.15, if there were one φ; no row has one."
    return Section("phi", "Section 4: the φ of B1 to B7", (said,), tables=(table,))


_BOTH: tuple[Constraint, Constraint] = ("nominal", "real")


def _summary(grids: tuple[Grid, ...]) -> Table:
    columns = (
        Column("constraint", "constraint"),
        *(Column(key, label, "number") for key, label in (
            ("triples", "triples"), ("passed", "pass"), ("networks", "distinct networks"),
            ("real_low", "lowest real cost"), ("real_median", "median"), ("real_high", "highest"),
        )),
    )  # fmt: skip
    words = {"nominal": "|α·β²·γ² − 2| < 0.1", "real": "|FLOPs ÷ B0's − 2| < 0.1"}
    rows = tuple(
        (text(f"{one.constraint}: {words[one.constraint]}"), text(one.considered), text(one.passed),
         text(len(one.members)), *(Cell(f"{cost:.3f}", round(cost, 6)) for cost in one.real_range))
        for one in grids
    )  # fmt: skip
    return Table("grid", "The grid under both constraints (real cost in multiples of B0's FLOPs)", columns, rows)


def _members(found: Grid) -> Table:
    columns = (
        *(Column(key, label, "number") for key, label in (
            ("alpha", "α"), ("beta", "β"), ("gamma", "γ"), ("nominal", "α·β²·γ²"), ("real", "real cost"),
            ("px", "px"), ("params", "params"), ("flops", "FLOPs"), ("triples", "triples that build it"),
        )),
        Column("network", "network", "code"),
    )  # fmt: skip
    rows = tuple(
        (text(one.alpha), text(one.beta), text(one.gamma), Cell(f"{one.nominal:.3f}", round(one.nominal, 6)),
         Cell(f"{one.real:.3f}", round(one.real, 6)), text(one.arch.resolution), counted(one.cost.params),
         counted(one.cost.flops), text(len(one.triples)), Cell(str(one.arch), str(one.arch)))
        for one in found.members
    )  # fmt: skip
    return Table("grid-members", "The distinct networks of the nominal grid", columns, rows)


def _figure(nominal: Grid, real: Grid) -> Figure:
    ours = next((one for one in nominal.members if (ALPHA, BETA, GAMMA) in one.triples), None)
    series = [
        _series("within 0.1 of 2, nominal", nominal.members, 0),
        _series("within 0.1 of 2, built", real.members, 4),
    ]
    if ours is not None:
        x, y = (ALPHA * BETA**2 * GAMMA**2,), (ours.real,)  # the member stands under its triple nearest 2
        said = (f"({ALPHA}, {BETA}, {GAMMA})",)
        series.append(Series("the paper's (1.2, 1.1, 1.15)", "computed", x, y, said, line=False, style=1))
    across, up = Axis("nominal cost α·β²·γ²"), Axis("real cost: FLOPs ÷ B0's")
    caption = (
        "One mark a distinct network, at the triple nearest 2 of those that build it. Rounding (layers up, channels to "
        "8, pixels to 8) decides what is built; the nominal constraint does not see it."
    )
    return Figure("grid", "Nominal and real cost of the grid on B0", caption, across, up, tuple(series))


def _series(name: str, members: tuple[Member, ...], style: int) -> Series:
    x, y = tuple(one.nominal for one in members), tuple(one.real for one in members)
    labels = tuple(f"({one.alpha:g}, {one.beta:g}, {one.gamma:g})" for one in members)
    return Series(name, "computed", x, y, labels, line=False, style=style)
