"""The page: one self-contained HTML file. Everything that comes from a record is escaped on its way in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import yaml
from plotly.offline import get_plotlyjs

from nas.arch import ArchitectureError, parse
from nas.foreign import is_foreign
from nas.report import tables, words
from nas.report.analysis import Analysis, Result, axis
from nas.report.figures import Drawing, pairs, panels
from nas.report.progress import drawings as progress
from nas.report.study import StudyReport
from nas.report.table import copy_button, to_html

_LEGEND = {  # role of a trace: (what it means, its mark in a box of 22 × 16)
    "front": ("on the front", '<path class="fill-front" d="M11 2l6 6-6 6-6-6z"/>'),
    "tied": (
        "on the front, but tied: within noise of being dominated",
        '<path class="line-front" stroke-width="1.6" d="M11 3l5 5-5 5-5-5z"/>',
    ),
    "dominated": ("dominated", '<circle class="fill-dominated" cx="11" cy="8" r="4"/>'),
    "unranked": (
        "lacks a value of an objective",
        '<circle class="line-dominated" stroke-width="1.6" cx="11" cy="8" r="4"/>',
    ),
    "infeasible": ("over a limit", '<path class="line-infeasible" stroke-width="1.8" d="M7 4l8 8m0-8l-8 8"/>'),
    "baseline": ("baseline", '<path class="line-ink" stroke-width="1.8" d="M5 2h12v12h-12z"/>'),
    "line": ("front of the two metrics shown", '<path class="line-front" stroke-width="1.6" d="M1 13h8v-8h12"/>'),
    "noise": ("noise", '<path class="line-front" d="M11 1v14M8 1h6M8 15h6"/>'),
}


def render(study: StudyReport, analysis: Analysis) -> str:
    """The whole page. The same study gives the same bytes."""
    drawings = [*panels(analysis), *progress(study, analysis)]
    sections = [
        ("findings", "What was found", _findings(study, analysis)),
        ("fronts", "Pareto fronts", _fronts(analysis, drawings)),
        ("table", "The front as a table", _front(analysis)),
        ("networks", "The networks of the front", _networks(analysis)),
        ("search", "How the search went", _search(study, analysis, drawings)),
        ("failures", "Trials without a result", _failures(analysis)),
        ("metrics", "What the numbers mean", to_html(tables.metrics_table(analysis))),
        ("provenance", "Provenance", _provenance(study)),
    ]
    silent = set() if analysis.records else {"fronts", "table", "failures"}
    shown = [(name, title, body) for name, title, body in sections if body and name not in silent]
    return fill(
        title=f"{study.recipe.name} – nas report",
        kind="study report",
        name=study.recipe.name,
        question=study.recipe.question,
        sections=shown,
        drawings=drawings,
    )


def fill(  # noqa: PLR0913
    *,
    title: str,
    kind: str,
    name: str,
    question: str,
    sections: Sequence[tuple[str, str, str]],
    drawings: Iterable[Drawing],
    style: str = "",
) -> str:
    """The page of these sections: (anchor, heading as text, body as HTML). `style` follows the common style sheet."""
    return Template(_resource("page.html")).substitute(
        title=escape(title),
        kind=escape(kind),
        study=escape(name),
        question=f'<p class="question">{escape(question)}</p>' if question else "",
        style=_resource("page.css") + style,
        script=_resource("page.js"),
        plotly=get_plotlyjs(),
        navigation=" ".join(f'<a href="#{anchor}">{escape(heading)}</a>' for anchor, heading, _ in sections),
        sections="\n".join(
            f'<section id="{anchor}" aria-labelledby="{anchor}-title">'
            f'<h2 id="{anchor}-title">{escape(heading)}</h2>\n{body}\n</section>'
            for anchor, heading, body in sections
        ),
        figures=_embedded({drawing.name: json.loads(drawing.figure.to_json()) for drawing in drawings}),
    )


@cache
def _resource(name: str) -> str:
    return files("nas.report").joinpath(name).read_text(encoding="utf-8").rstrip("\n")


def _embedded(document: Any) -> str:
    """JSON that no HTML parser mistakes for markup."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c").replace("&", "\\u0026")


def _findings(study: StudyReport, analysis: Analysis) -> str:
    tiles = (
        [(f"{analysis.counts['complete']} of {len(analysis.records)}", "trials measured")] if analysis.records else []
    )
    if analysis.front:
        tied = sum(result.status == "tied" for result in analysis.front)
        tiles.append((str(len(analysis.front)), f"on the front{f', {tied} tied' if tied else ''}"))
    for best in analysis.best:
        metric = axis(best.key)
        word = "lowest" if metric.goal == "minimize" else "highest"
        value = f"{metric.format(best.result.values[best.key])}{tables.unit(metric)}"
        tiles.append((value, f"{word} {metric.label}, {best.result.name}"))
    shown = "".join(f'<div class="tile"><b>{escape(big)}</b><span>{escape(small)}</span></div>' for big, small in tiles)
    device = words.device(analysis, study.provenance)
    sentences = [*words.findings(analysis), *([f"Measured on: {device}."] if device else [])]
    items = "\n".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f'<div class="tiles">{shown}</div>\n<div class="card"><ul class="findings">\n{items}\n</ul></div>'


