"""The page of a scaled family: figures over φ, the tables, in the dress of the other pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nas.explorer.shell import fill
from nas.report.figures import documents, plots
from nas.report.papers.figure import Figure
from nas.report.papers.interactive import draw
from nas.report.scaled import Scaled, cautions
from nas.report.table import Table, copy_button, to_html


def render(family: Scaled, tables: Sequence[Table], figures: Sequence[Figure]) -> str:
    """The whole page. The same family gives the same bytes."""
    drawings = [draw(figure) for figure in figures]
    headings = {"family": "The family", "implied": "Implied φ", "remainder": "What the rule leaves over"}
    sections = [("over-phi", "Over φ", f'<div class="grid pair">{plots(drawings)}</div>')]
    sections += [
        (table.name, headings[table.name], f'<p class="caption">{escape(table.caption)}</p>{to_html(table)}')
        for table in tables
    ]
    base = str(family.origin)
    sections.append(("base", "The base", f'<p class="notation"><code>{escape(base)}</code> {copy_button(base)}</p>'))
    factors = family.factors
    said = " ".join(cautions(factors))
    return fill(
        title=f"{family.base}, scaled – nas",
        kind="scaled family",
        name=f"{family.base}, scaled by {family.rule.name}",
        question=f"{family.rule.meaning}; α {factors.alpha:g}, β {factors.beta:g}, γ {factors.gamma:g}. {said}".strip(),
        sections=sections,
        figures=documents(drawings),
    )
