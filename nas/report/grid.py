"""A closed grid as people look at it: sentences, the table of its networks, every triple, nominal against real cost."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nas.arch import Architecture
from nas.cost import cost
from nas.grid import PAPER, Grid, Member, Triple, rungs
from nas.report.papers.figure import Axis, Figure, Series
from nas.report.table import Cell, Column, Table, copy_button, text, to_csv, to_html, to_markdown
from nas.report.write import WRITERS, ReportError, write_document
from nas.scaling import Factors, scale

if TYPE_CHECKING:
    from nas.report.triangle import Spot

_MOST_SPOTS = 3_000  # marks beyond which a figure in SVG no longer follows the pointer

_COLUMNS = (
    Column("alpha", "α", "number"),
    Column("beta", "β", "number"),
    Column("gamma", "γ", "number"),
    Column("nominal", "nominal", "number"),
    Column("flops_ratio", "FLOPs ×", "number"),
    Column("params_ratio", "params ×", "number"),
    Column("activations_ratio", "activations ×", "number"),
    Column("resolution", "px", "number"),
    Column("triples", "triples", "number"),
    Column("mark", "mark"),
    Column("id", "id"),
    Column("arch", "network", "code"),
)


@dataclass(frozen=True, slots=True)
class PaperTriple:
    """The paper's triple on this base: what its product promises and what it builds.

    `passed`: the triple itself is within the tolerance; `member`: the network it builds, where the grid holds that.
    """

    nominal: float
    real: float
    arch: Architecture
    passed: bool
    member: Member | None


def paper(grid: Grid) -> PaperTriple:
    """(1.2, 1.1, 1.15) built on the base with the roundings of the grid, whether or not it is a member."""
    alpha, beta, gamma = PAPER
    arch = scale(
        grid.base, depth=alpha, width=beta, resolution=gamma,
        divisor=grid.divisor, floor=grid.floor, pixels=grid.pixels,
    )  # fmt: skip
    real = cost(arch).flops / grid.base_cost.flops
    member = next((member for member in grid.members if member.arch == arch), None)
    passed = member is not None and PAPER in member.triples
    return PaperTriple(Factors(*PAPER).product, real, arch, passed, member)


def sentences(grid: Grid) -> tuple[str, ...]:
    """What was asked, how many passed, what the networks really cost, and where the paper's triple stands."""
    low, middle, high = grid.real_range
    what = "α·β²·γ²" if grid.constraint == "nominal" else "FLOPs of the built network over the base's"
    own = paper(grid)
    networks = f"{len(grid.members):,} distinct network{'s' if len(grid.members) > 1 else ''}"
    return (
        f"Of {grid.considered:,} triples with α, β, γ from {grid.low:g} to {grid.high:g} by {grid.step:g}, "
        f"{grid.passed:,} have {what} within {grid.tolerance:g} of {grid.target:g} (the edge is outside); "
        f"they build {networks}.",
        f"Built, these cost {low:.2f} to {high:.2f} times the base's FLOPs (median {middle:.2f}).{_coarse(grid)}",
        f"The paper's (1.2, 1.1, 1.15) is {own.nominal:.4f} nominally and builds {own.real:.2f} times the FLOPs at "
        f"{own.arch.resolution} px; it {_standing(grid, own)}.",
    )