def _fronts(analysis: Analysis, drawings: Sequence[Drawing]) -> str:
    shown = [drawing for drawing in drawings if drawing.name.startswith("panel-")]
    if not shown:
        return '<p class="empty">No network has two metrics to draw against each other.</p>'
    traces = [trace for drawing in shown for trace in drawing.figure.data]
    roles = {trace.meta["role"] for trace in traces}
    roles |= {"noise"} if any(trace.error_y.array or trace.error_x.array for trace in traces) else set()
    items = "".join(
        f'<li><svg viewBox="0 0 22 16" aria-hidden="true">{mark}</svg>{escape(meaning)}</li>'
        for role, (meaning, mark) in _LEGEND.items()
        if role in roles
    )
    note = (
        '<p class="caption">Point at a mark to read its network; click one on the front to open it below.'
        f" {escape(_undrawn(analysis))}</p>"
    )
    return f'<ul class="legend">{items}</ul>\n<div class="grid">{plots(shown)}</div>\n{note}'


def _undrawn(analysis: Analysis) -> str:
    drawn = sum(
        any(x in result.values and y in result.values for x, y in pairs(analysis)) for result in analysis.outside
    )
    counts = {**analysis.counts, "infeasible": analysis.counts["infeasible"] - drawn}
    parts = [f"{counts[state]} {state}" for state in ("infeasible", "failed", "running") if counts[state] > 0]
    return f"Not drawn, for want of readings: {', '.join(parts)}." if parts else ""


def plots(drawings: Iterable[Drawing], kind: str = "plot") -> str:
    """Cards in which the page's script draws."""
    return "\n".join(
        f'<div class="card"><h3>{escape(drawing.title)}</h3>'
        f'<div id="{escape(drawing.name)}" class="{kind}" role="img" aria-label="{escape(drawing.title)}"></div>'
        f'<p class="caption">{escape(drawing.caption)}</p></div>'
        for drawing in drawings
    )


def _front(analysis: Analysis) -> str:
    table = tables.front_table(analysis)
    if not table.rows:
        return '<p class="empty">There is no front yet.</p>'
    note = '<p class="caption">Arrows point to the better side; ± is the noise. A click on a head sorts.</p>'
    return to_html(table, sortable=True) + note


def _networks(analysis: Analysis) -> str:
    return "\n".join(_network(analysis, result) for result in analysis.front)


def _network(analysis: Analysis, result: Result) -> str:
    record = result.record
    readings = "".join(
        f'<span class="reading">{escape(axis(key).label)} '
        f"{escape(tables.reading_text(axis(key), result.values[key], result.spreads.get(key)))}</span>"
        for key in analysis.measured
        if key in result.values
    )
    command = tables.show_command(record)
    try:
        foreign = "<p>A foreign network: what is inside is not known here.</p>"
        stages = foreign if is_foreign(record.arch) else to_html(tables.stage_table(parse(record.arch)))
    except ArchitectureError as error:
        stages = f"<p>{escape(str(error))}</p>"
    return (
        f'<details id="{escape(tables.anchor(result))}"><summary><b>{escape(result.name)}</b>'
        f'<span class="tag {result.status}">{result.status}</span>{readings}</summary>\n'
        f'<p class="notation"><code>{escape(record.arch)}</code> {copy_button(record.arch)}</p>\n'
        f'<p class="notation"><code>{escape(command)}</code> {copy_button(command)}</p>\n'
        f"<div>{stages}</div></details>"
    )


def _search(study: StudyReport, analysis: Analysis, drawings: Sequence[Drawing]) -> str:
    shown = [drawing for drawing in drawings if not drawing.name.startswith("panel-")]
    if not shown:
        return ""
    there = sum(bool(result.record.settings) for result in analysis.results)
    missing = (
        f'<p class="caption">Which cell of the space moves a metric is not said: that needs {study.importance_needs:,} '
        f"distinct measured networks, and there {'is' if there == 1 else 'are'} {there:,}.</p>"
        if there < study.importance_needs
        else ""
    )
    return f'<div class="grid">{plots(shown, "plot short")}</div>{missing}'


def _failures(analysis: Analysis) -> str:
    table = tables.failures_table(analysis)
    return to_html(table) if table.rows else '<p class="empty">None: every finished trial was measured.</p>'


def _provenance(study: StudyReport) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(key)}</th><td>{escape(value)}</td></tr>'
        for key, value in tables.flat(study.provenance)
    )
    facts = f'<div class="scroll"><table class="facts"><tbody>{rows}</tbody></table></div>' if rows else ""
    return f'{facts}\n<h3 class="later">Recipe</h3>\n<pre tabindex="0">{escape(recipe_yaml(study))}</pre>'


def recipe_yaml(study: StudyReport) -> str:
    """The recipe as the YAML file that would give it."""
    return yaml.safe_dump(study.recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)
