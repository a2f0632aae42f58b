"""A Chromium for the tests of pages, and the page's own modules in it without a server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import nas.explorer

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
STATIC = Path(nas.explorer.__file__).parent / "static"
_ORIGIN = "http://modules.test"


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; the test is skipped with the reason where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    # Of a module, not the session: two of playwright's loops cannot live at once, and other modules start their own.
    with chromium() as opened:
        yield opened


def modules_page(opened: Any) -> Any:
    """A blank page from whose origin `import("/front.js")` gives a module of the explorer as it stands in its file."""
    page = opened.new_page()

    def answer(route: Any) -> None:
        name = route.request.url.removeprefix(_ORIGIN + "/")
        if not name:
            route.fulfill(content_type="text/html", body="<!doctype html><title>modules</title>")
        else:
            route.fulfill(content_type="text/javascript", body=(STATIC / name).read_text("utf-8"))

    page.route(f"{_ORIGIN}/**", answer)
    page.goto(_ORIGIN + "/")
    return page
