"""The page in a real browser, with the network off: what a person would see."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nas.record import Reading
from nas.report import StudyReport, analyse, write_report
from tests.explorer_browser import browser  # noqa: F401
from tests.report_records import recipe, records, study

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(study(40), tmp_path_factory.mktemp("report"))


@pytest.fixture
def visit(browser: Any) -> Iterator[Any]:  # noqa: F811
    """Opens a page offline and hands it over; at the end it must have asked for nothing and complained of nothing."""
    opened, trouble = [], []

    def go(
        path: Path, width: int = 1280, scheme: str = "light", script: str = "", quiet: bool = True, **settings: Any
    ) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True, **settings
        )
        page = context.new_page()
        opened.append(context)
        if script:
            page.add_init_script(script)
        if quiet:
            loud = ("error", "warning")
            page.on("console", lambda message: trouble.append(message.text) if message.type in loud else None)
            page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on(
            "request",
            lambda request: (
                trouble.append(request.url) if not request.url.startswith(("file:", "data:", "blob:")) else None
            ),
        )
        page.goto(path.as_uri())
        return page

    yield go
    for context in opened:
        context.close()
    assert trouble == []


def drawn(page: Any) -> Any:
    page.wait_for_selector("#x-plot .main-svg")
    return page


def figure(page: Any, name: str) -> Any:
    page.locator(f"#{name}").scroll_into_view_if_needed()
    page.wait_for_selector(f"#{name} .main-svg")
    return page.locator(f"#{name}")


def test_the_explorer_stands_above_what_is_said(visit: Any, report: Path) -> None:
    page = drawn(visit(report))
    heads = page.locator("main > section > h2").all_inner_texts()
    assert heads == [
        "What was found", "How the search went", "Trials without a result", "What the numbers mean", "Provenance",
    ]  # fmt: skip
    tops = [page.locator(f"#{name}").bounding_box()["y"] for name in ("explorer", "findings", "provenance")]
    assert tops == sorted(tops)


def test_figures_are_drawn_when_they_come_near(visit: Any, report: Path) -> None:
    page = drawn(visit(report))
    assert figure(page, "history").locator(".scatterlayer .js-line").count() == 1
    assert figure(page, "importance-0").locator(".barlayer .point").count() == 7


def test_the_page_shows_the_networks_of_the_tables(visit: Any, report: Path) -> None:
    page = drawn(visit(report))
    shown = page.locator("#x-table").inner_text()
    for result in analyse(study(40).records, recipe()).front[:5]:
        assert result.name in shown


def test_without_decompression_one_sentence_says_so(visit: Any, report: Path) -> None:
    page = visit(report, script="delete globalThis.DecompressionStream", quiet=False)
    page.wait_for_selector("#trouble:not([hidden])")
    assert "2023 or later" in page.locator("#trouble").inner_text()
    assert page.locator("#findings li").count() > 3


def test_without_javascript_the_words_are_there(visit: Any, report: Path) -> None:
    page = visit(report, java_script_enabled=False)
    assert "JavaScript" in page.locator("main > noscript, main .trouble").first.inner_text()
    assert page.locator("#findings li").count() > 3


def test_no_script_of_anyone_else_runs(visit: Any, report: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.html"
    text = report.read_text().replace("<main>", "<main><script>document.title = 'owned'</script>")
    changed.write_text(text.replace("<h1>", "<h1 onclick=\"document.title='owned'\">"))
    page = drawn(visit(changed, quiet=False))
    page.locator("h1").click()
    assert page.title() == "example – nas report"


def test_dark_mode_follows_the_reader(visit: Any, report: Path) -> None:
    page = drawn(visit(report))
    figure(page, "history")
    colour = """() => document.getElementById("history").data.find((one) => one.meta.role === "front").line.color"""
    assert page.evaluate(colour) == "#d55e00"
    page.emulate_media(color_scheme="dark")
    for _ in range(50):  # the page's policy forbids the eval that playwright's own wait needs
        if page.evaluate(colour) == "#f0e442":
            break
        page.wait_for_timeout(50)
    assert page.evaluate(colour) == "#f0e442"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_sideways_scrolling(visit: Any, report: Path, scheme: str) -> None:
    page = drawn(visit(report, width=390, scheme=scheme))
    figure(page, "history")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#history").bounding_box()["width"] <= 390


def test_the_picture_of_the_readme_is_drawn(report: Path, tmp_path: Path) -> None:
    code = "import pathlib, sys, picture; picture.picture(*map(pathlib.Path, sys.argv[1:]))"
    out = tmp_path / "front.png"
    docs = Path(__file__).parents[2] / "docs"
    subprocess.run([sys.executable, "-c", code, str(report), str(out)], cwd=docs, check=True, timeout=120)
    head = out.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(head[16:20], "big") == 1200
    assert 300 < int.from_bytes(head[20:24], "big") < 900


@pytest.mark.parametrize("kind", ["empty", "one", "failed", "evil"])
def test_a_study_with_little_to_show_is_a_sound_page(visit: Any, tmp_path: Path, kind: str) -> None:
    evil = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    known = {
        "empty": [],
        "one": records(1),
        "failed": [dataclasses.replace(one, state="failed", reason="killed", readings={}) for one in records(3)],
        "evil": [
            dataclasses.replace(one, baseline=evil, readings={**one.readings, "top1_pct": Reading(50.0 + n)})
            for n, one in enumerate(records(2))
        ],
    }[kind]
    report = StudyReport(known, recipe(), {"command": evil}, {"top1_pct": {evil: 1.0}} if kind == "evil" else {})
    page = visit(write_report(report, tmp_path))
    page.wait_for_selector("#provenance")
    assert page.title() == "example – nas report"
    page.wait_for_selector("#x-plot")
    page.wait_for_timeout(200)
    assert page.title() == "example – nas report"