def _coarse(grid: Grid) -> str:
    """A sentence where the roundings alone lead past the target: one step of pixels does, or no network is near."""
    side = grid.base.resolution
    larger = (side // grid.pixels + 1) * grid.pixels
    alone = (larger / side) ** 2
    if grid.high > 1 and 1 < grid.target + grid.tolerance < alone:
        return (
            f" Resolutions in multiples of {grid.pixels} are coarse for a base of {side} px: the first larger one, "
            f"{larger} px, alone costs {alone:.1f} times as much (--pixels 1 takes whole pixels)."
        )
    if any(abs(member.real - grid.target) < grid.tolerance for member in grid.members):
        return ""
    return (
        f" None is within {grid.tolerance:g} of {grid.target:g} as built: rounding pixels to {grid.pixels}, channels "
        f"to {grid.divisor} and layers up is coarse for this base."
    )


def _standing(grid: Grid, own: PaperTriple) -> str:
    if own.passed:
        return "passes"
    why = "does not pass" if set(PAPER) <= set(rungs(grid.low, grid.high, grid.step)) else "is no triple of this grid"
    if own.member is None:
        return why
    at = ", ".join(f"{value:g}" for value in (own.member.alpha, own.member.beta, own.member.gamma))
    return f"{why}, but its network is in it, as that of ({at})"


def members_table(grid: Grid) -> Table:
    """Every distinct network in the order of its triple, with its costs in multiples of the base."""
    caption = f"The {len(grid.members):,} networks; costs in multiples of the base"
    own = paper(grid).arch
    return Table("members", caption, _COLUMNS, tuple(_row(grid, member, own) for member in grid.members))


def triples_table(grid: Grid) -> Table:
    """Every triple that passed, with the network it builds."""
    columns = tuple(Column(key, key, "number") for key in ("alpha", "beta", "gamma", "nominal", "real"))
    rows = [
        ((*triple, Factors(*triple).product, member.real), member.arch)
        for member in grid.members
        for triple in member.triples
    ]
    rows.sort(key=lambda row: row[0])
    return Table(
        "triples", "Every triple that passed", (*columns, Column("id", "id"), Column("arch", "network", "code")),
        tuple((*(Cell(f"{value:g}", round(value, 10)) for value in numbers), text(arch.id), text(str(arch)))
              for numbers, arch in rows),
    )  # fmt: skip


def cost_figure(*grids: Grid) -> Figure:
    """Nominal against real cost of every network of grids over one base, the line on which the two are equal, and the
    paper's triple."""
    own = paper(grids[0])
    nominal = [own.nominal, *(member.nominal for grid in grids for member in grid.members)]
    ends = min(nominal), max(nominal)
    series = (
        *(_networks(grid, style) for grid, style in zip(grids, (0, 3), strict=False)),
        Series("real = nominal", "computed", ends, ends, ("", ""), style=4),
        Series("the paper's (1.2, 1.1, 1.15)", "computed", (own.nominal,), (own.real,),
               (f"the paper's, {own.arch.resolution} px",), line=False, style=1),
    )  # fmt: skip
    caption = "One mark a network, at the nominal cost of its triple nearest the target. Rounding channels, layers and "
    caption += "pixels moves it off the line."
    return Figure(
        "nominal-real", "Nominal against real cost", caption,
        Axis("nominal cost α·β²·γ²"), Axis("FLOPs, built / base"), series,
    )  # fmt: skip


def _networks(grid: Grid, style: int) -> Series:
    kind = "nominal" if grid.constraint == "nominal" else "built"
    x, y = tuple(member.nominal for member in grid.members), tuple(member.real for member in grid.members)
    labels = tuple(_label(member) for member in grid.members)
    name = f"{kind} cost within {grid.tolerance:g} of {grid.target:g}"
    return Series(name, "computed", x, y, labels, line=False, style=style)


def write_grid(grid: Grid, name: str, out: Path) -> Path:
    """Write report.html, README.md with its figure, tables/ and data/triples.csv into `out`; return the page.

    Raises: ReportError where `out` cannot be written.
    """
    from nas.report.papers.static import to_svg  # matplotlib takes half a second to load

    table = members_table(grid)
    documents = {f"tables/members.{kind}": writer(table) for kind, writer in WRITERS.items()}
    documents["data/triples.csv"] = to_csv(triples_table(grid))
    shown = cost_figure(grid)
    documents[f"figures/{shown.name}.svg"] = to_svg(shown)
    documents["README.md"] = "\n\n".join(
        [f"# The compound grid of {name}", "\n".join(f"- {s}" for s in sentences(grid)),
         f"![{shown.title}](figures/{shown.name}.svg)", shown.caption, to_markdown(table).rstrip()]
    ) + "\n"  # fmt: skip
    documents["report.html"] = _page(grid, name, table)
    try:
        for file, content in documents.items():
            write_document(out / file, content)
    except OSError as error:
        reason = f"{out}: the grid cannot be written: {error.strerror or error}"
        raise ReportError(reason, "name another folder with -o") from None
    return out / "report.html"


def document(grid: Grid) -> dict[str, object]:
    """The grid as JSON: what was asked, counts, the paper's triple, members."""
    own = paper(grid)
    return {
        "base": str(grid.base), "base_cost": asdict(grid.base_cost), "target": grid.target, "step": grid.step,
        "tolerance": grid.tolerance, "constraint": grid.constraint, "range": [grid.low, grid.high],
        "pixels": grid.pixels, "considered": grid.considered, "passed": grid.passed, "distinct": len(grid.members),
        "real_range": grid.real_range,
        "paper": {"triple": PAPER, "nominal": own.nominal, "real": own.real, "passed": own.passed,
                  "arch": str(own.arch)},
        "members": [
            {"alpha": m.alpha, "beta": m.beta, "gamma": m.gamma, "nominal": m.nominal, "real": m.real,
             "arch": str(m.arch), "id": m.arch.id, **asdict(m.cost), "triples": m.triples}
            for m in grid.members
        ],
    }  # fmt: skip


def _page(grid: Grid, name: str, table: Table) -> str:
    from nas.explorer.shell import fill
    from nas.report.figures import documents, place, plots  # plotly is loaded only when a page is drawn
    from nas.report.papers.interactive import draw
    from nas.report.triangle import surface, triangle

    spots, caption = _spots(grid)
    shown = [one for one in (triangle(spots, "FLOPs, built / base", caption),) if one] + [draw(cost_figure(grid))]
    space = surface(spots, grid.target)
    findings = "".join(f"<li>{sentence}</li>" for sentence in sentences(grid))
    base = f'<p class="notation"><code>{grid.base}</code> {copy_button(str(grid.base))}</p>'
    return fill(
        title=f"compound grid of {name} – nas",
        kind="compound grid",
        name=name,
        question="Which (α, β, γ) cost what equation 3 of arXiv:1905.11946 asks for, and what do they build?",
        sections=[
            ("findings", "What was found", f'<div class="card"><ul class="findings">{findings}</ul></div>'),
            ("costs", "Where the cost goes", f'<div class="grid pair">{plots(shown)}</div>'
             f"<details><summary>{space.title}</summary><div>{place(space)}</div></details>"),
            ("members", "The networks", to_html(table, sortable=True)),
            ("base", "The base", base),
        ],
        figures=documents([*shown, space]),
    )  # fmt: skip


def _spots(grid: Grid) -> tuple[list[Spot], str]:
    """Every triple that passed, where they are few enough to draw; else one for each network, or for some of them."""
    from nas.report.triangle import Spot

    own = paper(grid)
    ways: list[tuple[Triple, Member]] = [(triple, member) for member in grid.members for triple in member.triples]
    caption = f"Each mark is one of the {len(ways):,} triples that passed, coloured by what it costs once built."
    if len(ways) > _MOST_SPOTS:
        every = math.ceil(len(grid.members) / _MOST_SPOTS)
        ways = [((one.alpha, one.beta, one.gamma), one) for one in grid.members[::every]]
        caption = f"Each mark is one of the {len(grid.members):,} networks, coloured by what it costs"
        caption += f"; of {every} only one is drawn." if every > 1 else "."
    spots = [Spot(triple, member.real, _told(triple, member), _mark(triple, own)) for triple, member in ways]
    if not any(spot.mark for spot in spots):
        why = "not of this grid" if own.member is None else "its network is of this grid by another triple"
        lines = (_name(PAPER), f"the paper's: {why}", f"nominal {own.nominal:.4f} · built {own.real:.3f} × the base")
        spots.append(Spot(PAPER, own.real, lines, "the paper's"))
    return spots, caption


def _mark(triple: Triple, own: PaperTriple) -> str:
    return "the paper's" if triple == PAPER and own.passed else ""


def _told(triple: Triple, member: Member) -> tuple[str, ...]:
    lines = [
        _name(triple),
        f"nominal {Factors(*triple).product:.4f} · built {member.real:.3f} × the base",
        f"{member.arch.resolution} px · {member.arch.depth} blocks · {member.arch.stages[-1].channels} channels last",
    ]
    if len(member.triples) > 1:
        lines.append(f"{len(member.triples):,} triples build this network")
    return tuple(lines)


def _row(grid: Grid, member: Member, own: Architecture) -> tuple[Cell, ...]:
    base = grid.base_cost
    ratios = (
        member.real,
        member.cost.params / base.params,
        member.cost.activations / base.activations,
    )
    mark = "paper's" if member.arch == own else ""
    return (
        *(Cell(f"{value:g}", value) for value in (member.alpha, member.beta, member.gamma)),
        Cell(f"{member.nominal:.4f}", member.nominal),
        *(Cell(f"{ratio:.3f}", ratio) for ratio in ratios),
        Cell(str(member.arch.resolution), member.arch.resolution),
        Cell(str(len(member.triples)), len(member.triples)),
        Cell(mark, mark or None),
        text(member.arch.id),
        Cell(str(member.arch), str(member.arch)),
    )


def _label(member: Member) -> str:
    return f"{_name((member.alpha, member.beta, member.gamma))} {member.arch.resolution} px"


def _name(triple: Triple) -> str:
    return f"({', '.join(f'{value:g}' for value in triple)})"
