"""A figure as plotly draws it on the page; the style sheet gives the colours."""

from __future__ import annotations

import textwrap
from html import escape
from typing import Any

import plotly.graph_objects as go

from nas.report.figures import Drawing, log_ticks
from nas.report.papers.figure import Axis, Figure, Series

_WRAP = 42  # characters a line of a hover label


def draw(figure: Figure) -> Drawing:
    """The drawing with its title, its caption and the id of its place on the page."""
    plot = go.Figure(data=[_trace(figure, series, style) for series, style in figure.styled()])
    plot.update_layout(
        template=go.layout.Template(),
        xaxis=_axis(figure.x, [value for series in figure.series for value in series.x]),
        yaxis=_axis(figure.y, [value for series in figure.series for value in series.y]),
        showlegend=True,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0, "xanchor": "left", "font": {"size": 12}},
        hovermode="closest",
        hoverlabel={"align": "left"},
        margin={"l": 8, "r": 12, "t": 12, "b": 8},
        autosize=True,
    )
    return Drawing(f"plot-{figure.name}", figure.title, figure.caption, plot)


def _trace(figure: Figure, series: Series, style: tuple[str, str, str, str]) -> Any:
    role, _, symbol, dash = style
    hollow = series.is_hollow
    names = [escape(name or series.name) for name in series.labels] or [escape(series.name)] * len(series.x)
    printed = "<br>%{customdata}" if series.sources else ""
    return go.Scatter(
        x=list(series.x),
        y=list(series.y),
        name=escape(series.name),
        mode=_mode(figure, series),
        error_y={"type": "data", "array": list(series.errors), "thickness": 1, "width": 3} if series.errors else None,
        text=names,
        customdata=["<br>".join(_source(source)) for source in series.sources] or None,
        textposition="top center",
        textfont={"size": 11},
        line={"dash": dash, "width": 1.6},
        marker={
            "symbol": f"{symbol}-open" if hollow else symbol,
            "size": 9 if hollow else 7,
            "line": {"width": 1.6 if hollow else 0},
        },
        hovertemplate="<b>%{text}</b><br>"
        f"{escape(figure.x.label)}: %{{x:.5~g}}<br>{escape(figure.y.label)}: %{{y:.5~g}}"
        f"{printed}<extra>{escape(series.kind)}</extra>",
        meta={"role": role},
    )


def _source(source: str) -> list[str]:
    """`printed in …`, in lines that fit a phone."""
    return [escape(part) for part in textwrap.wrap(f"printed in {source}", _WRAP)]


def _mode(figure: Figure, series: Series) -> str:
    drawn = [("lines", series.line), ("markers", series.marks), ("text", figure.named and bool(series.labels))]
    return "+".join(name for name, shown in drawn if shown)


def _axis(axis: Axis, values: list[float]) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "title": {"text": escape(axis.label), "standoff": 8, "font": {"size": 13}},
        "tickangle": 0,
        "automargin": True,
        "zeroline": False,
        "nticks": 7,
    }
    if axis.log:
        settings |= {"type": "log", "tickmode": "array", "tickvals": log_ticks(min(values), max(values))}
    return settings
