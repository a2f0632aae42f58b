"""The figures of a report as plotly figures. They name roles (front, tied, …); the style sheet gives the colours."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go

from nas.report import words
from nas.report.analysis import Analysis, Result, axis
from nas.report.tables import reading_text, unit

_WRAP = 42  # characters a line of a hover label, so that it fits a phone


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure with its title, the sentence below it, and the id of its place on the page."""

    name: str
    title: str
    caption: str
    figure: go.Figure


def plots(drawings: Iterable[Drawing], kind: str = "plot") -> str:
    """Cards in which the page's script draws."""
    return "\n".join(
        f'<div class="card"><h3>{escape(drawing.title)}</h3>{place(drawing, kind)}</div>' for drawing in drawings
    )


def place(drawing: Drawing, kind: str = "plot") -> str:
    """Where the page's script draws, once it comes into sight, and the caption below."""
    return (
        f'<div id="{escape(drawing.name)}" class="{kind}" role="img" aria-label="{escape(drawing.title)}"></div>'
        f'<p class="caption">{escape(drawing.caption)}</p>'
    )


def documents(drawings: Iterable[Drawing]) -> dict[str, Any]:
    """The figures as plotly's JSON, by the id of their place."""
    return {drawing.name: json.loads(drawing.figure.to_json()) for drawing in drawings}


def hover(analysis: Analysis, result: Result) -> str:
    """What the pointer shows of a network: name, status, every metric, the notation; escaped for plotly."""
    lines = [f"<b>{escape(result.name)}</b> {escape(result.stands if result.feasible else words.limits(result))}"]
    for key in analysis.measured:
        if key in result.values:
            metric = axis(key)
            reading = reading_text(metric, result.values[key], result.spreads.get(key))
            lines.append(f"{escape(metric.label)} {reading}{unit(metric)}")
    lines += [escape(part) for part in textwrap.wrap(result.record.training_text, _WRAP)]
    lines += [escape(part) for part in textwrap.wrap(result.record.arch, _WRAP)]
    return "<br>".join(lines)


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
