"""The page that `nas report` writes, with the network off: looking, choosing, comparing, taking along."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from nas.record import Record
from nas.report.analysis import Analysis, analyse
from tests.browser.conftest import written
from tests.explorer_page import Explorer, Open, number
from tests.explorer_studies import recipe, sampled, write_study

pytestmark = pytest.mark.browser
TRIALS = 60
SHOWN = "document.querySelector('#x-filters .x-shown').textContent"


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return sampled(TRIALS)


@pytest.fixture(scope="module")
def analysis(records: list[Record]) -> Analysis:
    return analyse(records, recipe("big", TRIALS))


@pytest.fixture(scope="module")
def page(records: list[Record], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("file")
    url = write_study(folder / "nas.db", recipe("big", TRIALS), records)
    return written(url, "big", folder / "out")


@pytest.fixture
def explorer(opened: Open, page: Path) -> Explorer:
    return opened(page).drawn()


def member(analysis: Analysis, place: int = 0) -> Record:
    """Networks on the front, the one first that lies farthest from all others on the screen."""
    every = [(math.log10(one.values["flops"]), one.values["top1_pct"] / 10) for one in analysis.results]

    def alone(record: Record) -> float:
        own = (math.log10(record.values["flops"]), record.values["top1_pct"] / 10)
        return min(math.dist(own, other) for other in every if other != own)

    found = [one.record for one in analysis.front if not one.record.baseline]
    return sorted(found, key=alone, reverse=True)[place]


def test_it_ranks_as_the_report_does(explorer: Explorer, analysis: Analysis) -> None:
    counts = Counter(one.status for one in (*analysis.results, *analysis.baselines))
    legend = explorer.legend()
    known = {one.record.id: one.status for one in (*analysis.results, *analysis.baselines)}
    counts = Counter(known.values())
    assert {word: legend.get(word, 0) for word in ("front", "tied", "dominated")} == {
        word: counts[word] for word in ("front", "tied", "dominated")
    }
    assert min(legend["front"], legend["dominated"], legend["over a limit"]) > 1
    pairs = zip(explorer.columns("network"), explorer.columns("status"), strict=True)
    standing = {name.splitlines()[0]: word for name, word in pairs}
    for one in analysis.front:
        name = f"#{one.record.trial}" if not one.record.baseline else one.record.baseline
        word = next(text for shown, text in standing.items() if shown == name or shown.startswith(name + " "))
        assert one.status in word


def test_pointing_says_what_a_network_is_and_a_click_keeps_it(explorer: Explorer, analysis: Analysis) -> None:
    record = member(analysis)
    explorer.page.mouse.move(*explorer.spot(record.values))
    tip = explorer.page.locator("#x-plot .x-tip")
    tip.wait_for(state="visible")
    said = tip.inner_text()
    assert f"#{record.trial}" in said
    assert record.arch in said
    assert "top-1" in said
    assert "±" in said
    explorer.click(record.values)
    explorer.selected(f"#{record.trial}")
    explorer.page.mouse.move(5, 5)
    panel = explorer.text("#x-panel")
    assert record.arch in panel
    assert f"nas show big:{record.trial}" in panel
    assert "computed" in panel
    assert "proxy" in panel
    assert explorer.page.locator("#x-panel svg").first.is_visible()


def test_axes_and_scales_are_free(explorer: Explorer) -> None:
    x, y = explorer.page.locator("#x-bar select").nth(0), explorer.page.locator("#x-bar select").nth(1)
    x.select_option("params")
    explorer.until("document.querySelector('#x-plot .xtitle').textContent.startsWith('params')")
    y.select_option("train_images_per_s")
    explorer.until("document.querySelector('#x-plot .ytitle').textContent.startsWith('train img/s')")
    log = explorer.page.get_by_role("checkbox", name="log").first
    kind = "document.querySelector('#x-plot .x-graph')._fullLayout.xaxis.type"
    before = explorer.page.evaluate(kind)
    log.click()
    explorer.until(f"{kind} !== {before!r}")
    explorer.page.locator("#x-bar select").nth(2).select_option("flops")
    explorer.page.locator("#x-bar .x-scale").wait_for(state="visible")


def test_the_line_is_the_front_of_the_axes_shown_after_filters(explorer: Explorer, records: list[Record]) -> None:
    lines = "document.querySelector('#x-plot .x-graph').data.flatMap((one) => one.x.map((x, n) => [x, one.y[n]]))"

    def front(known: list[Record]) -> list[list[float]]:
        points = sorted({(r.values["flops"], -r.values["top1_pct"]) for r in known})
        best, line = 0.0, []
        for flops, top1 in points:
            if top1 < best:
                best = top1
                line.append([flops, -top1])
        return line

    measured = [r for r in records if r.state == "complete" and all(over <= 0 for over in r.excess.values())]
    assert np.allclose(explorer.page.evaluate(lines), front(measured), rtol=1e-5)  # it carries six digits
    field = explorer.field("top-1 (%), at most")
    field.fill("55")
    field.press("Enter")
    explorer.until("document.querySelector('#x-filters .x-chips').textContent.includes('55')")
    below = front([r for r in measured if r.values["top1_pct"] <= 55])
    assert np.allclose(explorer.page.evaluate(lines), below, rtol=1e-5)


def test_filters_count_what_they_leave(explorer: Explorer, records: list[Record]) -> None:
    whole = explorer.shown()
    field = explorer.field("FLOPs (multiply-adds), at most")
    field.fill("9G")
    field.press("Enter")
    distinct = {r.id: r for r in records if r.state == "complete" or r.state == "infeasible"}
    kept = sum(r.values["flops"] <= 9e9 for r in distinct.values())
    explorer.until(f"{SHOWN}.startsWith('{kept} of {len(distinct)} ')")
    field.fill("nonsense")
    field.press("Enter")
    assert "not a number" in explorer.text("#x-filters .x-fault:not(:empty)")
    explorer.page.get_by_role("button", name="clear all").click()
    explorer.until(f"{SHOWN} === {whole!r}")


def test_two_networks_are_compared_by_what_differs(explorer: Explorer, analysis: Analysis, tmp_path: Path) -> None:
    one, two = member(analysis, 0), member(analysis, 1)
    for record, letter in ((one, "A"), (two, "B")):
        explorer.click(record.values)
        explorer.selected(f"#{record.trial}")
        explorer.page.get_by_role("button", name=f"Pin as {letter}").last.click()
    compare = explorer.page.locator("#x-compare")
    compare.get_by_role("table", name="Cells in which A and B differ").wait_for()
    explorer.until("document.querySelectorAll('#x-compare .p-side svg').length >= 2")
    cells = compare.get_by_role("table", name="Cells in which A and B differ").locator("tbody tr")
    for place in range(cells.count()):
        _, left, right = cells.nth(place).locator("th, td").all_inner_texts()
        assert left != right
    words = compare.inner_text()
    assert "FLOPs" in words
    explorer.shot("compare", tmp_path)


def test_the_table_sorts_by_keyboard(explorer: Explorer) -> None:
    head = explorer.page.locator("#x-table th", has_text="FLOPs").locator("button")
    head.focus()
    explorer.page.keyboard.press("Enter")
    explorer.page.wait_for_selector("#x-table th[aria-sort='ascending']:has-text('FLOPs')")
    rising = [number(text) for text in explorer.columns("FLOPs")]
    assert rising == sorted(rising)
    assert len(rising) > 5
    explorer.page.keyboard.press("Enter")
    explorer.page.wait_for_selector("#x-table th[aria-sort='descending']:has-text('FLOPs')")
    assert [number(text) for text in explorer.columns("FLOPs")] == rising[::-1]


def test_a_link_restores_the_view_in_another_browser(
    opened: Open, page: Path, explorer: Explorer, analysis: Analysis
) -> None:
    one, two = member(analysis, 0), member(analysis, 1)
    explorer.page.locator("#x-bar select").first.select_option("params")
    field = explorer.field("top-1 (%), at least")
    field.fill("40")
    field.press("Enter")
    row = explorer.page.locator("#x-table tbody").get_by_role("button", name=f"#{one.trial}", exact=True)
    row.click()
    explorer.selected(f"#{one.trial}")
    explorer.page.get_by_role("button", name="Pin as A").last.click()
    explorer.page.locator("#x-table tbody").get_by_role("button", name=f"#{two.trial}", exact=True).click()
    explorer.selected(f"#{two.trial}")
    explorer.page.locator("#x-table th", has_text="FLOPs").locator("button").click()
    explorer.until("location.hash.includes('sort=') && location.hash.includes('sel=')")
    fragment = explorer.page.evaluate("location.hash")
    other = opened(page)
    other.page.goto(page.as_uri() + fragment)
    other.page.reload()
    other.drawn()
    other.selected(f"#{two.trial}")
    assert other.page.locator("#x-bar select").first.input_value() == "params"
    assert other.shown() == explorer.shown()
    assert f"#{one.trial}" in other.text("#x-compare")
    assert other.columns("FLOPs") == explorer.columns("FLOPs")


def test_the_view_is_taken_along(explorer: Explorer, records: list[Record]) -> None:
    box = explorer.page.locator("#x-exports")
    with explorer.page.expect_download() as download:
        box.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8-sig"))))
    distinct = {r.id: r for r in records if r.state == "complete" or r.state == "infeasible"}
    assert len(rows) == len(distinct)
    exact = {r.arch: r.values["flops"] for r in distinct.values()}
    assert {row["notation"]: float(row["flops"]) for row in rows} == exact  # counts are whole
    for kind, start in (("SVG", b"<svg"), ("PNG", b"\x89PNG\r\n\x1a\n")):
        with explorer.page.expect_download() as download:
            box.get_by_role("button", name=kind).click()
        body = Path(download.value.path()).read_bytes()
        assert body.startswith(start)
        assert len(body) > 10_000


def test_published_networks_lie_over_the_plot(explorer: Explorer) -> None:
    assert "published" not in explorer.legend()
    explorer.page.get_by_role("checkbox", name="published").check()
    explorer.page.wait_for_selector("#x-bar .x-legend li:has-text('published')")
    assert explorer.legend()["published"] >= 1


def test_a_question_names_one_answer_and_the_runner_up(explorer: Explorer, records: list[Record]) -> None:
    decide = explorer.page.locator("#x-decide")
    decide.get_by_role("group", name="Questions to start from").get_by_role("button").first.click()
    answer = decide.get_by_role("region", name="Answer")
    assert "Runner-up" in answer.inner_text()
    best = decide.locator("label", has_text="Best").locator("select")
    best.select_option("top1_pct")
    while decide.locator(".p-need").count() > 1:
        decide.get_by_role("button", name="remove").last.click()
    decide.get_by_label("Condition 1: metric").select_option("flops")
    decide.get_by_label("Condition 1: relation").select_option("<=")
    field = decide.get_by_label("Condition 1: bound", exact=True)
    field.fill("4G")
    field.press("Enter")
    field.press("Tab")
    fitting = [r for r in records if r.state == "complete" and r.values["flops"] <= 4e9]
    wanted = max(fitting, key=lambda r: r.values["top1_pct"])
    name = f"#{wanted.trial}" if not wanted.baseline else wanted.baseline
    explorer.until(f"document.querySelector('#x-decide .p-answer .p-name')?.textContent.startsWith({name!r})")
    assert f"nas show big:{wanted.trial}" in answer.inner_text()


def test_parallel_coordinates_are_drawn_on_demand(explorer: Explorer) -> None:
    box = explorer.page.locator("#x-parallel details")
    assert box.locator("svg, canvas").count() == 0 or not box.locator("svg, canvas").first.is_visible()
    box.locator("summary").click()
    box.locator("svg, canvas").first.wait_for()
    box.locator("fieldset label", has_text="stage1").first.wait_for()  # the cells come a moment later
    chosen = box.locator("fieldset input:checked").count()
    assert 2 <= chosen <= 8
    box.locator("fieldset input:not(:checked)").first.click()
    explorer.until(f"document.querySelectorAll('#x-parallel fieldset input:checked').length === {chosen + 1}")
    explorer.until("location.hash.includes('axes=')")


def test_everything_can_be_done_by_keyboard(explorer: Explorer, tmp_path: Path) -> None:
    keys = explorer.page.keyboard
    explorer.page.locator("#x-plot").focus()
    spoken = explorer.page.locator("#x-live")
    keys.press("Home")
    explorer.until("document.getElementById('x-live').textContent.includes('top-1')")
    first = spoken.inner_text().split(",")[0]
    keys.press("Enter")
    explorer.selected(first)
    keys.press("a")
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    keys.press("b")
    explorer.page.locator("#x-compare").get_by_role("table", name="Readings of A and B").wait_for()
    row = explorer.page.locator("#x-table tbody tr button").first
    row.focus()
    keys.press("ArrowDown")
    keys.press("Enter")
    name = explorer.page.evaluate("document.activeElement.textContent")
    explorer.selected(name)
    csv_button = explorer.page.locator("#x-exports").get_by_role("button", name="CSV")
    csv_button.focus()
    with explorer.page.expect_download():
        keys.press("Enter")
    explorer.page.locator("#x-plot").focus()
    keys.press("Escape")
    keys.press("Escape")
    explorer.until("document.querySelector('#x-panel .p-card').hidden")


def test_the_tab_key_reaches_the_controls_in_order(explorer: Explorer) -> None:
    found = []
    for _ in range(60):
        explorer.page.keyboard.press("Tab")
        found.append(
            explorer.page.evaluate("document.activeElement.closest('[id^=x-]')?.id ?? document.activeElement.tagName")
        )
    places = [place for n, place in enumerate(found) if place.startswith("x-") and place not in found[:n]]
    assert places[:4] == ["x-bar", "x-plot", "x-filters", "x-decide"]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_reader(
    opened: Open, page: Path, analysis: Analysis, scheme: str, width: int, tmp_path: Path
) -> None:
    explorer = opened(page, width=width, scheme=scheme).drawn()
    explorer.page.locator("#x-table tbody").get_by_role("button", name=f"#{member(analysis).trial}", exact=True).click()
    explorer.selected(f"#{member(analysis).trial}")
    explorer.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert explorer.page.evaluate("document.documentElement.scrollWidth") <= width
    plot = explorer.page.locator("#x-plot").bounding_box()
    assert plot["x"] >= 0
    assert plot["x"] + plot["width"] <= width
    ground = explorer.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 200) == (scheme == "dark")
    explorer.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = false")
    explorer.shot(f"{scheme}-{width}", tmp_path)
