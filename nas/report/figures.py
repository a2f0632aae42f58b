"""The figures of a report as plotly figures. They name roles (front, tied, …); the style sheet gives the colours."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go

from nas.metric import Metric
from nas.pareto import on_front
from nas.report import labels, words
from nas.report.analysis import Analysis, Result, axis
from nas.report.tables import anchor, reading_text, unit

# role: (symbol, size in px); a second sign beside the colour, always
MARKS: dict[str, tuple[str, int]] = {
    "dominated": ("circle", 7),
    "unranked": ("circle-open", 7),
    "infeasible": ("x-thin-open", 8),
    "tied": ("diamond-open", 10),
    "front": ("diamond", 11),
}
_LOG_FROM = 3.0  # largest over smallest value from which a count or a rate is drawn on a log axis
_WRAP = 42  # characters a line of a hover label, so that it fits a phone


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure with its title, the sentence below it, and the id of its place on the page."""

    name: str
    title: str
    caption: str
    figure: go.Figure


def pairs(analysis: Analysis) -> list[tuple[str, str]]:
    """(x, y) of every panel: accuracy (else a score, else the first objective) over FLOPs, throughput, params and
    each further objective; only where some network has both."""
    known = [result.values for result in analysis.results]
    present = {key for values in known for key in values}
    goals = [key for key, _ in analysis.objectives]
    y = next((key for key in ("top1_pct", "rank_score", *goals) if key in present), None)
    wanted = dict.fromkeys(["flops", "train_images_per_s", "params", *goals])
    return [(x, y) for x in wanted if y and x != y and any(x in values and y in values for values in known)]


def panels(analysis: Analysis) -> list[Drawing]:
    """One Pareto panel for every pair."""
    return [_panel(analysis, x, y) for x, y in pairs(analysis)]


def _panel(analysis: Analysis, x: str, y: str) -> Drawing:
    known = (*analysis.results, *analysis.outside)
    shown = [result for result in known if x in result.values and y in result.values]
    over = [result for result in shown if not result.feasible]
    groups: dict[str, list[Result]] = {
        "dominated": [result for result in shown if result.status == "dominated"],
        "unranked": [result for result in shown if result.feasible and not result.status],
        "infeasible": over,
        "tied": [result for result in shown if result.status == "tied"],
        "front": [result for result in shown if result.status == "front"],
    }
    ranked = [result for result in shown if result.status]
    traces = [_step(ranked, x, y)] if ranked else []
    traces += [_marks(analysis, role, group, x, y) for role, group in groups.items() if group]
    ring = [result for result in shown if result.record.baseline]
    if ring:
        traces.append(_baselines(analysis, ring, x, y))
    axes = _metric_axis(axis(x), shown, x), _metric_axis(axis(y), shown, y)
    figure = framed(traces, *axes)
    figure.update_layout(annotations=_names(shown, {x: axes[0], y: axes[1]}))
    caption = words.plural(len(shown), "network")
    caption += f", {len(over)} of them over a limit" if over else ""
    line = f"the line joins those that no other beats in {axis(x).label} and {axis(y).label} alone, at face value"
    name = f"panel-{x}-{y}" if x.isidentifier() and y.isidentifier() else f"panel-{pairs(analysis).index((x, y))}"
    return Drawing(name, f"{axis(y).label} over {axis(x).label}", f"{caption}; {line}.", figure)


def _step(ranked: Sequence[Result], x: str, y: str) -> go.Scatter:
    goals = ((x, axis(x).goal), (y, axis(y).goal))
    members = on_front([result.values for result in ranked], goals)
    corners = sorted((r.values[x], r.values[y]) for r, member in zip(ranked, members, strict=True) if member)
    return go.Scatter(
        x=[corner[0] for corner in corners],
        y=[corner[1] for corner in corners],
        mode="lines",
        line={"shape": "hv" if axis(x).goal == "minimize" else "vh", "width": 1.5},
        hoverinfo="skip",
        meta={"role": "line"},
    )


def _marks(analysis: Analysis, role: str, group: Sequence[Result], x: str, y: str) -> go.Scatter:
    symbol, size = MARKS[role]
    noisy = role in ("front", "tied")
    return go.Scatter(
        x=[result.values[x] for result in group],
        y=[result.values[y] for result in group],
        error_x=_bars(group, x) if noisy else None,
        error_y=_bars(group, y) if noisy else None,
        mode="markers",
        marker={"symbol": symbol, "size": size, "line": {"width": 1.6 if symbol.endswith("open") else 0}},
        text=[hover(analysis, result) for result in group],
        customdata=[anchor(result) for result in group],
        hovertemplate="%{text}<extra></extra>",
        meta={"role": role},
    )


