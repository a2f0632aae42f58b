"""The grid of EfficientNet's section 3, which the paper does not publish, and what its coefficients imply."""

from __future__ import annotations

import math
from dataclasses import replace

from nas.grid import PAPER, Constraint, Grid, grid
from nas.report.grid import cost_figure, members_table, sentences
from nas.report.papers.efficientnet.scaled import scaled
from nas.report.papers.facts import facts, number
from nas.report.papers.networks import closed, closed_cost
from nas.report.papers.paper import Section
from nas.report.table import Cell, Column, Table, text
from nas.scaling import implied_phi

STEP, TOLERANCE = 0.05, 0.1  # ours: the paper states neither
_BOTH: tuple[Constraint, Constraint] = ("nominal", "real")


def search() -> Section:
    """Every (α, β, γ) with α·β²·γ² ≈ 2 on B0, each network once, under both constraints."""
    base = closed("efficientnet-b0")
    nominal, real = (grid(base, step=STEP, tolerance=TOLERANCE, constraint=constraint) for constraint in _BOTH)
    whole = scaled(base, PAPER)
    said = (
        "The paper fixes φ = 1, assumes twice the resources and searches α, β, γ with α·β²·γ² ≈ 2; it publishes "
        "neither step, range nor tolerance: those here are ours.",
        *sentences(nominal),
        f"At {whole.resolution} px, the nearest whole number to {PAPER[2]} × {base.resolution}, the paper's network "
        f"costs {closed_cost(whole).flops / closed_cost(base).flops:.2f} times the base's FLOPs.",
    )
    members = replace(members_table(nominal), name="grid-members")
    figure = replace(cost_figure(nominal, real), name="grid", title="Nominal and real cost of the grid on B0")
    return Section(
        "grid", "Section 3: the grid of α, β, γ", said, tables=(_summary((nominal, real)), members), figures=(figure,)
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
    b0 = closed("efficientnet-b0")
    rows = []
    for row in facts("efficientnet/coefficients"):
        depth, width, side = (number(row[key]) for key in ("depth", "width", "resolution"))
        phis = [implied_phi(*pair) for pair in zip((depth, width, side / b0.resolution), PAPER, strict=True)]
        doublings = math.log2(closed_cost(closed(row["model"].lower())).flops / closed_cost(b0).flops)
        cells = (Cell(row[key], number(row[key])) for key in ("depth", "width", "resolution"))
        found = (Cell(f"{phi:.2f}", round(phi, 4)) for phi in (*phis, doublings))
        rows.append((text(row["model"]), *cells, *found, text(row["source"])))
    table = Table("implied-phi", "The φ that each published coefficient implies", columns, tuple(rows))
    said = "φ = ln d ÷ ln 1.2 = ln w ÷ ln 1.1 = ln (px ÷ 224) ÷ ln 1.15, if there were one φ; no row has one."
    return Section("phi", "Section 4: the φ of B1 to B7", (said,), tables=(table,))


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
