"""The page of a scaled family: published beside made, what is promised, what nobody printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.arch import parse
from nas.report.papers.figure import Figure
from nas.report.scaled import Scaled, scaled, write_family
from nas.report.scaled_figures import figures_of
from nas.scaling import RULES, Factors
from nas.space_file import load_architecture

PAPER = Factors(1.2, 1.1, 1.15)


def family(base: str, rule: str = "compound", phis: tuple[float, ...] = (0, 1, 2, 3)) -> Scaled:
    origin = parse(base) if " " in base else load_architecture(base)
    return scaled(base, origin, RULES[rule], PAPER, phis)


def drawn(made: Scaled) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures_of(made)}


def test_published_networks_are_hollow_beside_those_the_rule_makes() -> None:
    figures = drawn(family("efficientnet-b0"))
    flops = {series.name: series for series in figures["scale-flops"].series}
    assert [series.is_hollow for series in flops.values()] == [False, True, False]
    assert flops["published"].labels == ("efficientnet-b0", "efficientnet-b1", "efficientnet-b2", "efficientnet-b3")
    assert flops["published"].y[0] == flops["by the rule compound"].y[0]
    assert flops["promised: (α·β²·γ²)^φ"].y[1] == pytest.approx(flops["published"].y[0] * PAPER.product**3)
    assert figures["scale-flops"].y.log
    assert not figures["scale-resolution"].y.log


def test_published_accuracies_are_those_printed_and_name_their_source() -> None:
    (series,) = drawn(family("efficientnet-b0"))["scale-accuracy"].series
    assert series.y == (77.1, 79.1, 80.1, 81.6, 82.9, 83.6, 84.0, 84.3)
    assert (series.labels[0], series.sources[0]) == ("EfficientNet-B0", "arXiv:1905.11946v5 Table 2")
    second = drawn(family("efficientnetv2-b0", "staged"))["scale-accuracy"].series[0]
    assert len(second.y) == 4
    assert second.kind == "published"


def test_the_implied_phi_of_every_coefficient_is_drawn() -> None:
    series = {one.name: one for one in drawn(family("efficientnet-b0"))["scale-implied"].series}
    assert set(series) == {
        "φ of depth",
        "φ of width",
        "φ of resolution",
        "φ of FLOPs",
        "one φ for all: its number",
    }
    assert series["φ of width"].y[7] == pytest.approx(7.27, abs=0.01)


@pytest.mark.parametrize(
    ("base", "rule", "phis"),
    [
        ("r32 s8 m1k3s1c8n1 m4k3s2c16n1 h32", "compound", (0.0,)),
        ("efficientnet-b3", "width", (-2.0, -1.0, 0.0)),
        ("mobilenetv2", "mobilenetv2", (-2.0, 0.0)),
    ],
)
def test_a_base_without_a_published_family_is_drawn_alone(base: str, rule: str, phis: tuple[float, ...]) -> None:
    figures = drawn(family(base, rule, phis))
    assert set(figures) == {f"scale-{name}" for name in ("flops", "params", "resolution", "depth", "width")}
    assert all(series.kind == "computed" for figure in figures.values() for series in figure.series)


@pytest.mark.parametrize("base", ["efficientnet-b0", "r32 s8 m1k3s1c8n1 m4k3s2c16n1 h32"])
def test_the_folder_has_a_page_and_every_figure_with_its_points_and_is_the_same_every_time(
    base: str, tmp_path: Path
) -> None:
    made = family(base)
    for out in ("one", "two"):
        write_family(made, tmp_path / out)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    page = (tmp_path / "one" / "report.html").read_text(encoding="utf-8")
    readme = (tmp_path / "one" / "README.md").read_text(encoding="utf-8")
    for figure in figures_of(made):
        assert f'id="plot-{figure.name}"' in page
        assert f"(figures/{figure.name}.svg)" in readme
        assert Path("figures", f"{figure.name}.svg") in files
        assert Path("data", f"{figure.name}.csv") in files
