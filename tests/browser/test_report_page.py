"""The page in a real browser, with the network off: what a person would see."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nas.record import Reading
from nas.report import StudyReport, analyse, write_report
from tests.report_records import recipe, records, study

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(study(40), tmp_path_factory.mktemp("report"))


@pytest.fixture
def visit(browser: Any) -> Iterator[Any]:
    """Opens a page offline and hands it over; at the end it must have asked for nothing and complained of nothing."""
    opened, trouble = [], []

    def go(path: Path, width: int = 1280, scheme: str = "light", **settings: Any) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True, **settings
        )
        page = context.new_page()
        opened.append(context)
        page.on(
            "console", lambda message: trouble.append(message.text) if message.type in ("error", "warning") else None
        )
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
    page.wait_for_selector("#panel-flops-top1_pct .scatterlayer .point")
    return page


def test_every_measured_network_is_a_point(visit: Any, report: Path) -> None:
    page = drawn(visit(report))
    analysis = analyse(study(40).records, recipe())
    for x in ("flops", "train_images_per_s", "params"):
        marks = page.locator(f"#panel-{x}-top1_pct .scatterlayer .point").count()
        assert marks == len(analysis.results) + len(analysis.baselines)  # a baseline has a ring besides
    assert page.locator("#history .scatterlayer .js-line").count() == 1
    assert page.locator("#importance-0 .barlayer .point").count() == 7
    assert page.locator("#table tbody tr").count() >= len(analysis.front)


def point_at(page: Any, name: str) -> None:
    """Move the mouse onto the mark of the network called `name` in the first panel."""
    spot = page.evaluate(
        """(name) => {
            const place = document.getElementById("panel-flops-top1_pct");
            place.scrollIntoView({ block: "center" });
            const trace = place.data.find((one) => one.meta.role === "front"), n = trace.customdata.indexOf(name);
            const { xaxis, yaxis } = place._fullLayout, plot = place.getBoundingClientRect();
            return [plot.x + xaxis._offset + xaxis.d2p(trace.x[n]), plot.y + yaxis._offset + yaxis.d2p(trace.y[n])];
        }""",
        name,
    )
    page.mouse.move(*spot)


def test_pointing_at_a_network_shows_its_notation_and_a_click_opens_it(visit: Any, report: Path) -> None:
    page = drawn(visit(report))
    first = next(result for result in analyse(study(40).records, recipe()).front if result.status == "front")
    name = f"network-{first.record.trial}"
    point_at(page, name)
    page.wait_for_selector("#panel-flops-top1_pct .hovertext")
    shown = page.locator("#panel-flops-top1_pct .hoverlayer").text_content()
    assert first.name in shown
    assert "top-1" in shown
    assert "±" in shown
    assert first.record.arch.replace(" ", "") in shown.replace(" ", "").replace("\xa0", "")
    page.mouse.down()
    page.mouse.up()
    page.wait_for_function("(name) => document.getElementById(name).open", arg=name)
    assert page.locator(f"#{name} table").is_visible()


def test_a_link_of_the_table_opens_its_network(visit: Any, report: Path) -> None:
    page = drawn(visit(report))
    name = f"network-{analyse(study(40).records, recipe()).front[0].record.trial}"
    assert not page.locator(f"#{name}").evaluate("element => element.open")
    page.locator(f'#table a[href="#{name}"]').click()
    assert page.locator(f"#{name} table").is_visible()


def test_a_head_sorts_the_table_by_keyboard(visit: Any, report: Path) -> None:
    page = drawn(visit(report))
    head = page.locator("#table th", has_text="FLOPs").locator("button")
    head.focus()

    def column() -> list[float]:
        return page.evaluate(
            """() => {
                const heads = [...document.querySelectorAll("#table th")];
                const place = heads.findIndex((head) => head.innerText.startsWith("FLOPs"));
                const rows = [...document.querySelectorAll("#table tbody tr")];
                return rows.map((row) => Number(row.cells[place].dataset.sort));
            }"""
        )

    page.keyboard.press("Enter")
    assert column() == sorted(column())
    page.keyboard.press("Enter")
    assert column() == sorted(column(), reverse=True)
    assert page.locator("#table th", has_text="FLOPs").get_attribute("aria-sort") == "descending"


def test_copy_puts_the_notation_on_the_clipboard(visit: Any, report: Path) -> None:
    page = drawn(visit(report, permissions=["clipboard-read", "clipboard-write"]))
    button = page.locator("#table button.copy").first
    expected = button.get_attribute("data-copy")
    button.click()
    page.wait_for_selector("#table button.copy:has-text('copied')")
    assert page.evaluate("navigator.clipboard.readText()") == expected


def test_dark_mode_follows_the_reader(visit: Any, report: Path) -> None:
    page = drawn(visit(report))

    def front_colour() -> str:
        return page.evaluate(
            """() => document.getElementById("panel-flops-top1_pct").data
                .find((one) => one.meta.role === "front").marker.color"""
        )

    assert front_colour() == "#d55e00"
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        """() => document.getElementById("panel-flops-top1_pct").data
            .find((one) => one.meta.role === "front").marker.color === "#f0e442" """
    )
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_sideways_scrolling(visit: Any, report: Path, scheme: str) -> None:
    page = drawn(visit(report, width=390, scheme=scheme))
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#panel-params-top1_pct").bounding_box()["width"] <= 390


def test_the_names_of_the_baselines_cover_no_mark(visit: Any, report: Path) -> None:
    page = drawn(visit(report))
    covered = page.evaluate(
        """() => [...document.querySelectorAll("[id^=panel-]")].flatMap((panel) => {
            const marks = [...panel.querySelectorAll(".scatterlayer .point")].map((one) => one.getBoundingClientRect());
            return [...panel.querySelectorAll(".annotation-text")].filter((name) => {
                const { left, right, top, bottom } = name.getBoundingClientRect();
                const inside = (x, y) => left < x && x < right && top < y && y < bottom;
                return marks.some((one) => inside(one.x + one.width / 2, one.y + one.height / 2));
            }).map((name) => panel.id + " " + name.textContent);
        })"""
    )
    assert page.locator("[id^=panel-] .annotation-text").count() == 6
    assert covered == []


def test_the_picture_of_the_readme_is_drawn(browser: Any, report: Path, tmp_path: Path) -> None:
    code = "import pathlib, sys, picture; picture.picture(*map(pathlib.Path, sys.argv[1:]))"
    out = tmp_path / "front.png"
    docs = Path(__file__).parents[2] / "docs"
    subprocess.run([sys.executable, "-c", code, str(report), str(out)], cwd=docs, check=True, timeout=120)
    head = out.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(head[16:20], "big") == 1200
    assert 300 < int.from_bytes(head[20:24], "big") < 900


def test_zooming_in_gets_finer_ticks_and_back(visit: Any, report: Path) -> None:
    page = drawn(visit(report))
    mode = """() => document.getElementById("panel-flops-top1_pct").layout.xaxis.tickmode"""
    zoom = """(range) => Plotly.relayout("panel-flops-top1_pct", range)"""
    page.evaluate(zoom, {"xaxis.range[0]": 9.7, "xaxis.range[1]": 9.9})
    page.wait_for_function(f"({mode})() === 'auto'")
    page.evaluate(zoom, {"xaxis.autorange": True})
    page.wait_for_function(f"({mode})() === 'array'")


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
    if kind in ("one", "evil"):
        drawn(page)
    page.wait_for_timeout(200)
    assert page.title() == "example – nas report"
