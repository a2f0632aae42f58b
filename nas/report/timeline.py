"""The trials of a study in time: bars in lanes of workers, or, of many, how many finished in each span of time."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import accumulate, pairwise
from typing import Any

import plotly.graph_objects as go

from nas.record import Record, State
from nas.report.figures import Drawing, framed, plain_axis
from nas.report.words import plural

_MOST_BARS = 400  # trials; more are thinner than a pixel
_MOST_SPANS = 80
_SPANS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800, 2592000)
_TICK = 1.0  # records say the start in whole seconds
_LONG = 120.0  # seconds without a running trial, and a tenth of all that ran: a pause, not drawn at its length
# state → (its name, a role of the style sheet, hatching: the second sign)
_LOOKS: dict[State, tuple[str, str, str]] = {
    "complete": ("measured", "a", ""),
    "infeasible": ("over a limit", "infeasible", "/"),
    "failed": ("failed", "ink", "x"),
    "running": ("running", "dominated", "."),
}


@dataclass(frozen=True, slots=True)
class Span:
    """One trial in time: seconds since the epoch; `lane` is a worker's, counted from 0."""

    record: Record
    start: float
    end: float
    lane: int = 0


def timeline(records: Iterable[Record]) -> Drawing | None:
    """The trials that say when they ran; None where fewer than two do."""
    known = tuple(records)
    spans = lanes(known)
    if len(spans) < 2:
        return None
    pauses = _pauses(spans)
    scale, name = _unit(_ran(spans, pauses))
    if len(spans) <= _MOST_BARS:
        figure, caption = _bars(spans, pauses, scale)
    else:
        figure, caption = _counts(spans, pauses, scale)
    apart = f", {plural(len(pauses), 'pause')} left out" if pauses else ""
    figure.update_layout(
        xaxis={"title": {"text": f"{name} since the first trial{apart}"}},
        shapes=[_cut(_passed(start, spans, pauses) / scale) for start, _ in pauses],
        showlegend=True,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0, "xanchor": "left", "font": {"size": 12}},
    )
    if pauses:
        caption += f" A dotted line is a pause: {', '.join(_lasting(end - start) for start, end in pauses[:3])}"
        caption += ", …" if len(pauses) > 3 else "."
    untimed = sum(record.state != "running" for record in known) - sum(span.record.state != "running" for span in spans)
    if untimed:
        caption += f" {plural(untimed, 'trial')} without a time {'is' if untimed == 1 else 'are'} not drawn."
    return Drawing("timeline", "The trials in time", caption, figure)


def lanes(records: Iterable[Record]) -> list[Span]:
    """Each timed trial in the lowest lane that is free when it starts: as many lanes as ran at once. One that runs
    still ends with the last that is known of; one without a duration was refused before it ran."""
    timed = [(start, record) for record in records for start in [_started(record)] if start is not None]
    ends = [start + (record.seconds or 0.0) for start, record in timed]
    last = max(ends, default=0.0)
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    found = []
    for start, record in sorted(timed, key=lambda one: (one[0], one[1].trial if one[1].trial is not None else -1)):
        while busy and busy[0][0] <= start + _TICK:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lane = heapq.heappop(free) if free else len(busy)
        end = last if record.state == "running" else start + (record.seconds or 0.0)
        heapq.heappush(busy, (end, lane))
        found.append(Span(record, start, end, lane))
    return found


def _started(record: Record) -> float | None:
    try:
        moment = datetime.fromisoformat(record.started)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _pauses(spans: Sequence[Span]) -> list[tuple[float, float]]:
    """(from, to) of long spells in which nothing ran: the search was stopped, and resumed."""
    # A trial left running by a search that was killed has no end: it covers no pause.
    ends = (span.start if span.record.state == "running" else span.end for span in spans)
    reach = list(accumulate(ends, max))
    gaps = [(end, following.start) for end, (_, following) in zip(reach, pairwise(spans), strict=False)]
    ran = spans[-1].start - spans[0].start - sum(max(0.0, to - end) for end, to in gaps)
    return [(end, to) for end, to in gaps if to - end > max(_LONG, 0.1 * ran)]


def _passed(moment: float, spans: Sequence[Span], pauses: Sequence[tuple[float, float]]) -> float:
    """Seconds from the first trial to `moment`, without pauses."""
    return moment - spans[0].start - sum(min(moment, to) - since for since, to in pauses if since < moment)


def _ran(spans: Sequence[Span], pauses: Sequence[tuple[float, float]]) -> float:
    return _passed(max(span.end for span in spans), spans, pauses)


