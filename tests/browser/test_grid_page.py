"""The compound grid's view and a scaled family in a real browser, with the network off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nas.grid import grid
from nas.recipe import load_recipe
from nas.record import read_records
from nas.report import StudyReport, write_report
from nas.report.grid import write_grid
from nas.report.scaled import scaled, write_family
from nas.resources import shipped
from nas.scaling import RULES, Factors
from nas.space_file import load_architecture
from tests.browser.test_report_page import figure, visit  # noqa: F401
from tests.explorer_browser import browser  # noqa: F401

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def measured_grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    records = tuple(read_records(Path(str(shipped("studies"))) / "compound-grid" / "records.jsonl"))
    return write_report(StudyReport(records, load_recipe("compound-grid")), tmp_path_factory.mktemp("grid"))


@pytest.fixture(scope="module")
def closed_grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = "efficientnet-b0"
    return write_grid(grid(load_architecture(base)), base, tmp_path_factory.mktemp("closed"))


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out, base = tmp_path_factory.mktemp("family"), "efficientnet-b0"
    made = scaled(base, load_architecture(base), RULES["compound"], Factors(1.2, 1.1, 1.15), range(8))
    write_family(made, out)
    return out / "report.html"


def fits(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_grid_of_a_study_is_drawn_with_the_papers_choice_and_the_leader(
    visit: Any,  # noqa: F811
    measured_grid: Path,
    width: int,
    scheme: str,
) -> None:
    page = visit(measured_grid, width, scheme)
    triangle = figure(page, "triangle")
    words = triangle.locator("text").all_text_contents()
    assert {"the paper's", "leads, not decided", "all depth", "all width", "all resolution"} <= set(words)
    assert triangle.locator(".scatterlayer .point").count() == 22 + 2  # the base has no place; two are ringed
    frame = triangle.bounding_box()
    for name in ("all width", "all resolution"):
        title = triangle.locator("text", has_text=name).bounding_box()
        assert frame["x"] <= title["x"]
        assert title["x"] + title["width"] <= frame["x"] + frame["width"] + 1
    for name in ("plot-nominal-real", "plot-choice-flops", "plot-choice-step"):
        assert figure(page, name).locator(".scatterlayer .point").count() > 9
    assert page.locator("#grid .tile b").all_inner_texts() == ["(1, 1.1, 1.5)", "7 of 15", "(1, 1.1, 1.5)", "5 of 9"]
    assert fits(page)


def test_the_pointer_reads_a_network_of_the_grid(visit: Any, measured_grid: Path) -> None:  # noqa: F811
    page = visit(measured_grid)
    triangle = figure(page, "triangle")
    triangle.evaluate("place => Plotly.Fx.hover(place, [{ curveNumber: 0, pointNumber: 21 }], ['ternary'])")
    page.wait_for_selector("#triangle .hovertext")
    said = triangle.locator(".hovertext").text_content()
    assert "(1, 1.1, 1.5)" in said
    assert "top-1 89.79" in said


def test_the_surface_in_space_is_drawn_only_when_asked_for(visit: Any, measured_grid: Path) -> None:  # noqa: F811
    page = visit(measured_grid, quiet=False)  # a browser without WebGL says so
    figure(page, "triangle")
    page.locator("#grid summary", has_text="In space").scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    assert not page.locator("#surface.js-plotly-plot").count()
    page.locator("#grid summary", has_text="In space").click()
    page.wait_for_selector("#surface.js-plotly-plot")


def test_every_triple_of_a_closed_grid_is_drawn(visit: Any, closed_grid: Path) -> None:  # noqa: F811
    page = visit(closed_grid, 390)
    assert figure(page, "triangle").locator(".scatterlayer .point").count() == 108 + 1
    assert "the paper's" in figure(page, "triangle").locator("text").all_text_contents()
    assert fits(page)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_family_is_drawn_beside_the_published_one_which_the_legend_puts_away(
    visit: Any,  # noqa: F811
    family: Path,
    width: int,
) -> None:
    page = visit(family, width)
    flops = figure(page, "plot-scale-flops")
    assert flops.locator(".scatterlayer .point").count() == 16
    assert figure(page, "plot-scale-implied").locator(".scatterlayer .point").count() == 32
    figure(page, "plot-scale-flops").locator(".legendtoggle").nth(1).click()
    page.locator("#plot-scale-flops .scatterlayer .point").nth(8).wait_for(state="detached")
    assert flops.locator(".scatterlayer .point").count() == 8
    assert fits(page)
