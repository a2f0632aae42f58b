"""How a search went, as figures: the hypervolume, the best so far, the trials in time, what moves a metric."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import plotly.graph_objects as go

from nas.report.analysis import Analysis, Result, axis
from nas.report.figures import Drawing, framed, hover, plain_axis
from nas.report.study import StudyReport
from nas.report.tables import unit
from nas.report.timeline import timeline

_MOST_DRAWN = 2_000  # marks beyond which a figure in SVG no longer follows the pointer; then the line stands alone
_BELOW_BUTTONS = 36  # px above a plot that begins at its very top: the buttons of plotly lie there
_LEGEND = {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0, "xanchor": "left", "font": {"size": 12}}


def drawings(study: StudyReport, analysis: Analysis) -> list[Drawing]:
    """Every figure on how the search went for which there is something to draw."""
    some = [history(analysis), *best_so_far(analysis), timeline(analysis.records)]
    return [drawing for drawing in some if drawing is not None] + importances(study.importance)


def history(analysis: Analysis) -> Drawing | None:
    """The hypervolume over the trials; None where no network has every objective."""
    past = analysis.history
    if not past.share:
        return None
    corner = ", ".join(f"{axis(key).label} {axis(key).format(value)}" for key, value in past.reference.items())
    best = ", ".join(f"{axis(key).label} {axis(key).format(value)}" for key, value in past.ideal.items())
    last = len(past.share) - 1
    kept = [place for place in range(last + 1) if last < _MOST_DRAWN or place in (0, last) or _rises(past.share, place)]
    line = go.Scatter(
        x=[place + 1 for place in kept],
        y=[round(past.share[place], 6) for place in kept],
        mode="lines",
        line={"shape": "hv", "width": 2},
        text=[f"<b>{escape(past.names[place])}</b><br>hypervolume {past.share[place]:.4f}" for place in kept],
        hovertemplate="%{text}<extra></extra>",
        meta={"role": "front"},
    )
    figure = framed([line], plain_axis("trials finished"), plain_axis("hypervolume", zero=True))
    figure.update_layout(margin={"t": _BELOW_BUTTONS})
    caption = (
        f"The share of the box between the reference point ({corner}: the worst seen, and a tenth of the range beyond) "
        f"and the ideal ({best}: the best seen of each) that the networks found so far dominate. Readings as measured."
    )
    return Drawing("history", "Hypervolume over the trials", caption, figure)


def _rises(share: tuple[float, ...], place: int) -> bool:
    return share[place] != share[place - 1]


def best_so_far(analysis: Analysis) -> list[Drawing]:
    """For every objective that was measured: each network, and the best within the limits so far. What is computed from
    the architecture alone says nothing of a search."""
    found = []
    for number, (key, _) in enumerate(analysis.objectives):
        known = [result for result in analysis.results if key in result.values and result.record.trial is not None]
        if axis(key).kind != "computed" and sum(result.feasible for result in known) > 1:
            found.append(_best_so_far(analysis, number, key, known))
    return found


def _best_so_far(analysis: Analysis, number: int, key: str, known: list[Result]) -> Drawing:
    metric = axis(key)
    best: list[Result] = []
    for result in known:
        if result.feasible and (not best or metric.sign * (result.values[key] - best[-1].values[key]) < 0):
            best.append(result)
    last = max(result.record.trial or 0 for result in known)
    steps = [*((one.record.trial, one) for one in best), (last, best[-1])]
    line = go.Scatter(
        x=[trial for trial, _ in steps],
        y=[one.values[key] for _, one in steps],
        mode="lines",
        name="best so far",
        line={"shape": "hv", "width": 2},
        text=[hover(analysis, one) for _, one in steps],
        hovertemplate="%{text}<extra></extra>",
        meta={"role": "front"},
    )
    marks = [
        _readings(analysis, key, [result for result in known if result.feasible is within], within)
        for within in (True, False)
        if len(known) <= _MOST_DRAWN and any(result.feasible is within for result in known)
    ]
    shown_unit = f" ({metric.unit})" if metric.unit and "/s" not in metric.unit else ""
    height = plain_axis(f"{escape(metric.label)}{shown_unit}")
    if metric.style in ("count", "rate"):
        height["tickformat"] = "~s"
    figure = framed([*marks, line], plain_axis("trial"), height)
    figure.update_layout(showlegend=True, legend=_LEGEND)
    value = f"{metric.format(best[-1].values[key])}{unit(metric)}"
    caption = (
        f"The best is {value}, of {best[-1].name}; {len(best)} of {len(known):,} networks were the best when they came."
    )
    caption += "" if marks else " Only the best are drawn: the others are too many to follow the pointer."
    return Drawing(f"best-{number}", f"{metric.label}, trial by trial", f"{caption} Readings as measured.", figure)


def _readings(analysis: Analysis, key: str, known: list[Result], within: bool) -> go.Scatter:
    return go.Scatter(
        x=[result.record.trial for result in known],
        y=[result.values[key] for result in known],
        mode="markers",
        name="a network" if within else "over a limit",
        marker={"symbol": "circle" if within else "x-thin-open", "size": 6, "line": {"width": 0 if within else 1.6}},
        text=[hover(analysis, result) for result in known],
        hovertemplate="%{text}<extra></extra>",
        meta={"role": "dominated" if within else "infeasible"},
    )


def importances(importance: Mapping[str, Mapping[str, float]], most: int = 12) -> list[Drawing]:
    """For every metric the cells of the space that explain most of its variation."""
    return [_importance(number, key, cells, most) for number, (key, cells) in enumerate(importance.items()) if cells]


def _importance(number: int, key: str, cells: Mapping[str, float], most: int) -> Drawing:
    ranked = sorted(cells.items(), key=lambda cell: (-cell[1], cell[0]))
    top = ranked[:most][::-1]  # plotly draws the first bar at the bottom
    bars = go.Bar(
        x=[share for _, share in top],
        y=[escape(cell) for cell, _ in top],
        orientation="h",
        text=[f"{share:.2f}" for _, share in top],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        meta={"role": "bar"},
    )
    label = axis(key).label
    categories: dict[str, Any] = {"automargin": True, "type": "category"}
    figure = framed([bars], plain_axis("importance", zero=True), categories)
    reach = 1.15 * max(share for _, share in top) or 1
    figure.update_layout(xaxis={"range": [0, reach]}, bargap=0.35, margin={"t": _BELOW_BUTTONS})
    caption = f"The share of the variation of {label} among the trials that each cell of the space explains"
    caption += f"; the first {most} of {len(ranked)}." if len(ranked) > most else "."
    caption += " The shares always sum to one: of values drawn at random, one cell of 28 still gets about .15."
    caption += " Of a search of more than 400 networks, 400 evenly spaced are asked."
    return Drawing(f"importance-{number}", f"What moves {label}", caption, figure)
