"""The compound grid's triangle and its section: shares, what is drawn, what is said of what is not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from nas.grid import BASE, PAPER, grid
from nas.recipe import load_recipe
from nas.record import read_records
from nas.report.grid import write_grid
from nas.report.grid_section import grid_section
from nas.report.triangle import Spot, surface, triangle
from nas.resources import shipped
from nas.space_file import load_architecture

RECORDS = tuple(read_records(Path(str(shipped("studies"))) / "compound-grid" / "records.jsonl"))
RECIPE = load_recipe("compound-grid")


def spot(triple: tuple[float, float, float], value: float | None = 1.0, mark: str = "") -> Spot:
    return Spot(triple, value, (str(triple), "told <b>"), mark)


def traces(drawing: Any) -> list[Any]:
    return list(drawing.figure.data)


@pytest.mark.parametrize(
    ("triple", "shares"),
    [
        ((2.0, 1.0, 1.0), (1, 0, 0)),
        ((1.0, 2**0.5, 1.0), (0, 1, 0)),
        ((1.0, 1.0, 2**0.5), (0, 0, 1)),
        ((2 ** (1 / 3), 2 ** (1 / 6), 2 ** (1 / 6)), (1 / 3, 1 / 3, 1 / 3)),
        ((4.0, 2.0, 1.0), (0.5, 0.5, 0)),
    ],
)
def test_shares_say_where_the_cost_goes(triple: tuple[float, float, float], shares: tuple[float, ...]) -> None:
    assert spot(triple).shares == pytest.approx(shares)


def test_what_has_no_shares_is_left_out_and_said() -> None:
    assert spot(BASE).shares is None
    assert spot((0.9, 1.2, 1.2)).shares is None
    assert triangle([spot(BASE)], "value", "") is None
    drawing = triangle([spot(BASE), spot(PAPER), spot((0.9, 1.3, 1.3))], "value", "Marks.")
    assert drawing
    assert [len(trace.a) for trace in traces(drawing)] == [1]
    assert (
        "The base spends nothing and has no place here; nor has one network with a factor below 1." in drawing.caption
    )


def test_measured_marks_are_filled_others_hollow_and_the_marked_have_a_sign_and_a_word() -> None:
    spots = [spot(PAPER, 80.0, "the paper's"), spot((2, 1, 1), 90.0, "leads"), spot((1, 1.4, 1), None)]
    drawing = triangle(spots, "mean top-1 (%)", "")
    assert drawing
    hollow, filled, *rings = traces(drawing)
    assert hollow.marker.symbol == "circle-open"
    assert list(filled.marker.color) == [80.0, 90.0]
    assert filled.marker.colorbar.title.text == "mean top-1 (%)"
    assert {(ring.text[0], ring.marker.symbol) for ring in rings} == {
        ("<b>the paper&#x27;s</b>", "square-open"),
        ("<b>leads</b>", "diamond-open"),
    }
    assert filled.text[0] == "<b>(1.2, 1.1, 1.15)</b><br>told &lt;b&gt;"


def test_marks_that_lie_on_each_other_name_each_other() -> None:
    drawing = triangle([spot((2, 1, 1)), spot((1.8, 1, 1), 3.0), spot((1, 1.4, 1))], "value", "")
    assert drawing
    told = dict(zip(traces(drawing)[0].marker.color, traces(drawing)[0].text, strict=True))
    assert "also here: (2, 1, 1)" in told[3.0]
    assert sum("also here" in text for text in traces(drawing)[0].text) == 2


def test_the_surface_is_the_one_of_equation_3() -> None:
    sheet, *marks = traces(surface([spot(PAPER, 1.0, "the paper's"), spot((2, 1, 1), None)], 2.0))
    products = [
        z * (x * y) ** 2 for row in zip(sheet.x, sheet.y, sheet.z, strict=True) for x, y, z in zip(*row, strict=True)
    ]
    assert products == pytest.approx([2.0] * len(products))
    assert [len(mark.x) for mark in marks] == [1, 1, 1]


def test_the_section_of_the_measured_grid_has_the_answer_the_figures_and_the_tables() -> None:
    grid_section(RECORDS, RECIPE)  # the answer is kept for the next time, and marks the same network then
    section = grid_section(RECORDS, RECIPE)
    assert section
    names = [drawing.name for drawing in section.drawings]
    assert names == ["triangle", "plot-nominal-real", "plot-choice-flops", "plot-choice-step", "surface"]
    assert all(f'id="{name}"' in section.html for name in names)
    assert "not decided: 7 of 15 candidates cannot be excluded" in section.html
    marked = [trace.text[0] for trace in traces(section.drawings[0]) if trace.mode == "markers+text"]
    assert sorted(marked) == ["<b>leads, not decided</b>", "<b>the paper&#x27;s</b>"]
    assert "The base has 76.37 %." in section.drawings[0].caption


def test_a_grid_under_way_shows_what_is_not_measured_and_why() -> None:
    half = [*RECORDS[:11], dataclasses.replace(RECORDS[11], state="failed", readings={}, reason="out of <memory>")]
    section = grid_section(half, RECIPE)
    assert section
    hollow = traces(section.drawings[0])[0]
    assert hollow.marker.symbol == "circle-open"
    assert sum("not run yet" in text for text in hollow.text) >= 8
    assert sum("failed: out of &lt;memory&gt;" in text for text in hollow.text) == 1
    assert "hollow ones are not measured" in section.drawings[0].caption
    known = {trace.name for trace in traces(section.drawings[1])}
    assert {"measured", "not measured", "real = nominal"} <= known


@pytest.mark.parametrize("count", [0, 1, 3])
def test_without_an_answer_the_reason_is_said(count: int) -> None:
    section = grid_section(RECORDS[:count], RECIPE)
    assert section
    assert "No answer yet: the base of the grid is not measured yet; go on with the study." in section.html
    assert [drawing.name for drawing in section.drawings][:1] == ["triangle"]


def test_another_study_has_no_such_section() -> None:
    assert grid_section(RECORDS, load_recipe("default-cpu")) is None


def test_the_closed_grid_draws_every_triple_or_says_how_many_it_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = grid(load_architecture("efficientnet-b0"))
    page = write_grid(found, "efficientnet-b0", tmp_path).read_text(encoding="utf-8")
    assert f"Each mark is one of the {found.passed:,} triples that passed" in page
    monkeypatch.setattr("nas.report.grid._MOST_SPOTS", 30)
    page = write_grid(found, "efficientnet-b0", tmp_path).read_text(encoding="utf-8")
    assert f"one of the {len(found.members):,} networks" in page
    assert "only one is drawn" in page
