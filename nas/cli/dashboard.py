"""`nas dashboard`: studies as a page that follows them while they are written."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.cli import console
from nas.cli.options import DEFAULT_STORAGE, Storage


def dashboard(
    references: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="STUDY",
            help="A study, a storage's URL, URL#STUDY, a records file or a report's folder; otherwise all studies.",
        ),
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    port: Annotated[int, typer.Option(min=0, max=65_535, metavar="N", help="0 takes any free one.")] = 8787,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen; otherwise this machine alone.")] = (
        "127.0.0.1"
    ),
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Serve the explorer of studies on this machine: new trials appear as they are told. Ctrl-C ends it.

    Reads only: a search may be running, and is not slowed. Several studies lie over each other on one page.

    Examples:

      nas dashboard first --open

      nas dashboard efficientnetv2 runs/other/data/records.jsonl

      nas dashboard --storage sqlite:///nas.db --port 0
    """
    from nas.dashboard.security import is_loopback
    from nas.dashboard.serve import address, bind, serve
    from nas.study.feed import open_sources

    sources = open_sources(references or [], storage)
    listening = bind(host, port)
    url = address(listening, host)
    if not is_loopback(host):
        console.say(f"warning: anyone who reaches {host} can read these studies; there is no password")

    def ready() -> None:
        print(url, flush=True)
        console.say("Ctrl-C ends it")
        if open_page:
            import threading
            import webbrowser

            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()  # some browsers do not return

    code = serve(sources, listening, host, ready)
    if code:
        raise typer.Exit(code)
