"""Paper reports: printed numbers keep their digits, verdicts hold at their edges, comparisons say why."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from nas import load_architecture
from nas.cli import main
from nas.record import Reading, Record, write_records
from nas.report.papers import PAPERS, Inputs, Paper, make_paper
from nas.report.papers.comparison import Check, Comparison, Line, Quantity
from nas.report.papers.facts import FactError, facts, number
from nas.report.papers.figure import Axis, Figure, Series, to_csv
from nas.report.papers.verdict import Verdict, bounds, judge, judge_measured, quotient
from nas.report.papers.write import check_paper, documents, write_paper
from nas.report.papers.zoo import Zoo, load_own, load_zoo
from nas.report.table import Column, text
from nas.resources import shipped
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def papers() -> dict[str, Paper]:
    inputs = Inputs(load_zoo(shipped("studies") / "zoo"), Zoo())
    return {name: make_paper(name, inputs) for name in ("efficientnet", "mobilenet")}


@pytest.mark.parametrize(
    ("printed", "regenerated", "verdict"),
    [
        ("5.3", 5.288548, "reproduced"),
        ("5.3", 5.25, "reproduced"),  # a tie may go either way
        ("5.3", 5.35, "reproduced"),
        ("5.3", 5.3501, "rounded"),
        ("5.3", 5.3999, "rounded"),  # digits cut off
        ("5.3", 5.4, "differs"),
        ("5.3", 5.2499, "rounded"),  # to 5.25, then to 5.3
        ("5.3", 5.244, "differs"),  # a tenth of a unit further
        ("59", 59.99, "rounded"),
        ("59", 60.01, "differs"),
        ("59", 58.44, "differs"),  # the wrong way
        ("22", 21.458, "rounded"),
        ("55", 54.14, "differs"),
        ("0.70", 0.687, "differs"),  # printed zeros are digits
        ("15300", 15347.0, "differs"),
        ("-17%", -17.9, "rounded"),
        ("-17%", -18.4, "differs"),
        ("2", 2, "reproduced"),
        ("2", 1, "differs"),  # a whole number is equal or not
        ("1.0", 0.994, "reproduced"),
        ("1,930", 1930.4, "reproduced"),
        ("6.1x", 6.1, "reproduced"),
        ("0", 0.0, "reproduced"),
    ],
)
def test_a_verdict_at_its_edges(printed: str, regenerated: float, verdict: str) -> None:
    assert judge(printed, regenerated, "why").verdict.value == verdict


def test_only_what_differs_or_is_absent_needs_a_reason() -> None:
    assert str(judge("5.3", 5.3, "why")) == "reproduced"
    assert str(judge("5.3", 6.0, "why")) == "differs: why"
    assert str(judge("5.3", None, "why")) == "not measurable here: why"


@pytest.mark.parametrize(
    ("measured", "spread", "verdict"),
    [
        (1.44, 0.0, "reproduced"),
        (1.46, 0.0, "differs: why"),
        (1.46, 0.02, "reproduced"),  # met within its noise, which is finer than the printed digits
        (1.60, 0.09, "differs: why"),
        (3.0, 2.0, "too noisy"),  # near is not met
        (1.40, 0.2, "too noisy"),  # and so it is where the middle happens to fit
        (9.0, 2.0, "differs: why"),  # noise can refute
    ],
)
def test_a_measured_ratio_is_met_only_where_its_noise_is_finer_than_the_printed_digits(
    measured: float, spread: float, verdict: str
) -> None:
    assert verdict in str(judge_measured(bounds("1.4"), measured, "why", spread))


def test_the_digits_of_two_numbers_bound_their_ratio() -> None:
    low, high = quotient("43", "7.1")
    assert (low, high) == (pytest.approx(42.5 / 7.15), pytest.approx(43.5 / 7.05))
    assert bounds("0.70") == (pytest.approx(0.695), pytest.approx(0.705))


def test_a_fact_keeps_its_digits_and_an_unknown_file_is_one_line() -> None:
    b1 = next(row for row in facts("efficientnet/table2") if row["model"] == "EfficientNet-B1")
    assert b1["flops_b"] == "0.70"
    assert number("1,930") == 1930
    assert Check("0.70", 0.687).cells[0].raw == "0.70"  # in CSV too
    with pytest.raises(FactError, match=r"table22\.csv: no such file") as caught:
        facts("efficientnet/table22")
    assert "efficientnet/table2" in caught.value.hint


def _comparison(*checks: Check) -> Comparison:
    lines = tuple(Line((text(f"row {place}"),), (check,), "arXiv:0") for place, check in enumerate(checks))
    return Comparison("t", "Table 9: a test", (Column("model", "model"),), (Quantity("m", "params (M)"),), lines)


def test_a_comparison_shows_published_regenerated_difference_and_verdict_and_says_each_reason_once() -> None:
    table = _comparison(Check("5.3", 5.0, "so"), Check("5.3", 4.0, "so"), Check("5.3", None, "not"), Check())
    first, second, third, last = table.table().rows
    assert [cell.text for cell in first] == ["row 0", "5.3", "5.000", "−5.7", "differs (a)"]
    assert second[4].text == "differs (a)"
    assert second[4].raw == "differs: so"
    assert [cell.text for cell in third][2:] == ["–", "–", "not measurable here (b)"]
    assert [cell.text for cell in last][1:] == ["–", "–", "–", "–"]
    assert table.notes == ("(a) so", "(b) not")
    assert len(list(table.judged())) == 3  # where the paper prints nothing there is nothing to judge
    assert table.table(sourced=True).rows[0][-1].text == "arXiv:0"
    assert len(table.narrow()[0].rows) == 3  # nor is an empty row worth paper


def test_no_number_that_differs_goes_without_a_reason(papers: dict[str, Paper]) -> None:
    for paper in papers.values():
        for comparison, row, quantity, _, judgement in paper.judged():
            if judgement.verdict in (Verdict.DIFFERS, Verdict.UNMEASURED):
                assert judgement.reason, (paper.name, comparison.name, row, quantity.key)


def _cell(paper: Paper, table: str, row: str, key: str) -> tuple[Check, Verdict]:
    for comparison, name, quantity, check, judgement in paper.judged():
        if (comparison.name, name, quantity.key) == (table, row, key):
            return check, judgement.verdict
    raise AssertionError((table, row, key))


def test_efficientnet_says_what_follows_and_what_does_not(papers: dict[str, Paper]) -> None:
    paper = papers["efficientnet"]
    assert _cell(paper, "table2", "EfficientNet-B7", "params_m")[1] is Verdict.REPRODUCED
    assert _cell(paper, "table2", "EfficientNet-B7", "flops_b")[1] is Verdict.ROUNDED  # 37 for 37.75
    once, verdict = _cell(paper, "table2", "EfficientNet-B1", "flops_b")
    assert verdict is Verdict.DIFFERS
    assert "0.699" in once.reason  # where Figure 5 plots it
    assert _cell(paper, "table2", "EfficientNet-B4", "flops_b")[1] is Verdict.DIFFERS
    assert _cell(paper, "table7", "compound", "flops_b")[1] is Verdict.REPRODUCED
    depth, verdict = _cell(paper, "table7", "depth", "flops_b")
    assert verdict is Verdict.DIFFERS
    assert depth.regenerated == pytest.approx(1.5751, abs=1e-4)
    assert "1.8497" in depth.reason  # Figure 3's point, whose network is not B0
    wide, _ = _cell(paper, "table3", "Scale ResNet-50 by width (w=2)", "flops_b")
    assert "exchanged" in wide.reason


def test_the_multiplier_grids_are_whole_and_every_printed_cost_is_explained(papers: dict[str, Paper]) -> None:
    tables = {comparison.name: comparison for comparison in papers["mobilenet"].comparisons}
    assert len(tables["mobilenet-grid"].lines) == 16
    assert len(tables["mobilenetv2-grid"].lines) == 6 * 5
    wrong = [
        (row, check.reason)
        for row, quantity, check, judgement in tables["mobilenet-grid"].judged()
        if quantity.key == "mult_adds_m" and judgement.verdict is Verdict.DIFFERS
    ]
    assert [row for row, reason in wrong if "first convolution" in reason] == [
        f"0.75 at {px} px" for px in (224, 192, 160, 128)
    ]
    assert [row for row, reason in wrong if "does not follow" in reason] == ["0.25 at 192 px"]
    strides = [v for _, q, _, v in tables["mobilenet-table1"].judged() if q.key == "stride"]
    assert [found.verdict for found in strides].count(Verdict.DIFFERS) == 1  # 2 is not 1, rounded or not
    shares = {row: check.cells[2].text for row, q, check, _ in tables["mobilenet-table2"].judged() if "mult" in q.key}
    assert shares["Conv 3x3"] == "+0.7 points"
    assert len({one.short for one in tables.values()}) == len(tables)
    second = [
        judgement.verdict
        for _, quantity, _, judgement in tables["mobilenetv2-grid"].judged()
        if quantity.key == "mult_adds_m"
    ]
    assert Verdict.DIFFERS not in second


FIGURE = Figure(
    "f", "A <figure>", "caption", Axis("FLOPs (B)", log=True), Axis("top-1 %"),
    (
        Series("published", "published", (0.4, 1.0, 4.2), (76.0, 79.0, 82.6), ("B0", "B2", "B4")),
        Series("computed", "computed", (0.386, 0.994, 4.394), (76.0, 79.0, 82.6), ("B0", "B2", "B4")),
    ),
)  # fmt: skip


def test_a_figure_is_drawn_twice_from_one_description_and_always_the_same() -> None:
    from nas.report.papers.interactive import draw
    from nas.report.papers.static import to_png, to_svg

    svg = to_svg(FIGURE)
    assert svg == to_svg(FIGURE)
    ElementTree.fromstring(svg)
    assert "A &lt;figure&gt;" in svg
    assert "FLOPs (B)" in svg
    assert to_png(FIGURE) == to_png(FIGURE)
    plot = draw(FIGURE).figure
    assert list(plot.data[1].x) == [0.386, 0.994, 4.394]
    assert plot.data[0].marker.symbol.endswith("-open")  # published marks are hollow
    assert plot.data[0].marker.symbol != plot.data[1].marker.symbol + "-open"  # a second sign beside the colour
    assert to_csv(FIGURE).splitlines()[1] == "published,published,B0,0.4,76"


def test_a_report_is_written_whole_checked_and_found_out_when_altered(papers: dict[str, Paper], tmp_path: Path) -> None:
    paper = papers["mobilenet"]
    formats = ("md", "csv", "tex")
    assert write_paper(paper, tmp_path / "out", formats) == tmp_path / "out" / "README.md"
    assert check_paper(paper, tmp_path / "out", formats) == ()
    listed = json.loads((tmp_path / "out" / "provenance.json").read_text())["files"]
    found = [str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert sorted(found) == listed
    table = tmp_path / "out" / "tables" / "mobilenet-grid.csv"
    table.write_text(table.read_text().replace("569", "570", 1))
    (tmp_path / "out" / "figures" / "mobilenet-grid.svg").unlink()
    assert check_paper(paper, tmp_path / "out", formats) == ("figures/mobilenet-grid.svg", "tables/mobilenet-grid.csv")


def test_a_drawing_is_the_same_where_only_the_processor_s_last_digit_differs(
    papers: dict[str, Paper], tmp_path: Path
) -> None:
    """A mark that moves by 0.001 pt, and the hashed name that follows, are not a difference; 0.5 pt, or a word, is."""
    paper, drawing = papers["mobilenet"], tmp_path / "out" / "figures" / "mobilenet-grid.svg"
    write_paper(paper, tmp_path / "out", ("md",))
    drawn = drawing.read_text(encoding="utf-8")
    place = re.search(r'y="(\d+\.\d+)"', drawn)
    name = re.search(r'id="(p[0-9a-f]{10})"', drawn)
    assert place
    assert name

    def moved(by: float) -> str:
        return drawn.replace(place[0], f'y="{float(place[1]) + by:.6f}"').replace(name[1], "p0123456789")

    drawing.write_text(moved(0.001), encoding="utf-8")
    assert check_paper(paper, tmp_path / "out", ("md",)) == ()
    for spoilt in (moved(0.5), drawn.replace(">mult-adds", ">FLOPs")):
        assert spoilt != drawn
        drawing.write_text(spoilt, encoding="utf-8")
        assert check_paper(paper, tmp_path / "out", ("md",)) == ("figures/mobilenet-grid.svg",)


def test_latex_holds_one_narrow_table_for_every_quantity(papers: dict[str, Paper]) -> None:
    tex = documents(papers["efficientnet"], ("tex",))["tables/table2.tex"]
    assert isinstance(tex, str)
    assert tex.count(r"\begin{tabular}") == tex.count(r"\end{table}") == 4
    assert r"\toprule" in tex
    assert all(line.count("&") <= 6 for line in tex.splitlines())


def _record(name: str, **readings: Reading) -> Record:
    return Record("zoo", None, "complete", name, name, readings, name)


def test_times_are_ratios_within_one_device_with_their_noise(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    said = {"batch": 1, "resolution": 240, "precision": "fp32"}
    write_records(
        tmp_path / "here" / "records.jsonl",
        [
            _record("resnet-152", latency_ms=Reading(60.0, 3.0, conditions=said)),
            _record("efficientnet-b1", latency_ms=Reading(10.0, 0.5, conditions=said)),
        ],
    )
    paper = make_paper("efficientnet", Inputs(load_zoo(tmp_path), Zoo()))
    check, verdict = _cell_of(paper, "table4", "5.7")
    assert check.regenerated == pytest.approx(6.0)
    assert check.spread == pytest.approx(6 * (2 * 0.05**2) ** 0.5)
    assert verdict is Verdict.UNMEASURED  # 5.7 lies within the noise, which is coarser than its digits
    assert "too noisy to tell" in str(check.judgement)
    assert not any("Times" in sentence for sentence in paper.missing)


def _cell_of(paper: Paper, table: str, printed: str) -> tuple[Check, Verdict]:
    for comparison, _, _, check, judgement in paper.judged():
        if comparison.name == table and check.printed == printed:
            return check, judgement.verdict
    raise AssertionError((table, printed))


def test_own_records_stand_beside_the_published_accuracies(tmp_path: Path) -> None:
    own = tmp_path / "mine.jsonl"
    said = {"data": "fractals", "resolution": 32, "width": 0.25}
    write_records(own, [_record("efficientnet-b0", top1_pct=Reading(61.5, 0.4, conditions=said))])
    paper = make_paper("efficientnet", Inputs(Zoo(), load_own([own])))
    table = next(one for one in paper.comparisons if one.name == "table2").table()
    place = [column.label for column in table.columns].index(
        "top-1 %, own: mine (proxy: fractals, 32 px, width × 0.25)"
    )
    assert [row[place].text for row in table.rows if row[0].text == "EfficientNet-B0"] == ["61.5 ± 0.4"]
    assert {row[place].text for row in table.rows[1:]} == {"–"}
    assert len(paper.missing) == 2  # neither counts nor times: the report says how to make both


@pytest.mark.parametrize(
    ("network", "key", "says"),
    [
        ("r32 s8 m1k3s1c8n1 h32 y10", "top1_pct", "none with a top-1 accuracy is in this paper"),
        (str(load_architecture("mobilenetv2")), "flops", "none has a top-1 accuracy"),
        (str(load_architecture("mobilenetv2")), "top1_pct", ""),
    ],
)
def test_own_records_that_the_paper_has_no_place_for_are_named(
    network: str, key: str, says: str, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_records(tmp_path / "own.jsonl", [_record(network, **{key: Reading(50.0)})])
    code, _, err = _run(["report", "mobilenet", "--records", "own.jsonl", "--out", "out", "--format", "csv"], capsys)
    assert code == 0
    assert [line for line in err.splitlines() if "own.jsonl" in line] == (
        [f"own.jsonl: of its networks (1), {says}"] if says else []
    )


def test_two_files_of_the_same_name_stay_two_and_each_says_what_it_trained_on(tmp_path: Path) -> None:
    paths = [tmp_path / name / "data" / "records.jsonl" for name in ("first", "second")] + [tmp_path / "first.jsonl"]
    for place, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        said = {"data": "digits" if place else "fractals", "resolution": 32}
        write_records(path, [_record("efficientnet-b0", top1_pct=Reading(60.0 + place, conditions=said))])
    own = load_own(paths)
    assert list(own.files) == ["first", "second", "first-2"]
    for name in ("efficientnet", "efficientnetv2", "mobilenet"):
        for comparison in make_paper(name, Inputs(Zoo(), own)).comparisons:
            keys = [column.key for column in comparison.table().columns]
            assert len(keys) == len(set(keys)), comparison.name
    table = next(
        one for one in make_paper("efficientnet", Inputs(Zoo(), own)).comparisons if one.name == "table2"
    ).table()
    shown = {column.label: cell.text for column, cell in zip(table.columns, table.rows[0], strict=True)}
    assert shown["top-1 %, own: second (proxy: digits, 32 px)"] == "61.0"


def test_own_accuracies_of_several_kinds_say_theirs_in_the_cell(tmp_path: Path) -> None:
    kinds = [{"data": "digits", "resolution": 32}, {"data": "folder:pictures", "resolution": 224, "width": 1}]
    names = ("mobilenetv1", "mobilenetv2")
    records = [_record(n, top1_pct=Reading(50.0, conditions=kind)) for n, kind in zip(names, kinds, strict=True)]
    write_records(tmp_path / "mine.jsonl", records)
    paper = make_paper("mobilenet", Inputs(Zoo(), load_own([tmp_path / "mine.jsonl"])))
    table = next(one for one in paper.comparisons if one.name == "mobilenetv2-table4").table()
    place = [column.label for column in table.columns].index("top-1 %, own: mine")
    cells = {row[0].text: row[place].text for row in table.rows}
    assert cells["MobileNetV1"] == "–"  # a record is found by its notation; a made-up one has none
    write_records(
        tmp_path / "mine.jsonl",
        [
            replace(record, arch=str(load_architecture(name)), id=name)
            for name, record in zip(names, records, strict=True)
        ],
    )
    paper = make_paper("mobilenet", Inputs(Zoo(), load_own([tmp_path / "mine.jsonl"])))
    table = next(one for one in paper.comparisons if one.name == "mobilenetv2-table4").table()
    cells = {row[0].text: row[place].text for row in table.rows}
    assert cells["MobileNetV1"] == "50.0 (proxy: digits, 32 px)"
    assert cells["MobileNetV2"] == "50.0 (own training: folder:pictures, 224 px)"


def test_a_folder_of_times_alone_takes_the_counts_that_ship(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    write_records(tmp_path / "here" / "records.jsonl", [_record("resnet-50", latency_ms=Reading(9.0))])
    zoo = load_zoo(tmp_path)
    assert [device.name for device in zoo.devices] == ["here"]
    assert zoo.count("torchvision:densenet169", "params") == 14_149_480
    assert set(zoo.files) == {"here/records.jsonl", "counts/records.jsonl"}
    (tmp_path / "counts").mkdir()
    mine = [_record("torchvision:densenet169", params=Reading(7.0))]
    write_records(tmp_path / "counts" / "records.jsonl", mine)
    zoo = load_zoo(tmp_path)
    assert zoo.count("torchvision:densenet169", "params") == 7  # one's own first
    assert zoo.count("torchvision:vgg16", "params") == 138_357_544
    assert set(zoo.files) == {"here/records.jsonl", "counts/records.jsonl", "shipped counts/records.jsonl"}


def _run(words: list[str], capsys: Any) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(words)
    said = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, said.out, said.err


@pytest.mark.parametrize(
    ("words", "wrong", "hint"),
    [
        (["efficientnet", "--records", "none.jsonl"], "none.jsonl: no such file", "nas search"),
        (["efficientnet", "--zoo", "nowhere"], "nowhere: no such folder", "nas measure --zoo"),
        (["efficientnet", "--format", "htm"], "unknown format 'htm'", "html"),
        (["efficientnet", "--check", "--out", "gone"], "no such folder to check", "nas report efficientnet"),
        (["efficientnetv3", "--check"], "--check is for the report of a paper", "efficientnetv2"),
    ],
)
def test_bad_input_is_one_line_and_a_hint(
    words: list[str], wrong: str, hint: str, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = _run(["report", *words], capsys)
    assert code == 2
    assert wrong in err.splitlines()[-2]
    assert hint in err.splitlines()[-1]


def test_the_command_writes_and_its_check_exits_5(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["report", "mobilenet", "--out", "out", "--format", "csv"]
    code, out, _ = _run(words, capsys)
    assert (code, out.splitlines()[0].startswith("report out/")) == (0, True)
    assert _run([*words, "--check"], capsys)[0] == 0
    (tmp_path / "out" / "tables" / "mobilenet-grid.csv").write_text("")
    code, out, err = _run([*words, "--check"], capsys)
    assert (code, out) == (5, "tables/mobilenet-grid.csv\n")
    assert "1 file is not what would be written now" in err


def test_a_papers_name_is_the_papers_unless_a_storage_is_given(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = _run(["report", "efficientnet", "--storage", "sqlite:///none.db"], capsys)
    assert code == 2
    assert "none.db" in err


def test_a_study_that_bears_a_papers_name_is_pointed_at(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(sqlite3.connect("nas.db")) as storage:
        storage.execute("CREATE TABLE studies (study_name TEXT)")
        storage.execute("INSERT INTO studies VALUES ('mobilenet')")
        storage.commit()
    _, out, err = _run(["report", "mobilenet", "--out", "out", "--format", "csv"], capsys)
    assert "nas report mobilenet --storage sqlite:///nas.db" in err
    assert out.startswith("report out/")
    assert "--storage" not in _run(["report", "efficientnet", "--out", "out", "--format", "csv"], capsys)[2]


@pytest.mark.parametrize("name", sorted(PAPERS))
def test_the_committed_report_is_what_would_be_written_now(name: str) -> None:
    """Byte for byte, but for the page and the PNGs, which are not committed; SVGs to 0.01 pt, under the matplotlib that
    drew them, their points always."""
    from nas.report.papers.static import VERSION

    folder = ROOT / "reports" / name
    if not folder.is_dir():
        pytest.fail(f"reports/{name} is missing: nas report {name} --out reports/{name}")
    paper = make_paper(name, Inputs(load_zoo(ROOT / "studies" / "zoo"), Zoo()))
    drawn = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))["drawn_by"]
    elsewhere = (
        (".png", "report.html")
        if drawn == f"matplotlib {VERSION}"
        else (".png", "report.html", ".svg", "provenance.json")
    )
    wrong = [file for file in check_paper(paper, folder) if not file.endswith(elsewhere)]
    assert not wrong, f"nas report {name} --out reports/{name}"