def _bars(spans: Sequence[Span], pauses: Sequence[tuple[float, float]], scale: float) -> tuple[go.Figure, str]:
    count = 1 + max(span.lane for span in spans)
    traces = []
    for state, group in _by_state(spans):
        starts = [_passed(span.start, spans, pauses) / scale for span in group]
        ends = [_passed(span.end, spans, pauses) / scale for span in group]
        least = _ran(spans, pauses) / scale / 500  # or what failed at once could not be seen
        traces.append(
            go.Bar(
                base=starts,
                x=[max(end - start, least) for start, end in zip(starts, ends, strict=True)],
                y=[span.lane + 1 for span in group],
                width=0.75,  # or plotly makes each state as wide as its own lanes leave room
                orientation="h",
                text=[_hover(span) for span in group],
                textposition="none",
                hovertemplate="%{text}<extra></extra>",
                **_look(state, len(group)),
            )
        )
    height = plain_axis("at once")
    room = 0.9 if count == 1 else 0.6
    height |= {"dtick": max(1, count // 8), "range": [count + room, 1 - room]}
    figure = framed(traces, plain_axis("", zero=True), height)
    figure.update_layout(barmode="overlay")
    kind = f"up to {count} at once" if count > 1 else "one after another"
    failed = "; point at one that failed to read why" if any(span.record.state == "failed" for span in spans) else ""
    return figure, f"One bar a trial, {kind}{failed}."


def _counts(spans: Sequence[Span], pauses: Sequence[tuple[float, float]], scale: float) -> tuple[go.Figure, str]:
    whole = _ran(spans, pauses)
    width = next((width for width in _SPANS if whole / width <= _MOST_SPANS), whole / _MOST_SPANS)
    traces = []
    for state, group in _by_state([span for span in spans if span.record.state != "running"]):
        counts: dict[int, int] = {}
        for span in group:
            place = int(_passed(span.end, spans, pauses) // width)
            counts[place] = counts.get(place, 0) + 1
        traces.append(
            go.Bar(
                x=[(place + 0.5) * width / scale for place in sorted(counts)],
                y=[counts[place] for place in sorted(counts)],
                width=width / scale,
                hovertemplate=f"%{{y:,}} {_LOOKS[state][0]}<extra></extra>",
                **_look(state, len(group)),
            )
        )
    figure = framed(traces, plain_axis("", zero=True), plain_axis(f"trials finished in {_lasting(width)}", zero=True))
    figure.update_layout(barmode="stack", bargap=0)
    running = sum(span.record.state == "running" for span in spans)
    caption = f"{len(spans):,} trials are too many for a bar each: each bar counts those finished in {_lasting(width)}."
    return figure, caption + (f" {running:,} running, not counted." if running else "")


def _by_state(spans: Sequence[Span]) -> Iterable[tuple[State, list[Span]]]:
    for state in _LOOKS:
        group = [span for span in spans if span.record.state == state]
        if group:
            yield state, group


def _look(state: State, count: int) -> dict[str, Any]:
    name, role, hatching = _LOOKS[state]
    pattern = {"shape": hatching, "size": 5, "solidity": 0.4} if hatching else {}
    return {
        "name": f"{name} ({count:,})",
        "marker": {"pattern": pattern, "line": {"width": 0.8, "color": "rgba(255,255,255,0.6)"}},
        "meta": {"role": role},
    }


def _hover(span: Span) -> str:
    record = span.record
    name = f"#{record.trial}" if record.trial is not None else record.baseline
    if record.baseline and record.trial is not None:
        name = f"{record.baseline} (#{record.trial})"
    start = datetime.fromtimestamp(span.start, UTC)
    state = _LOOKS[record.state][0]
    lasted = "" if record.state == "running" else f" · {_lasting(span.end - span.start)}"
    lines = [f"<b>{escape(name)}</b> {state}", f"{start:%Y-%m-%d %H:%M:%S} UTC{lasted}"]
    if record.reason:
        lines.append(escape(record.reason[:90] + ("…" if len(record.reason) > 90 else "")))
    if record.retry_of is not None:
        lines.append(f"#{record.retry_of} tried again")
    return "<br>".join(lines)


def _cut(at: float) -> dict[str, Any]:
    line = {"width": 1.5, "dash": "dot"}
    return {"type": "line", "name": "muted", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def _unit(seconds: float) -> tuple[float, str]:
    if seconds < 180:
        return 1.0, "seconds"
    if seconds < 3 * 3600:
        return 60.0, "minutes"
    return (3600.0, "hours") if seconds < 4 * 86400 else (86400.0, "days")


def _lasting(seconds: float) -> str:
    """`4.2 s`, `90 s`, `12 min`, `3.5 h`, `2 days`."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.3g} min"
    return f"{seconds / 3600:.3g} h" if seconds < 48 * 3600 else f"{seconds / 86400:.3g} days"
