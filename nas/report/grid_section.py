"""The compound grid of a study on its page: what was found, the triangle of triples, costs, candidates, networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Literal

from nas.arch import Architecture, ArchitectureError, parse
from nas.choice import Answer, Choice, choose
from nas.cost import cost
from nas.errors import NasError
from nas.grid import Grid, Member, Triple, grid, rungs
from nas.measured_grid import BASE_MARK, PAPER_MARK, ChoiceError, Measured, measured
from nas.recipe import GridOptions, Recipe
from nas.record import Record
from nas.report.choice import QUESTIONS, same_network, sentences
from nas.report.choice_page import METHOD, figure
from nas.report.choice_tables import candidates_table, networks_table
from nas.report.figures import Drawing, place, plots
from nas.report.papers.figure import Axis, Figure, Series
from nas.report.papers.interactive import draw
from nas.report.table import to_html
from nas.report.triangle import Spot, surface, triangle
from nas.scaling import Factors
from nas.space_file import load_architecture

_MOST = 300_000  # triples of a grid that are gone through for a page; beyond, only what was measured is drawn
_AT = {"flops": "equal FLOPs", "step": "equal step time"}
_ACCURACY = "mean top-1 (%)"


@dataclass(frozen=True, slots=True)
class GridSection:
    """The body of the section as HTML, with places for its drawings."""

    html: str
    drawings: tuple[Drawing, ...]


def grid_section(records: Iterable[Record], recipe: Recipe) -> GridSection | None:
    """The section of a measured grid; None for another study."""
    if recipe.grid is None:
        return None
    known = tuple(records)
    networks = measured(known, recipe.grid)
    choice, why = _choice(networks, recipe.grid)
    planned = _planned(known, recipe.grid)
    parts = _found(choice) if choice else [f'<div class="card"><p>No answer yet: {escape(why)}.</p></div>']
    shares, space = _views(networks, choice, planned, known, recipe.grid)
    first = [drawing for drawing in (shares,) if drawing] + _costs(networks, choice, planned)
    if first:
        parts.append(f'<div class="grid pair">{plots(first)}</div>')
    if space:
        parts.append(f"<details><summary>{escape(space.title)}</summary><div>{place(space)}</div></details>")
    if choice:
        parts += _tables(choice)
    return GridSection("\n".join(parts), (*first, *([space] if space else [])))


def _found(choice: Choice) -> list[str]:
    """Each answer as a tile, the sentences on the answers, and behind a click how far to trust them."""
    tiles = "".join(
        f'<div class="tile"><b>{escape(big)}</b><span>{escape(small)}</span></div>'
        for answer in choice.answers
        for big, small in _tiles(answer)
    )
    said = sentences(choice)
    first = [one for one in said if one.startswith((*QUESTIONS.values(), "The paper's"))]
    rest = [one for one in said if one not in first]
    return [
        f'<div class="tiles">{tiles}</div>' if tiles else "",
        f'<div class="card">{_list(first)}</div>' if first else "",
        f"<details><summary>How far to trust it; one dimension alone</summary><div>{_list(rest)}</div></details>",
    ]


def _list(said: Sequence[str]) -> str:
    items = "\n".join(f"<li>{escape(sentence)}</li>" for sentence in said)
    return f'<ul class="findings">\n{items}\n</ul>'


def _tiles(answer: Answer) -> Iterable[tuple[str, str]]:
    kept, at = len(answer.contenders), _AT[answer.question]
    if answer.decided:
        yield answer.best.measured.name, f"the best at {at}"
    elif answer.compared:
        yield answer.best.measured.name, f"leads at {at}; {kept} of {len(answer.candidates)} may be the best"
    if answer.paper and answer.paper is not answer.best:
        one = answer.paper
        place = answer.candidates.index(one) + 1
        yield (
            f"{place} of {len(answer.candidates)}",
            (f"the paper's at {at}, {one.behind:.1f} ± {one.behind_error:.1f} points below"),
        )


def _choice(networks: Sequence[Measured], options: GridOptions) -> tuple[Choice | None, str]:
    try:
        return _chosen(tuple(networks), options.target, options.band), ""
    except ChoiceError as error:
        return None, "; ".join(filter(None, (str(error), error.hint)))


@lru_cache(maxsize=4)  # sections and figures are asked for one after the other, and 10,000 redraws take a while
def _chosen(networks: tuple[Measured, ...], target: float, band: float) -> Choice:
    return choose(networks, target=target, band=band)


def _tables(choice: Choice) -> list[str]:
    method = escape(METHOD.replace("*", ""))
    shown = [(QUESTIONS[answer.question], candidates_table(choice, answer)) for answer in choice.answers]
    shown.append(("Every network of the grid", networks_table(choice)))
    return [
        *(
            f'<h3 class="table">{escape(title)}</h3>\n<p class="caption">{escape(table.caption)}</p>\n'
            f"{to_html(table, sortable=True)}"
            for title, table in shown
        ),
        f'<details><summary>How the answer is found</summary><div><p class="caption">{method}</p></div></details>',
    ]


def _views(
    networks: Sequence[Measured],
    choice: Choice | None,
    planned: Sequence[Member],
    records: Sequence[Record],
    options: GridOptions,
) -> tuple[Drawing | None, Drawing | None]:
    """(the triangle, the surface in space), where there is something to draw."""
    base = next((one for one in networks if one.mark == BASE_MARK), None)
    spots = [_spot(one, choice, base) for one in networks]
    unmeasured = _unmeasured(planned, networks, records)
    spots += unmeasured
    if not spots:
        return None, None
    caption = f"{len(networks):,} networks are measured; each mark is one, where its (α, β, γ) spends its cost"
    caption += f"; {len(unmeasured):,} hollow ones are not measured." if unmeasured else "."
    caption += " Nothing is drawn between the marks."
    if base:
        caption += f" The base has {base.accuracy:.2f} %."
    return triangle(spots, _ACCURACY, caption), surface(spots, options.target)


def _spot(one: Measured, choice: Choice | None, base: Measured | None) -> Spot:
    lines = [f"{one.name} {_mark(one)}".rstrip(), f"nominal {Factors(*one.triple).product:.3f}"]
    if base:
        lines[1] += f" · built {one.flops / base.flops:.2f} × the base's FLOPs"
    noise = f" ± {2 * choice.noise.deviation / len(one.accuracies) ** 0.5:.2f}" if choice else ""
    lines.append(f"top-1 {one.accuracy:.2f}{noise} %, {len(one.accuracies)} seeds")
    if one.timed:
        lines.append(f"step {1e3 * one.timed.step_s:.1f} ms")
    if same_network(one):
        lines.append(f"built by {same_network(one)}")
    lines.append(f"#{one.order} · {parse(one.arch).resolution} px")
    return Spot(one.triple, one.accuracy, tuple(lines), _said(one, choice))


def _mark(one: Measured) -> str:
    return {PAPER_MARK: "the paper's", BASE_MARK: "the base"}.get(one.mark, "")


def _said(one: Measured, choice: Choice | None) -> str:
    """What is written beside the mark: the paper's; that it leads at one cost, or at both."""
    words = ["the paper's"] if one.mark == PAPER_MARK else []
    leads = [
        answer
        for answer in (choice.answers if choice else ())
        if answer.compared and answer.best.measured.arch == one.arch
    ]
    if leads and choice and len(leads) == len(choice.answers):
        words.append("leads" if all(answer.decided for answer in leads) else "leads, not decided")
    else:
        words += [f"leads at {_AT[answer.question]}" for answer in leads]
    return ", ".join(words)


