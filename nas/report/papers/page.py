"""The page of a paper's report: one self-contained HTML file in the dress of the study reports."""

from __future__ import annotations

from functools import cache
from html import escape
from importlib.resources import files

from nas.explorer.shell import fill
from nas.report import tables
from nas.report.figures import documents, plots
from nas.report.papers import words
from nas.report.papers.audit.finding import Finding
from nas.report.papers.comparison import Comparison
from nas.report.papers.figure import Figure
from nas.report.papers.interactive import draw
from nas.report.papers.paper import Paper, Section
from nas.report.table import to_html


def render(paper: Paper) -> str:
    """The whole page. The same paper gives the same bytes."""
    sections = [("verdicts", "Verdicts", _verdicts(paper))]
    sections += [(section.name, section.title, _section(section)) for section in paper.sections]
    if paper.findings:
        sections.append(("audit", "What the audit found", _audit(paper)))
    sections.append(("provenance", "Provenance", _provenance(paper)))
    return fill(
        title=f"{paper.title} – nas report",
        kind="paper report",
        name=paper.title,
        question=paper.citation,
        sections=sections,
        figures=documents(map(draw, paper.figures)),
        style=_style(),
    )


@cache
def _style() -> str:
    return files("nas.report.papers").joinpath("page.css").read_text(encoding="utf-8")


def _verdicts(paper: Paper) -> str:
    tiles = "".join(
        f'<div class="tile"><b>{count}</b><span>{escape(verdict.value)}</span></div>'
        for verdict, count in paper.tally().items()
    )
    parts = [f'<div class="tiles">{tiles}</div>', _paragraphs(words.opening(paper))]
    for table in words.exceptions(paper):
        parts += [f'<h3 class="table">{escape(table.caption)}</h3>', to_html(table)]
    return "\n".join(parts)


def _section(section: Section) -> str:
    parts = [_paragraphs(section.text)]
    parts += [_comparison(comparison) for comparison in section.comparisons]
    for table in section.tables:
        parts += [f'<h3 class="table" id="table-{escape(table.name)}">{escape(table.caption)}</h3>', to_html(table)]
    if section.figures:
        parts.append(f'<div class="grid">{plots(map(draw, section.figures))}</div>')
        parts.append(f'<p class="caption">{", ".join(map(_links, section.figures))}</p>')
    return "\n".join(part for part in parts if part)


def _links(figure: Figure) -> str:
    kinds = (("figures", "svg"), ("figures", "png"), ("data", "csv"))
    links = " ".join(f'<a href="{folder}/{figure.name}.{kind}">{kind.upper()}</a>' for folder, kind in kinds)
    return f"{escape(figure.title)}: {links}"


def _comparison(comparison: Comparison) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in comparison.notes)
    return (
        f'<h3 class="table" id="table-{escape(comparison.name)}">{escape(comparison.title)}</h3>\n'
        f"{to_html(comparison.table())}"
        + (f'\n<ul class="notes">{notes}</ul>' if notes else "")
        + (f'\n<p class="caption">{escape(comparison.note)}</p>' if comparison.note else "")
        + f'\n<p class="caption">{escape(words.sources(comparison))}</p>'
    )


def _audit(paper: Paper) -> str:
    read = "".join(f"<li>{escape(remark)}</li>" for remark in words.remarks(paper))
    parts = [_finding(finding) for finding in paper.findings]
    if read:
        parts.append(f'<h3 class="table">Read, not computed</h3><ul class="notes">{read}</ul>')
    return "\n".join(parts)


def _finding(finding: Finding) -> str:
    steps = "".join(f"<li>{escape(step)}</li>" for step in finding.steps)
    return (
        f'<div class="card" id="finding-{escape(finding.name)}"><h3>{escape(finding.title)}</h3>'
        f'{_paragraphs((finding.claim,))}<ol class="steps">{steps}</ol>'
        f'<p><span class="tag {"good" if finding.holds else "bad"}">{words.standing(finding)}</span> '
        f"{escape(finding.outcome)}</p>"
        f'<p class="caption">Sources: {escape("; ".join(finding.sources))}</p></div>'
    )


def _provenance(paper: Paper) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(key)}</th><td>{escape(value)}</td></tr>'
        for key, value in tables.flat(words.provenance(paper))
    )
    return f'<div class="scroll"><table class="facts"><tbody>{rows}</tbody></table></div>'


def _paragraphs(text: tuple[str, ...]) -> str:
    return "\n".join(f"<p>{escape(paragraph)}</p>" for paragraph in text)
