"""A figure as matplotlib draws it for a paper: SVG and PNG, the same bytes every time."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from nas.report.figures import log_ticks
from nas.report.papers.figure import Axis, Figure, Series

VERSION = mpl.__version__  # an SVG is the same to the byte under one version only
_MARKERS = {"circle": "o", "square": "s", "triangle-up": "^", "diamond": "D", "x": "X"}
_DASHES = {
    "solid": "-", "dash": (0, (5, 2)), "dot": (0, (1, 1.5)), "dashdot": (0, (5, 2, 1, 2)), "longdash": (0, (8, 2)),
}  # fmt: skip
_SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "nas", "svg.fonttype": "none", "font.family": "DejaVu Sans", "font.size": 9.0,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e3e6e9",
    "grid.linewidth": 0.6, "legend.frameon": False, "path.simplify": False,
}  # fmt: skip


def to_svg(figure: Figure) -> str:
    """The figure as SVG, its words as text."""
    with mpl.rc_context(_SETTINGS):
        buffer = io.StringIO()
        surface: Any = FigureCanvasSVG(_canvas(figure))
        surface.print_svg(buffer, metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def to_png(figure: Figure) -> bytes:
    """The figure as PNG, 150 pixels an inch."""
    with mpl.rc_context(_SETTINGS):
        canvas = _canvas(figure)
        canvas.set_dpi(150)
        buffer = io.BytesIO()
        surface: Any = FigureCanvasAgg(canvas)
        surface.print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def _canvas(figure: Figure) -> Canvas:
    canvas = Canvas(figsize=(6.4, 4.2), layout="constrained")
    axes = canvas.add_subplot()
    for series, style in figure.styled():
        _plot(axes, figure, series, style)
    _scale(axes, figure.x, [value for series in figure.series for value in series.x], "x")
    _scale(axes, figure.y, [value for series in figure.series for value in series.y], "y")
    axes.set_title(figure.title, fontsize=10, loc="left")
    if len(figure.series) > 1:
        axes.legend(fontsize=8)
    return canvas


def _plot(axes: Axes, figure: Figure, series: Series, style: tuple[str, str, str, str]) -> None:
    _, colour, symbol, dash = style
    hollow = series.is_hollow
    if series.errors:
        axes.errorbar(series.x, series.y, yerr=series.errors, fmt="none", ecolor=colour, elinewidth=0.9, capsize=2)
    axes.plot(
        series.x,
        series.y,
        label=series.name,
        color=colour,
        linestyle=_DASHES[dash] if series.line else "none",
        linewidth=1.2,
        marker=_MARKERS[symbol] if series.marks else "none",
        markersize=6 if hollow else 4.5,
        markerfacecolor="white" if hollow else colour,
        markeredgecolor=colour,
        markeredgewidth=1.1,
    )
    if figure.named:
        for x, y, name in zip(series.x, series.y, series.labels, strict=False):
            axes.annotate(
                name, (x, y), xytext=(0, 5), textcoords="offset points", ha="center", fontsize=6.5, color="#444"
            )


def _scale(axes: Axes, axis: Axis, values: list[float], which: str) -> None:
    place = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xlabel if which == "x" else axes.set_ylabel)(axis.label)
    if axis.log:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        place.set_major_locator(FixedLocator(log_ticks(min(values), max(values))))
        place.set_minor_locator(NullLocator())
        place.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
