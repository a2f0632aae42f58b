"""What goes where: results on standard output, everything else on standard error."""

from __future__ import annotations

import io
import json
import os
import re
import select
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

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
# Commands of a terminal, and marks that turn the reading direction.
_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_PATIENCE = 2.0  # seconds that a reader of our messages may sleep before they are no longer written


class Patient(io.TextIOBase):
    """A standard stream that keeps nobody waiting: where a pipe is full, or the terminal gone, words are dropped.

    A search must neither hang nor end because nobody reads what it says. A terminal that is stopped (Ctrl-S) is waited
    for: somebody sits there.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._waits = stream, _PATIENCE

    def write(self, text: str) -> int:
        whole = text.encode(self._stream.encoding, "backslashreplace")
        try:
            for start in range(0, len(whole), select.PIPE_BUF):  # a pipe that can be written to takes so much at once
                if not self._takes():
                    break
                os.write(self.fileno(), whole[start : start + select.PIPE_BUF])
        except (OSError, ValueError):  # closed
            self._waits = 0.0
        return len(text)

    def _takes(self) -> bool:
        if self.isatty():
            return True
        writable = bool(select.select([], [self._stream], [], self._waits)[1])
        self._waits = _PATIENCE if writable else 0.0
        return writable

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    @classmethod
    def install(cls, name: str = "stderr") -> None:
        """Put it in the place of `stderr` or `stdout`, where that is a file of the system's."""
        stream = getattr(sys, name)
        with suppress(OSError, ValueError, AttributeError):
            stream.fileno()
            stream.flush()
            if not isinstance(stream, cls):
                setattr(sys, name, cls(stream))


@cache
def _printer() -> type[Console]:
    """A console that prints text as it is: what strangers wrote gives no commands to a terminal, and no markup."""
    from rich.console import Console
    from rich.text import Text

    class Printer(Console):
        def render_str(self, text: str, **style: Any) -> Text:
            return super().render_str(_COMMANDS.sub(lambda match: ascii(match[0])[1:-1], text), **style)

    return Printer


def result() -> Console:
    """Standard output."""
    width = None if sys.stdout.isatty() else 160
    color = not MANNERS.color or None
    return _printer()(no_color=color, width=width, highlight=False, soft_wrap=False, markup=False, emoji=False)


def messages() -> Console:
    """Standard error."""
    return _printer()(
        stderr=True,
        no_color=not MANNERS.color or None,
        quiet=MANNERS.quiet,
        highlight=False,
        width=None if sys.stderr.isatty() else 160,
        markup=False,
        emoji=False,
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
    what, hint = (_COMMANDS.sub(lambda match: ascii(match[0])[1:-1], text) for text in (what, hint))
    print(f"{bold}error:{plain} {' '.join(what.split())}", file=sys.stderr)
    if hint:
        print(f"hint: {' '.join(hint.split())}", file=sys.stderr)


def _colored() -> bool:
    return MANNERS.color and sys.stderr.isatty() and "NO_COLOR" not in os.environ
