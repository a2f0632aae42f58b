"""The compound grid's triples in a triangle: what share of its cost each spends on depth, width and resolution.

On α·β²·γ² = target the shares log α, 2 log β and 2 log γ of log target sum to one, so the whole surface of equation 3
of arXiv:1905.11946 lies flat in a triangle with all depth, all width and all resolution in its corners. Of a triple
whose product is not the target, the shares are those of its own product.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go

from nas.grid import Triple
from nas.report.figures import Drawing
from nas.scaling import Factors

_LINE = "rgba(128,138,148,0.38)"  # greys that show on the light ground and on the dark
_EDGE = "rgba(128,138,148,0.95)"
_NEAR = 0.01  # of the whole: marks that lie as close are one to the eye, and say what else is there
_CAMERA = {"eye": {"x": 1.75, "y": 1.45, "z": 0.75}, "center": {"x": 0, "y": 0, "z": -0.2}}
_SURFACE = 25  # lines each way over the surface in space


@dataclass(frozen=True, slots=True)
class Spot:
    """One network at its triple. `value` is what its colour shows, None where that is not known; `told`: what the
    pointer shows, plain text; `mark`: what is written beside it."""

    triple: Triple
    value: float | None
    told: tuple[str, ...]
    mark: str = ""

    @property
    def shares(self) -> Triple | None:
        """Of depth, width and resolution; None for the base, and for a factor below 1."""
        alpha, beta, gamma = self.triple
        product = Factors(alpha, beta, gamma).product
        if min(self.triple) < 1 or product <= 1:
            return None
        whole = math.log(product)
        return math.log(alpha) / whole, 2 * math.log(beta) / whole, 2 * math.log(gamma) / whole


def triangle(spots: Sequence[Spot], value: str, caption: str) -> Drawing | None:
    """The networks in the triangle, coloured by `value` (its name and unit); None where none has shares."""
    placed = [(spot, shares) for spot in spots for shares in [spot.shares] if shares]
    if not placed:
        return None
    placed.sort(key=lambda one: -math.inf if one[0].value is None else one[0].value)  # the highest lies on top
    hollow = [one for one in placed if one[0].value is None]
    filled = [one for one in placed if one[0].value is not None]
    traces = [_hollow(hollow, placed)] if hollow else []
    traces += [_filled(filled, placed, value)] if filled else []
    traces += [_ring(group) for group in _marked(placed)]
    figure = go.Figure(data=traces)
    figure.update_layout(
        template=go.layout.Template(),
        ternary={
            "sum": 1,
            "bgcolor": "rgba(0,0,0,0)",
            "aaxis": _side("all depth", 60),
            "baxis": _side("all width", 0),
            "caxis": _side("all resolution", -60),
        },
        showlegend=False,
        hovermode="closest",
        hoverlabel={"align": "left"},
        margin={"l": 64, "r": 64, "t": 36, "b": 8},
        autosize=True,
    )
    caption += " A corner spends all on one dimension, the middle the same on each."
    outside = len(spots) - len(placed)
    if outside:
        caption += f" The base spends nothing and has no place here{_and_below(spots)}."
    return Drawing("triangle", "Where the cost goes: depth, width or resolution", caption, figure)


def surface(spots: Sequence[Spot], target: float) -> Drawing:
    """The networks in (α, β, γ) itself, on the surface α·β²·γ² = target."""
    known = [spot for spot in spots if spot.value is not None]
    unknown = [spot for spot in spots if spot.value is None]
    traces = [_sheet(target)]
    traces += [_in_space(unknown, {"color": _EDGE, "symbol": "circle-open", "size": 3})] if unknown else []
    colours = {"color": [spot.value for spot in known], "size": 5, "colorscale": "Cividis"}
    traces += [_in_space(known, colours)] if known else []
    named = [spot for spot in spots if spot.mark]
    signs = ["square-open" if _is_paper(spot.mark) else "diamond-open" for spot in named]
    traces += [_in_space(named, {"color": _EDGE, "symbol": signs, "size": 9}, text=True)] if named else []
    figure = go.Figure(data=traces)
    axes = {
        f"{letter}axis": {"title": {"text": name}, "gridcolor": _LINE, "showbackground": False, "zeroline": False}
        for letter, name in (("x", "β width"), ("y", "γ resolution"), ("z", "α depth"))
    }
    figure.update_layout(
        template=go.layout.Template(),
        scene={
            **axes,
            "aspectmode": "cube",
            "camera": _CAMERA,
            "bgcolor": "rgba(0,0,0,0)",
        },
        showlegend=False,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        autosize=True,
    )
    caption = (
        f"The grey sheet is α·β²·γ² = {target:g}; colours as in the triangle, which shows the same where a browser "
    )
    caption += "has no WebGL. Drag to turn it."
    return Drawing("surface", "In space: α, β and γ themselves", caption, figure)


def _sheet(target: float) -> go.Surface:
    """α·β²·γ² = target, from corner to corner."""
    steps = [place / (_SURFACE - 1) for place in range(_SURFACE)]
    return go.Surface(
        x=[[target ** ((1 - depth) * width / 2) for width in steps] for depth in steps],
        y=[[target ** ((1 - depth) * (1 - width) / 2) for width in steps] for depth in steps],
        z=[[target**depth for _ in steps] for depth in steps],
        showscale=False,
        opacity=0.35,
        colorscale=[[0, "#858d95"], [1, "#858d95"]],
        hoverinfo="skip",
    )


def _and_below(spots: Iterable[Spot]) -> str:
    below = sum(min(spot.triple) < 1 for spot in spots)
    if not below:
        return ""
    return f"; nor {'has one network' if below == 1 else f'have {below:,} networks'} with a factor below 1"


def _side(title: str, angle: int) -> dict[str, Any]:
    return {
        "title": {"text": title, "font": {"size": 13}},
        "tickformat": ".0%",
        "tickvals": [0.2, 0.4, 0.6, 0.8],
        "tickfont": {"size": 11},
        "tickangle": angle,
        "ticklen": 4,
        "tickcolor": _LINE,
        "gridcolor": _LINE,
        "linecolor": _EDGE,
        "layer": "below traces",
    }


def _scale(value: str) -> dict[str, Any]:
    bar = {
        "title": {"text": value, "side": "top", "font": {"size": 12}},
        "orientation": "h",
        "thickness": 10,
        "len": 0.8,
    }
    bar |= {"y": -0.12, "yanchor": "top", "x": 0.5, "xanchor": "center", "outlinewidth": 0, "tickfont": {"size": 11}}
    return {"colorscale": "Cividis", "showscale": True, "colorbar": {**bar, "nticks": 5}}


_Placed = tuple[Spot, Triple]


def _points(group: Sequence[_Placed]) -> dict[str, Any]:
    return {key: [round(shares[place], 6) for _, shares in group] for place, key in enumerate(("a", "b", "c"))} | {
        "hovertemplate": "%{text}<extra></extra>"
    }


def _filled(group: Sequence[_Placed], all_placed: Sequence[_Placed], value: str) -> go.Scatterternary:
    size = 12 if len(all_placed) <= 150 else 8 if len(all_placed) <= 1_000 else 5
    line = {"width": 1 if size > 5 else 0, "color": _EDGE}
    marker = {"color": [spot.value for spot, _ in group], "size": size, "line": line, **_scale(value)}
    return go.Scatterternary(
        mode="markers", marker=marker, text=_hovers(group, all_placed), cliponaxis=False, **_points(group)
    )


def _hollow(group: Sequence[_Placed], all_placed: Sequence[_Placed]) -> go.Scatterternary:
    marker = {"symbol": "circle-open", "size": 7 if len(all_placed) <= 1_000 else 4, "line": {"width": 1.2}}
    return go.Scatterternary(
        mode="markers",
        marker=marker,
        text=_hovers(group, all_placed),
        meta={"role": "dominated"},
        cliponaxis=False,
        **_points(group),
    )


def _marked(placed: Sequence[_Placed]) -> list[tuple[str, list[_Placed]]]:
    groups: dict[str, list[_Placed]] = defaultdict(list)
    for spot, shares in placed:
        if spot.mark:
            groups[spot.mark].append((spot, shares))
    return list(groups.items())


def _ring(group: tuple[str, list[_Placed]]) -> go.Scatterternary:
    """A sign around the networks of one mark, with its word."""
    mark, placed = group
    paper = _is_paper(mark)
    return go.Scatterternary(
        mode="markers+text",
        marker={"symbol": "square-open" if paper else "diamond-open", "size": 20, "line": {"width": 2}},
        text=[f"<b>{escape(mark)}</b>"] * len(placed),
        textposition="bottom center" if paper else "top center",
        textfont={"size": 12},
        cliponaxis=False,
        hoverinfo="skip",
        meta={"role": "ink" if paper else "front"},
        **{key: value for key, value in _points(placed).items() if key != "hovertemplate"},
    )


def _is_paper(mark: str) -> bool:
    return "paper" in mark


def _hovers(group: Sequence[_Placed], all_placed: Sequence[_Placed]) -> list[str]:
    """What is told of each spot, and the names of what lies so close that the eye sees one mark."""
    cells: dict[tuple[int, int], list[_Placed]] = defaultdict(list)
    for one in all_placed:
        cells[_cell(one[1])].append(one)
    found = []
    for spot, shares in group:
        row, column = _cell(shares)
        near = [
            other.told[0]
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
            for other, place in cells.get((row + i, column + j), ())
            if other is not spot and max(abs(x - y) for x, y in zip(place, shares, strict=True)) < _NEAR
        ]
        more = f"also here: {'; '.join(near[:4])}{'; …' if len(near) > 4 else ''}" if near else ""
        found.append(_text((*spot.told, *([more] if more else []))))
    return found


def _cell(shares: Triple) -> tuple[int, int]:
    return math.floor(shares[0] / _NEAR), math.floor(shares[1] / _NEAR)


def _text(told: tuple[str, ...]) -> str:
    return "<br>".join((f"<b>{escape(told[0])}</b>", *map(escape, told[1:])))


def _in_space(group: Sequence[Spot], marker: dict[str, Any], *, text: bool = False) -> go.Scatter3d:
    hover = {"hoverinfo": "skip"} if text else {"hovertemplate": "%{text}<extra></extra>"}
    return go.Scatter3d(
        x=[spot.triple[1] for spot in group],
        y=[spot.triple[2] for spot in group],
        z=[spot.triple[0] for spot in group],
        mode="markers+text" if text else "markers",
        marker=marker,
        text=[spot.mark if text else _text(spot.told) for spot in group],
        **hover,
    )