def _names(shown: Sequence[Result], axes: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The baselines' names as annotations; one that finds no room beside its mark gets a line to it."""
    logs = {key: settings.get("type") == "log" for key, settings in axes.items()}
    ends = {key: [end for result in shown for end in _ends(result, key, logs[key])] for key in axes}
    across, up = (labels.scale(ends[key], logs[key]) for key in axes)
    x, y = axes
    spots = [labels.Spot(across(result.values[x]), up(result.values[y])) for result in shown]
    drawn = list(spots)
    for result, spot in zip(shown, spots, strict=True):
        drawn += [labels.Spot(across(end), spot.y, 0.3) for end in _ends(result, x, logs[x], steps=4)]
        drawn += [labels.Spot(spot.x, up(end), 0.3) for end in _ends(result, y, logs[y], steps=4)]
    named = [(result, spot) for result, spot in zip(shown, spots, strict=True) if result.record.baseline]
    places = labels.place([(spot, result.record.baseline) for result, spot in named], drawn)
    return [
        {
            "text": f"<b>{escape(result.record.baseline)}</b>",
            "x": math.log10(result.values[x]) if logs[x] else result.values[x],
            "y": math.log10(result.values[y]) if logs[y] else result.values[y],
            **(
                {"showarrow": True, "ax": at.dx, "ay": -at.dy, "arrowhead": 0, "arrowwidth": 1, "standoff": 9}
                if at.leader
                else {"showarrow": False, "xshift": at.dx, "yshift": at.dy}
            ),
        }
        for (result, _), at in zip(named, places, strict=True)
    ]


def _ends(result: Result, key: str, log: bool, steps: int = 1) -> list[float]:
    """The value and points along the noise that is drawn of it, `steps` to each side."""
    value, spread = result.values[key], result.spreads.get(key, 0.0)
    if not spread or not (result.status in ("front", "tied") or result.record.baseline):
        return [value]
    ends = [value + spread * n / steps for n in range(-steps, steps + 1)]
    return [end for end in ends if end > 0 or not log]


def _baselines(analysis: Analysis, ring: Sequence[Result], x: str, y: str) -> go.Scatter:
    """A ring around every baseline."""
    return go.Scatter(
        x=[result.values[x] for result in ring],
        y=[result.values[y] for result in ring],
        error_x=_bars(ring, x),
        error_y=_bars(ring, y),
        mode="markers",
        marker={"symbol": "square-open", "size": 15, "line": {"width": 2}},
        text=[hover(analysis, result) for result in ring],
        customdata=[anchor(result) for result in ring],
        hovertemplate="%{text}<extra></extra>",
        meta={"role": "baseline"},
    )


def hover(analysis: Analysis, result: Result) -> str:
    """What the pointer shows of a network: name, status, every metric, the notation; escaped for plotly."""
    lines = [f"<b>{escape(result.name)}</b> {escape(result.stands if result.feasible else words.limits(result))}"]
    for key in analysis.measured:
        if key in result.values:
            metric = axis(key)
            reading = reading_text(metric, result.values[key], result.spreads.get(key))
            lines.append(f"{escape(metric.label)} {reading}{unit(metric)}")
    lines += [escape(part) for part in textwrap.wrap(result.record.arch, _WRAP)]
    return "<br>".join(lines)


def _bars(group: Sequence[Result], key: str) -> dict[str, Any] | None:
    spreads = [result.spreads.get(key, 0.0) for result in group]
    return {"type": "data", "array": spreads, "thickness": 1, "width": 3} if any(spreads) else None


def _metric_axis(metric: Metric, shown: Sequence[Result], key: str) -> dict[str, Any]:
    values = [result.values[key] for result in shown]
    log = metric.style in ("count", "rate") and min(values) > 0 and max(values) >= _LOG_FROM * min(values)
    shown_unit = f" ({metric.unit})" if metric.unit and "/s" not in metric.unit else ""
    arrow = "→ better" if metric.goal == "maximize" else "← better"
    settings = plain_axis(f"{escape(metric.label)}{shown_unit}  {arrow}")
    if metric.style in ("count", "rate"):
        settings["tickformat"] = "~s"
    if min(values) == max(values):  # or plotly spreads rounding errors over the whole axis
        room = 0.1 * abs(values[0]) or 1.0
        settings["range"] = [values[0] - room, values[0] + room]
    if log:
        settings |= {"type": "log", "tickmode": "array", "tickvals": log_ticks(min(values), max(values))}
    return settings


def log_ticks(low: float, high: float) -> list[float]:
    """Round values in and just around [low, high]: the sparsest ladder of a decade that gives three inside, so few that
    their labels do not meet."""
    ladders = ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 5, 7), (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8))
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    for ladder in ladders:
        ticks = [step * 10.0**decade for decade in decades for step in ladder]
        if sum(low <= tick <= high for tick in ticks) >= 3:
            break
    return [tick for tick in ticks if low / 1.5 <= tick <= high * 1.5]


def plain_axis(title: str, zero: bool = False) -> dict[str, Any]:
    """A linear axis with so few ticks that their labels do not meet; `title` is plotly's markup."""
    return {
        "title": {"text": title, "standoff": 8, "font": {"size": 13}},
        "tickangle": 0,
        "automargin": True,
        "zeroline": False,
        "nticks": 7,
        "rangemode": "tozero" if zero else "normal",
    }


def framed(traces: Sequence[Any], x: dict[str, Any], y: dict[str, Any]) -> go.Figure:
    """The traces between two axes, without colours: those are the style sheet's."""
    figure = go.Figure(data=list(traces))
    figure.update_layout(
        template=go.layout.Template(),
        xaxis=x,
        yaxis=y,
        showlegend=False,
        hovermode="closest",
        hoverlabel={"align": "left"},
        margin={"l": 8, "r": 12, "t": 12, "b": 8},
        autosize=True,
    )
    return figure