def _unmeasured(planned: Sequence[Member], networks: Sequence[Measured], records: Sequence[Record]) -> list[Spot]:
    done = {parse(one.arch).id for one in networks}
    state = {record.id: record for record in records}
    found = []
    for member in planned:
        if member.arch.id not in done:
            triple = member.alpha, member.beta, member.gamma
            lines = (_name(triple), f"nominal {member.nominal:.3f} · built {member.real:.2f} × the base's FLOPs")
            found.append(Spot(triple, None, (*lines, _why(state.get(member.arch.id)))))
    return found


def _why(record: Record | None) -> str:
    if record is None:
        return "not run yet"
    return f"failed: {record.reason[:80]}" if record.state == "failed" else record.state


def _planned(records: Sequence[Record], options: GridOptions) -> tuple[Member, ...]:
    """Every network of the closed grid; none where its base is not known, or it is too large for a page."""
    marked = next((record.arch for record in records if record.baseline == BASE_MARK), "")
    try:
        base = parse(marked) if marked else _named(options.base)
        if len(rungs(*options.range, options.step)) ** 3 > _MOST:
            return ()
        return _closed(
            base, options.target, options.step, options.tolerance, options.constraint, options.range, options.pixels
        ).members
    except NasError:
        return ()


def _named(base: str) -> Architecture:
    try:
        return parse(base)
    except ArchitectureError:
        return load_architecture(base)


