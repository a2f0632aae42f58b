"""The page around its sections: one self-contained HTML file, or the same page as a server gives it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from string import Template
from typing import Any, NamedTuple

from nas.explorer.bundle import script, static

_STYLES = ("base.css", "explorer.css", "panels.css")
_PACKED_FROM = 20_000  # bytes of data from which they are compressed


class Section(NamedTuple):
    """A part of a page: its anchor, its heading as text, its body as HTML."""

    anchor: str
    title: str
    html: str


def fill(  # noqa: PLR0913
    *,
    title: str,
    kind: str,
    name: str,
    question: str,
    sections: Sequence[Section | tuple[str, str, str]],
    figures: Mapping[str, Any],
    style: str = "",
    explorer: Mapping[str, Any] | None = None,
) -> str:
    """The page as one file: `figures` are plotly's JSON by the id of
    their place. `style` follows the common style sheet. `explorer`: the page document of the explorer, which then
    stands above the sections. The same input gives the same bytes."""
    drawn = bool(figures) or explorer is not None
    app = app_script(explorer=explorer is not None)
    data = [_json("figures", dict(figures), packed=False)]
    if explorer is not None:
        data.append(_json("explorer-data", explorer))
    if drawn:
        data.append(_node("plotly", "application/octet-stream", _packed_plotly(), "gzip"))
    return Template(static("page.html")).substitute(
        title=escape(title),
        kind=escape(kind),
        name=escape(name),
        question=f'<p class="question">{escape(question)}</p>' if question else "",
        policy=_policy((app, plotly_script()) if drawn else (app,)),
        style=_style(explorer is not None) + style,
        body="explorer" if explorer is not None else "plain",
        navigation=" ".join(f'<a href="#{anchor}">{escape(heading)}</a>' for anchor, heading, _ in sections),
        explorer="" if explorer is None else static("explorer.html").strip(),
        sections="\n".join(section(*parts) for parts in sections),
        data="\n".join(data),
        scripts=f"<script>{app}</script>",
    )


def section(anchor: str, heading: str, body: str) -> str:
    """A section of the page: its heading is text, its body HTML."""
    return (
        f'<section id="{anchor}" aria-labelledby="{anchor}-title">'
        f'<h2 id="{anchor}-title">{escape(heading)}</h2>\n{body}\n</section>'
    )


def live_page() -> str:
    """The same page for a server: its data, `app.js` and `plotly.js` are asked for beside it."""
    return Template(static("page.html")).substitute(
        title="nas dashboard",
        kind="dashboard",
        name="nas",
        question="",
        policy=content_security_policy(live=True).replace("; frame-ancestors 'none'", ""),  # only a header may say it
        style=_style(explorer=True),
        body="explorer live",
        navigation="",
        explorer=static("explorer.html").strip(),
        sections="",
        data="",
        # the page's own first: it asks for its data while plotly, a second of work, is being read
        scripts='<script src="app.js"></script>\n<script src="plotly.js"></script>',
    )


@cache
def app_script(explorer: bool = True) -> str:
    """The page's own JavaScript, one script; without `explorer` the part that draws figures and sorts tables."""
    entries = ("main.js", "boot.js") if explorer else ("boot.js",)
    return script(entries, f"bootPage({'start' if explorer else 'null'});")


@cache
def plotly_script() -> str:
    """plotly.js, of the plotly that is installed."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def content_security_policy(live: bool = False) -> str:
    """What a page may load: for a server its own scripts and data and nothing else, as a header; for a file nothing."""
    return _policy(("'self'",), live=True) if live else _policy((app_script(), plotly_script()))


def _policy(scripts: Sequence[str], live: bool = False) -> str:
    allowed = " ".join(scripts if live else map(_hash, scripts))
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {allowed}",
            "style-src 'unsafe-inline'",  # plotly styles its own elements
            "img-src data: blob:",
            "connect-src 'self'" if live else "connect-src 'none'",
            "font-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            *(["frame-ancestors 'none'"] if live else []),
        ]
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _style(explorer: bool) -> str:
    return "".join(static(name) for name in (_STYLES if explorer else _STYLES[:1])).rstrip("\n")


def _json(name: str, document: Any, packed: bool = True) -> str:
    """JSON that no HTML parser mistakes for markup; much of it is compressed."""
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    if packed and len(text) >= _PACKED_FROM:
        return _node(name, "application/json", _pack(text), "gzip")
    return _node(name, "application/json", text.replace("<", "\\u003c").replace("&", "\\u0026"))


def _node(name: str, kind: str, text: str, encoding: str = "") -> str:
    packed = f' data-encoding="{encoding}"' if encoding else ""
    return f'<script type="{kind}" id="{name}"{packed}>{text}</script>'


@cache
def _packed_plotly() -> str:
    return _pack(plotly_script())


def _pack(text: str) -> str:
    """gzip, the same bytes every time, as base64."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()
