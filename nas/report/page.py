"""The page of a study: the explorer over its trials, and sections that say in words what was found."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from html import escape
from typing import Any

import yaml

from nas.explorer.shell import Section, fill
from nas.report import tables, words
from nas.report.analysis import Analysis, axis
from nas.report.explore import head, page_document, study_document
from nas.report.figures import documents, plots
from nas.report.grid_section import grid_section
from nas.report.progress import drawings
from nas.report.published import NOTE, published
from nas.report.row import row
from nas.report.study import StudyReport
from nas.report.table import to_html


def render(study: StudyReport, analysis: Analysis) -> str:
    """The whole page. The same study gives the same bytes."""
    return fill(
        title=f"{study.recipe.name} – nas report",
        kind="study report",
        name=study.recipe.name,
        question=study.recipe.question,
        sections=sections(study, analysis),
        figures=figures(study, analysis),
        explorer=explorer(study, analysis),
    )


def explorer(study: StudyReport, analysis: Analysis) -> dict[str, Any]:
    """The page document of the study and of those shown beside it."""
    shown = [(study, analysis.records), *((other, other.records) for other in study.beside)]
    made = []
    for key, (one, records) in enumerate(shown):
        about = head(one.recipe, str(key), one.source, one.option)
        about = dataclasses.replace(about, recipe={} if one.assumed else about.recipe, note=one.note)
        made.append(study_document(about, [row(record, about.objectives) for record in records], whole=True))
    return page_document(made, published(), note=NOTE)


def sections(study: StudyReport, analysis: Analysis) -> list[Section]:
    """What stands below the explorer: findings, a measured grid, the search, failures, meanings, provenance."""
    grid = grid_section(study.records, study.recipe)
    parts = [
        Section("findings", "What was found", _findings(study, analysis)),
        Section("grid", "The compound grid", grid.html if grid else ""),
        Section("search", "How the search went", _search(study, analysis)),
        Section("failures", "Trials without a result", _failures(analysis) if analysis.records else ""),
        Section("metrics", "What the numbers mean", to_html(tables.metrics_table(analysis))),
        Section("provenance", "Provenance", _provenance(study)),
    ]
    return [part for part in parts if part.html]


def figures(study: StudyReport, analysis: Analysis) -> Mapping[str, Any]:
    """The figures of those sections as plotly's JSON, by the id of their place."""
    grid = grid_section(study.records, study.recipe)
    return documents([*drawings(study, analysis), *(grid.drawings if grid else ())])


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
    of = ""
    if study.beside:
        names = ", ".join(other.recipe.name for other in study.beside)
        told = f"Of {study.recipe.name}, as all below; {names}: in the explorer only."
        of = f'<p class="of">{escape(told)}</p>'
    return f'{of}<div class="tiles">{shown}</div>\n<div class="card"><ul class="findings">\n{items}\n</ul></div>'


def _search(study: StudyReport, analysis: Analysis) -> str:
    shown = drawings(study, analysis)
    if not shown:
        return ""
    there = sum(bool(result.record.settings) for result in analysis.results)
    missing = (
        f'<p class="caption">Which cell of the space moves a metric is not said: that needs {study.importance_needs:,} '
        f"distinct measured networks, and there {'is' if there == 1 else 'are'} {there:,}.</p>"
        if there < study.importance_needs
        else ""
    )
    return f'<div class="grid two">{plots(shown, "plot short")}</div>{missing}'


def _failures(analysis: Analysis) -> str:
    table = tables.failures_table(analysis)
    return to_html(table) if table.rows else '<p class="empty">None: every finished trial was measured.</p>'


def _provenance(study: StudyReport) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(key)}</th><td>{escape(value)}</td></tr>'
        for key, value in tables.flat(study.provenance)
    )
    facts = f'<div class="scroll"><table class="facts"><tbody>{rows}</tbody></table></div>' if rows else ""
    if study.assumed:
        goals, limits = (", ".join(named) for named in (study.recipe.objectives, study.recipe.limits))
        said = f"No recipe came with these records: {goals} are taken for objectives"
        said += f", and for limits what the records were held to ({limits})." if limits else "; no limit is known."
        return f"{facts}\n<p>{escape(said)}</p>"
    return f'{facts}\n<h3 class="later">Recipe</h3>\n<pre tabindex="0">{escape(recipe_yaml(study))}</pre>'


def recipe_yaml(study: StudyReport) -> str:
    """The recipe as the YAML file that would give it."""
    return yaml.safe_dump(study.recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)