@lru_cache(maxsize=4)  # a page that follows a study asks again with every trial
def _closed(  # noqa: PLR0913, PLR0917
    base: Architecture,
    target: float,
    step: float,
    tolerance: float,
    constraint: Literal["nominal", "real"],
    bounds: tuple[float, float],
    pixels: int,
) -> Grid:
    return grid(
        base, target=target, step=step, tolerance=tolerance, constraint=constraint,
        low=bounds[0], high=bounds[1], pixels=pixels, most=_MOST,
    )  # fmt: skip


def _costs(networks: Sequence[Measured], choice: Choice | None, planned: Sequence[Member]) -> list[Drawing]:
    """Nominal against real cost, then accuracy over each cost."""
    base = next((one for one in networks if one.mark == BASE_MARK), None)
    found = [] if base is None or len(networks) < 2 else [draw(nominal_real(networks, base, planned))]
    return found + ([draw(figure(choice, answer)) for answer in choice.answers] if choice else [])


def nominal_real(networks: Sequence[Measured], base: Measured, planned: Sequence[Member]) -> Figure:
    """What the triple promises against what it builds: measured ones filled, the rest hollow."""
    done = {parse(one.arch).id for one in networks}
    own = cost(parse(base.arch)).flops
    groups: Mapping[str, list[tuple[float, float, str]]] = {
        "measured": [_promise(one, own) for one in networks if not one.mark],
        "the paper's triple": [_promise(one, own) for one in networks if one.mark == PAPER_MARK],
        "the base": [_promise(base, own)],
        "not measured": [
            (m.nominal, m.real, _name((m.alpha, m.beta, m.gamma))) for m in planned if m.arch.id not in done
        ],
    }
    styles = {"measured": 1, "the paper's triple": 0, "the base": 2, "not measured": 3}
    series = [_series(name, group, styles[name]) for name, group in groups.items() if group]
    every = [point for group in groups.values() for point in group]
    ends = min(x for x, _, _ in every), max(x for x, _, _ in every)
    series.append(Series("real = nominal", "computed", ends, ends, ("", ""), style=4, marks=False))
    return Figure(
        "nominal-real", "Nominal against real cost",
        "One mark a network: what α·β²·γ² promises, and the FLOPs that it builds, before any proxy. Rounding channels, "
        "layers and pixels moves it off the line.",
        Axis("nominal cost α·β²·γ²"), Axis("FLOPs, built / base"), tuple(series),
    )  # fmt: skip


def _series(name: str, group: Sequence[tuple[float, float, str]], style: int) -> Series:
    x, y, labels = (tuple(point[part] for point in group) for part in range(3))
    return Series(name, "computed", x, y, labels, line=False, style=style, hollow=name == "not measured")  # type: ignore[arg-type]


def _promise(one: Measured, own: float) -> tuple[float, float, str]:
    return Factors(*one.triple).product, cost(parse(one.arch)).flops / own, f"{one.name} {_mark(one)}".rstrip()


def _name(triple: Triple) -> str:
    return f"({', '.join(f'{value:g}' for value in triple)})"
