"""A figure as a value, described once: `interactive` draws it with plotly for the page, `static` with matplotlib."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Literal

Kind = Literal["published", "computed", "measured"]
# a CSS variable of the page, its light colour for print, and a second sign beside the colour: symbol and dash
STYLES: tuple[tuple[str, str, str, str], ...] = (
    ("a", "#0072b2", "circle", "solid"),
    ("front", "#d55e00", "square", "dash"),
    ("infeasible", "#882255", "triangle-up", "dot"),
    ("b", "#332288", "diamond", "dashdot"),
    ("dominated", "#858d95", "x", "longdash"),
)


@dataclass(frozen=True, slots=True)
class Axis:
    """`label` holds the unit."""

    label: str
    log: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one kind, or the line through them; published marks are hollow, regenerated ones filled. `labels`: what
    each point is called. `style`: a row of STYLES; otherwise the series' own place. `errors`: of y, up and down.
    `marks`: each point is marked. `hollow`: stated where the kind does not tell. `sources`:
    where each point is printed, for the pointer on the page."""

    name: str
    kind: Kind
    x: tuple[float, ...]
    y: tuple[float, ...]
    labels: tuple[str, ...] = ()
    line: bool = True
    style: int | None = None
    errors: tuple[float, ...] = ()
    marks: bool = True
    hollow: bool | None = None
    sources: tuple[str, ...] = ()

    @property
    def is_hollow(self) -> bool:
        return self.kind == "published" if self.hollow is None else self.hollow


@dataclass(frozen=True, slots=True)
class Figure:
    """`name` is its file name and its anchor. `named`: the labels of its points are written beside them."""

    name: str
    title: str
    caption: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    named: bool = False

    def styled(self) -> list[tuple[Series, tuple[str, str, str, str]]]:
        """Every series with its colour and second sign."""
        return [
            (series, STYLES[(place if series.style is None else series.style) % len(STYLES)])
            for place, series in enumerate(self.series)
        ]


def to_csv(figure: Figure) -> str:
    """The points of the figure, one a row: what a plot of one's own needs."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["series", "kind", "label", figure.x.label, figure.y.label])
    for series in figure.series:
        labels = series.labels or ("",) * len(series.x)
        for x, y, label in zip(series.x, series.y, labels, strict=True):
            writer.writerow([series.name, series.kind, label, f"{x:.10g}", f"{y:.10g}"])
    return buffer.getvalue()
