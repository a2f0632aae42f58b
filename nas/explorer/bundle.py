"""The page's JavaScript modules as one script: a file opened from disk may not import modules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files

from nas.errors import NasError

_IMPORT = re.compile(r'^import\s+(?:\{[^}"]*\}\s+from\s+)?"\./([\w-]+\.js)";[ \t]*(?://[^\n]*)?\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function\b|class\b|const\b|let\b)", re.MULTILINE)
_REFUSED = re.compile(
    r"^(?:import|export)\b.*|^await\b.*|\bimport\s*\(.*|</script.*|<!--.*", re.MULTILINE | re.IGNORECASE
)
_COMMENT = re.compile(r"^[ \t]*//[^\n]*\n", re.MULTILINE)  # a line that is nothing else: an eighth of what is sent
_RENAMED = re.compile(r"\bas\b")
_DECLARED = re.compile(r"^(?:(?:async )?function\*?|class)\s+([\w$]+)", re.MULTILINE)
_VARIABLES = re.compile(r"^(?:const|let|var)\s+", re.MULTILINE)


class BundleError(NasError):
    """Modules that cannot become one script."""


@cache
def static(name: str) -> str:
    """The text of one of the page's static files."""
    return files("nas.explorer").joinpath("static", name).read_text(encoding="utf-8")


def script(entries: tuple[str, ...], last: str = "", read: Callable[[str], str] = static) -> str:
    """One script of the modules `entries` and all that they import, each after what it needs, and `last` at its end.

    Raises: BundleError for a form that this cannot concatenate, a missing module, or two equal top-level names.
    """
    owners: dict[str, str] = {}
    parts = []
    for name, text in _ordered(entries, read):
        for declared in _names(text):
            if owners.setdefault(declared, name) != name:
                raise BundleError(f"{name}: '{declared}' is declared at the top of {owners[declared]} too")
        parts.append(f"// {name}\n{_COMMENT.sub('', text).strip()}\n")
    return '(() => {\n"use strict";\n' + "\n".join(parts) + f"{last}\n}})();"


def _ordered(entries: tuple[str, ...], read: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Every module once, without its imports and exports, after those it imports."""
    seen: set[str] = set()

    def visit(name: str) -> Iterator[tuple[str, str]]:
        if name in seen:
            return
        seen.add(name)
        try:
            text = read(name)
        except OSError:
            raise BundleError(f"{name}: no such module") from None
        imports = [match[0].strip() for match in _IMPORT.finditer(text)]
        if len({*imports}) < len(imports):
            raise BundleError(f"{name}: imports the same twice")
        for match in _IMPORT.finditer(text):
            if _RENAMED.search(match[0].partition('"')[0]):
                raise BundleError(f"{name}: an import may not rename: {match[0].strip()}")
            yield from visit(match[1])
        plain = _EXPORT.sub("", _IMPORT.sub("", text))
        if refused := _REFUSED.search(plain):
            raise BundleError(f"{name}: cannot be made part of one script: {refused[0][:80]}")
        yield name, plain

    for entry in entries:
        yield from visit(entry)


def _names(text: str) -> Iterator[str]:
    """The names that a module declares at its top."""
    yield from dict.fromkeys(_DECLARED.findall(text))
    for match in _VARIABLES.finditer(text):
        yield from _declared(text, match.end())


_PARTS = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|//[^\n]*|[\w$]+|[^\s\w]")


def _declared(text: str, start: int) -> Iterator[str]:
    """The names of one `const a = 1, { b, c } = …;`: what stands before each `=` that is inside no bracket."""
    depth, naming = 0, True
    for match in _PARTS.finditer(text, start):
        part = match[0]
        if part.startswith("//"):
            continue
        if part == "=" and depth == 0:
            naming = False
        elif part == ";" and depth == 0:
            return
        elif part == "," and depth == 0:
            naming = True
        elif naming and re.fullmatch(r"[A-Za-z_$][\w$]*", part):
            yield part
        depth += (part in "([{") - (part in ")]}")
