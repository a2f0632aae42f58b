"""What goes where: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table as RichTable

    from nas.report.table import Table


@dataclass
class Manners:
    """The global flags, set once by `main` before any command runs."""

    debug: bool = False
    color: bool = True
    quiet: bool = False
    verbose: bool = False


MANNERS = Manners()


def result() -> Console:
    """Standard output."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 160
    return Console(no_color=not MANNERS.color or None, width=width, highlight=False, soft_wrap=False)


def messages() -> Console:
    """Standard error."""
    from rich.console import Console

    return Console(
        stderr=True,
        no_color=not MANNERS.color or None,
        quiet=MANNERS.quiet,
        highlight=False,
        width=None if sys.stderr.isatty() else 160,
    )


def show(item: RenderableType) -> None:
    """Print a result."""
    result().print(item)


def as_rich(table: Table, title: str = "") -> RichTable:
    """A report's table for the terminal."""
    from rich.table import Table as RichTable

    shown = RichTable(title=title or None, title_justify="left")
    for column in table.columns:
        shown.add_column(column.label, justify="right" if column.kind == "number" else "left")
    for row in table.rows[: -1 if table.total else None]:
        shown.add_row(*(cell.text for cell in row))
    if table.total:
        shown.add_section()
        shown.add_row(*(cell.text for cell in table.rows[-1]))
    return shown


def say(text: str) -> None:
    """Print a message, as it is."""
    if not MANNERS.quiet:
        messages().print(text, markup=False, soft_wrap=True)


def show_json(document: dict[str, Any]) -> None:
    """Print one JSON document with its schema number."""
    print(json.dumps({"schema": 1, **document}, ensure_ascii=False))


def fail(what: str, hint: str = "") -> None:
    """Print `error:` and `hint:`, one line each."""
    bold, plain = ("\033[1;31m", "\033[0m") if _colored() else ("", "")
    print(f"{bold}error:{plain} {' '.join(what.split())}", file=sys.stderr)
    if hint:
        print(f"hint: {' '.join(hint.split())}", file=sys.stderr)


def _colored() -> bool:
    return MANNERS.color and sys.stderr.isatty() and "NO_COLOR" not in os.environ
