"""A paper's page in a real browser, with the network off: figures drawn, tables inside their boxes, links that lead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nas.report.papers import Inputs, Paper, make_paper
from nas.report.papers.write import write_paper
from nas.report.papers.zoo import Zoo, load_zoo
from nas.resources import shipped
from tests.browser.test_report_page import visit  # noqa: F401
from tests.explorer_browser import browser  # noqa: F401

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def paper() -> Paper:
    return make_paper("efficientnet", Inputs(load_zoo(shipped("studies") / "zoo"), Zoo()))


@pytest.fixture(scope="module")
def page(paper: Paper, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_paper(paper, tmp_path_factory.mktemp("paper"), ("html",))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_figure_is_drawn_and_the_tally_is_the_papers(
    paper: Paper, page: Path, visit: Any, scheme: str  # noqa: F811
) -> None:  # fmt: skip
    opened = visit(page, scheme=scheme)
    for figure in paper.figures:
        marks = opened.locator(f"#plot-{figure.name} .scatterlayer .trace")
        marks.first.wait_for(state="attached")
        assert marks.count() == len(figure.series), figure.name
    tiles = opened.locator("#verdicts .tile")
    shown = {tiles.nth(place).locator("span").inner_text(): int(tiles.nth(place).locator("b").inner_text())
             for place in range(tiles.count())}  # fmt: skip
    assert shown == {verdict.value: count for verdict, count in paper.tally().items()}


def test_every_link_leads_somewhere_and_no_two_things_share_a_name(page: Path, visit: Any) -> None:  # noqa: F811
    opened = visit(page)
    names = opened.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id).filter(n => !n.startsWith('js-'))")
    assert len(names) == len(set(names))
    targets = opened.evaluate("[...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.hash.slice(1))")
    assert len(targets) > 20
    assert set(targets) <= set(names)
    links = opened.evaluate("[...document.querySelectorAll('a[href^=\"figures/\"]')].map(a => a.getAttribute('href'))")
    assert links
    assert all((page.parent / link).is_file() for link in links)


def test_on_a_phone_wide_tables_scroll_in_their_boxes_and_the_first_column_stays(
    page: Path, visit: Any  # noqa: F811
) -> None:  # fmt: skip
    opened = visit(page, width=390)
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
    box = opened.locator("#models .scroll").first
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    before = box.locator("tbody td").first.bounding_box()["x"]
    box.evaluate("box => { box.scrollLeft = 500 }")
    assert box.locator("tbody td").first.bounding_box()["x"] == pytest.approx(before, abs=2)
