"""A table as a value, and its four writers: Markdown, CSV, LaTeX, HTML."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, replace
from html import escape
from typing import Literal


@dataclass(frozen=True, slots=True)
class Column:
    """`key` heads the column in CSV, `label` everywhere else. `noisy`: in CSV a column `<key>_spread` follows."""

    key: str
    label: str
    kind: Literal["text", "code", "number"] = "text"
    noisy: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """`text` for people; `raw` for CSV and for sorting, None where there is no value. `link`: an anchor of the
    page. `mark`: the class of the tag that the page makes of the text."""

    text: str
    raw: str | float | None = None
    spread: float | None = None
    link: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """`name` is its file name and its anchor; `total`: the last row sums the others."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: bool = False


def text(value: object) -> Cell:
    """A cell whose text is its value; '–' for none."""
    if value is None or value == "":
        return Cell("–")
    return Cell(str(value), value if isinstance(value, int | float) else str(value))


def narrow(table: Table) -> Table:
    """The table without its code columns, which no page of paper is wide enough for."""
    kept = [place for place, column in enumerate(table.columns) if column.kind != "code"]
    columns = tuple(table.columns[place] for place in kept)
    return replace(table, columns=columns, rows=tuple(tuple(row[place] for place in kept) for row in table.rows))


def to_csv(table: Table) -> str:
    """Raw values under the columns' keys: no unit, no rounding, empty where nothing was measured."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([name for column in table.columns for name in _csv_names(column)])
    for row in table.rows:
        cells = zip(table.columns, row, strict=True)
        writer.writerow([value for column, cell in cells for value in _csv_values(column, cell)])
    return buffer.getvalue()


def to_markdown(table: Table) -> str:
    """A pipe table; numbers to the right."""
    lines = [[markdown(column.label) for column in table.columns]]
    lines += [["---:" if column.kind == "number" else "---" for column in table.columns]]
    lines += [
        [_markdown_cell(column, cell) for column, cell in zip(table.columns, row, strict=True)] for row in table.rows
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_latex(table: Table) -> str:
    """A booktabs table in a float; needs `\\usepackage{booktabs}` and nothing else."""
    align = "".join("r" if column.kind == "number" else "l" for column in table.columns)
    head = " & ".join(latex(column.label) for column in table.columns)
    rows = [
        " & ".join(
            f"\\texttt{{{latex(cell.text)}}}" if column.kind == "code" and cell.raw is not None else latex(cell.text)
            for column, cell in zip(table.columns, row, strict=True)
        )
        + r" \\"
        for row in table.rows
    ]
    if table.total and rows:
        rows.insert(-1, r"\midrule")
    return "\n".join(
        [
            r"% \usepackage{booktabs}",
            r"\begin{table}",
            rf"\caption{{{latex(table.caption)}}}",
            rf"\label{{tab:{table.name}}}",
            r"\centering",
            rf"\begin{{tabular}}{{{align}}}",
            r"\toprule",
            head + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def to_html(table: Table, sortable: bool = False) -> str:
    """A scrolling table; `sortable` puts a button into each head, which the page's script gives its work."""
    heads = "".join(
        f'<th scope="col" class="{column.kind}"'
        + (f' aria-sort="none"><button type="button">{escape(column.label)}</button></th>' if sortable else "")
        + ("" if sortable else f">{escape(column.label)}</th>")
        for column in table.columns
    )
    body = "\n".join(f"<tr>{_html_row(table.columns, row)}</tr>" for row in table.rows)
    kinds = " ".join(name for name, on in (("sortable", sortable), ("total", table.total)) if on)
    return (
        f'<div class="scroll" role="group" aria-label="{escape(table.caption)}" tabindex="0"><table class="{kinds}">'
        f"<caption>{escape(table.caption)}</caption>"
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def copy_button(words: str) -> str:
    """A button that puts `words` on the clipboard."""
    return f'<button type="button" class="copy" data-copy="{escape(words)}">copy</button>'


def _csv_names(column: Column) -> list[str]:
    return [column.key, f"{column.key}_spread"] if column.noisy else [column.key]


def _csv_values(column: Column, cell: Cell) -> list[str]:
    return [_raw(cell.raw), _raw(cell.spread)] if column.noisy else [_raw(cell.raw)]


def _raw(value: str | float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else str(value)


def _html_row(columns: tuple[Column, ...], row: tuple[Cell, ...]) -> str:
    return "".join(_html_cell(column, cell) for column, cell in zip(columns, row, strict=True))


def _html_cell(column: Column, cell: Cell) -> str:
    shown = escape(cell.text)
    if column.kind == "code" and cell.raw is not None:
        shown = f'{copy_button(str(cell.raw))} <code title="{shown}">{shown}</code>'
    if cell.mark:
        shown = f'<span class="tag {escape(cell.mark)}">{shown}</span>'
    if cell.link:
        shown = f'<a href="#{escape(cell.link)}">{shown}</a>'
    raw = "" if cell.raw is None else escape(_raw(cell.raw))
    return f'<td class="{column.kind}" data-sort="{raw}">{shown}</td>'


_MARKDOWN = re.compile(r"([\\`*_{}\[\]#|~$])")


def _markdown_cell(column: Column, cell: Cell) -> str:
    if column.kind == "code" and cell.raw is not None and not set(cell.text) & set("`|<\n\r"):
        return f"`{cell.text}`"
    return markdown(cell.text)


def markdown(words: str) -> str:
    """Text that renders as itself: no markup, no HTML, no line break."""
    plain = _MARKDOWN.sub(r"\\\1", " ".join(words.split()))
    # a lone '#' inside a cell starts no heading; '#12' reads better unescaped
    return plain.replace("\\#", "#").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "±": r"$\pm$", "×": r"$\times$", "–": "--", "−": "$-$", "·": r"$\cdot$", "²": r"$^2$", "Σ": r"$\Sigma$",
    "→": r"$\to$", "≤": r"$\le$", "≥": r"$\ge$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "…": r"\dots{}",
    "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "Δ": r"$\Delta$",
}  # fmt: skip


def latex(words: str) -> str:
    """Text as LaTeX prints it; a character it cannot be trusted with becomes '?'."""
    return "".join(
        _LATEX.get(mark, mark if mark.isascii() or mark.isalpha() else "?") for mark in " ".join(words.split())
    )
