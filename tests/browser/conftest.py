"""Pages of the explorer in a real Chromium, watched: what they ask for, complain of, or pop up is a failure."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.explorer_browser import browser  # noqa: F401
from tests.explorer_page import Explorer
from tests.explorer_served import ROOT

LOST = r"Failed to load resource|ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY"  # while a server is away on purpose


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Explorer]]:  # noqa: F811
    """Opens an address in a context of its own. At the end it must have asked nothing of others, nor complained."""
    contexts, trouble = [], []

    def go(
        url: str | Path, width: int = 1280, scheme: str = "light", excused: str = "", block: str = "", **settings: Any
    ) -> Explorer:
        offline = isinstance(url, Path)
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=offline, **settings
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        home = "file:" if offline else str(url).split("#")[0]

        def complain(text: str) -> None:
            if not (excused and re.search(excused, text)):
                trouble.append(text)

        page.on("console", lambda said: complain(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complain(str(error)))
        page.on("dialog", lambda dialog: (complain(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith((home, "data:", "blob:")) else trouble.append(f"asked for {request.url}")
            ),
        )
        if block:
            page.route(block, lambda route: route.abort())
        page.goto(url.as_uri() if isinstance(url, Path) else url, wait_until="commit")
        return Explorer(page)

    yield go
    for context in contexts:
        context.close()
    assert trouble == []


def written(url: str, name: str, folder: Path, *words: str) -> Path:
    """The page that `nas report` writes of a study."""
    settings = {key: value for key, value in os.environ.items() if not key.startswith("NAS_")}
    subprocess.run(
        [sys.executable, "-m", "nas", "report", name, "--storage", url, "--out", str(folder), *words],
        check=True,
        timeout=120,
        capture_output=True,
        cwd=folder.parent,
        env={**settings, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    return folder / "report.html"
