"""Write a paper's report into a folder, or hold a folder against what would be written."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection
from pathlib import Path

from nas.report.papers import words
from nas.report.papers.audit.finding import Finding
from nas.report.papers.comparison import Comparison
from nas.report.papers.figure import to_csv as points
from nas.report.papers.paper import Paper, Section
from nas.report.table import Table, latex, markdown, narrow, to_csv, to_latex, to_markdown
from nas.report.write import ReportError, write_document

FORMATS = ("html", "md", "csv", "tex")


def write_paper(paper: Paper, out: Path, formats: Collection[str] = FORMATS) -> Path:
    """The path of the first document written: `out/report.html`, else README.md, else tables/. The same paper gives the
    same bytes; every file appears whole or not at all.

    Raises: ReportError where `out` cannot be written.
    """
    found = documents(paper, formats)
    try:
        for name, content in found.items():
            write_document(out / name, content)
    except OSError as error:
        raise ReportError(
            f"{out}: the report cannot be written: {error.strerror or error}", "name another folder with --out"
        ) from None
    return out / next(name for name in ("report.html", "README.md", *found) if name in found)


def check_paper(paper: Paper, out: Path, formats: Collection[str] = FORMATS) -> tuple[str, ...]:
    """The files under `out` that are missing or not what would be written now, in order; none: the folder holds.

    A page that was never written there is not missed, and a PNG is only asked to be there: its bytes depend on the
    machine's libraries, and the SVG beside it shows the same. An SVG holds where its marks stand within 0.01 pt of
    where they would: the last digit of a logarithm depends on the processor. Raises: ReportError where `out` is no
    folder.
    """
    if not out.is_dir():
        raise ReportError(f"{out}: no such folder to check", f"write it first: nas report {paper.name} --out {out}")
    wrong = []
    for name, content in documents(paper, formats).items():
        path = out / name
        if not path.is_file():
            wrong += [] if name == "report.html" else [name]
        elif isinstance(content, str) and path.read_bytes() != content.encode():
            wrong += [] if name.endswith(".svg") and _same_drawing(path.read_bytes(), content) else [name]
    return tuple(sorted(wrong))


_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)")
_HASHED = re.compile(r"\b[mp][0-9a-f]{10}\b")  # matplotlib names a marker or a clip by a hash of its coordinates


def _same_drawing(written: bytes, expected: str) -> bool:
    """Whether two SVGs are equal but for 0.01 pt in their coordinates, and for the names that hang on those."""
    ours, theirs = (_NUMBER.split(_named(text)) for text in (written.decode(errors="replace"), expected))
    return ours[::2] == theirs[::2] and all(
        math.isclose(float(mine), float(other), rel_tol=0, abs_tol=0.01)
        for mine, other in zip(ours[1::2], theirs[1::2], strict=True)
    )


def _named(svg: str) -> str:
    names: dict[str, str] = {}
    return _HASHED.sub(lambda found: names.setdefault(found[0], f"name-{len(names)}"), svg)


def documents(paper: Paper, formats: Collection[str] = FORMATS) -> dict[str, str | bytes]:
    """File name → content of the whole report."""
    from nas.report.papers.static import VERSION, to_png, to_svg

    found: dict[str, str | bytes] = {}
    if "html" in formats:
        from nas.report.papers.page import render  # plotly is loaded only when a page is drawn

        found["report.html"] = render(paper)
    if "md" in formats:
        found["README.md"] = readme(paper)
    for section in paper.sections:
        for comparison in section.comparisons:
            found |= _written(comparison, formats)
        for table in section.tables:
            found |= _plain(table, formats)
    for figure in paper.figures:
        found[f"data/{figure.name}.csv"] = points(figure)
        if {"html", "md", "tex"} & set(formats):
            found[f"figures/{figure.name}.svg"] = to_svg(figure)
            found[f"figures/{figure.name}.png"] = to_png(figure)
    provenance = {
        "schema": 1,
        "report": paper.name,
        "verdicts": {verdict.value: count for verdict, count in paper.tally().items()},
        "ratios of published times": {verdict.value: count for verdict, count in paper.ratios().items()},
        "provenance": words.provenance(paper),
        "drawn_by": f"matplotlib {VERSION}",
        "files": sorted([*found, "provenance.json"]),
    }
    found["provenance.json"] = json.dumps(provenance, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    return found


def _written(comparison: Comparison, formats: Collection[str]) -> dict[str, str]:
    name, found = f"tables/{comparison.name}", {}
    if "md" in formats:
        found[f"{name}.md"] = _comparison(comparison, "#")
    if "csv" in formats:
        found[f"{name}.csv"] = to_csv(comparison.table(sourced=True))
    if "tex" in formats:
        notes = "".join(rf"\par\footnotesize {latex(note)}" + "\n" for note in comparison.notes)
        found[f"{name}.tex"] = "\n".join(
            to_latex(table).replace(r"\end{table}", notes + r"\end{table}") for table in comparison.narrow()
        )
    return found


def _plain(table: Table, formats: Collection[str]) -> dict[str, str]:
    written = {"md": to_markdown, "csv": to_csv, "tex": _printed}
    return {f"tables/{table.name}.{kind}": writer(table) for kind, writer in written.items() if kind in formats}


def _printed(table: Table) -> str:
    """LaTeX without notations, which no page of paper is wide enough for."""
    return to_latex(narrow(table))


def readme(paper: Paper) -> str:
    """The report as a page of Markdown: verdicts, every table, every figure, the audit, provenance."""
    parts = [f"# {markdown(paper.title)}", markdown(paper.citation), "## Verdicts"]
    parts += [markdown(paragraph) for paragraph in words.opening(paper)]
    for table in words.exceptions(paper):
        parts += [f"### {markdown(table.caption)}", to_markdown(table).rstrip()]
    for section in paper.sections:
        parts += _section(section)
    if paper.findings:
        parts.append("## What the audit found")
        parts += [part for finding in paper.findings for part in _finding(finding)]
    if paper.remarks:
        parts += ["### Read, not computed", "\n".join(f"- {markdown(remark)}" for remark in words.remarks(paper))]
    parts += ["## Made by", _made_by(paper)]
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> list[str]:
    parts = [f"## {markdown(section.title)}", *map(markdown, section.text)]
    parts += [_comparison(comparison, "###").rstrip() for comparison in section.comparisons]
    for table in section.tables:
        parts += [f"### {markdown(table.caption)}", to_markdown(table).rstrip()]
    for figure in section.figures:
        parts += [f"![{markdown(figure.title)}](figures/{figure.name}.svg)", markdown(figure.caption)]
    return parts


def _comparison(comparison: Comparison, level: str) -> str:
    notes = "\n".join(f"- {markdown(note)}" for note in comparison.notes)
    parts = [f"{level} {markdown(comparison.title)}", to_markdown(comparison.table()).rstrip(), notes]
    said = (comparison.note, words.sources(comparison))
    return "\n\n".join(part for part in (*parts, *map(markdown, said)) if part) + "\n"


def _finding(finding: Finding) -> list[str]:
    steps = "\n".join(f"1. {markdown(step)}" for step in finding.steps)
    verdict = f"**{words.standing(finding)}**: {markdown(finding.outcome)}"
    parts = [f"### {markdown(finding.title)}", markdown(finding.claim), steps, verdict]
    return [part for part in (*parts, f"Sources: {markdown('; '.join(finding.sources))}") if part]


def _made_by(paper: Paper) -> str:
    return (
        f"`nas report {paper.name} --out FOLDER` writes this folder and the interactive page `report.html`; "
        f"`nas report {paper.name} --out FOLDER --check` holds a folder against what would be written now. "
        "`tables/` has every table as Markdown, CSV (raw numbers) and LaTeX (booktabs), `figures/` every figure as "
        "SVG and PNG, `data/` its points, `provenance.json` what went in."
    )
