"""`nas grid` and `nas scale`: what they print, write and refuse."""

from __future__ import annotations

import csv
import io
import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nas.arch import parse
from nas.cost import cost
from nas.grid import grid
from nas.recipe import load_recipe
from nas.record import Reading, Record, write_records
from nas.report.grid import sentences
from nas.space_file import load_architecture

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_grid_prints_the_papers_triple_and_counts(run_nas: Run) -> None:
    done = run_nas("grid", "--base", "efficientnet-b0", "--target", "2", "--step", "0.05", "--tolerance", "0.1")
    assert done.returncode == 0, done.stderr
    assert "Of 9,261 triples with α, β, γ from 1 to 2 by 0.05, 108 have α·β²·γ² within 0.1 of 2" in done.stdout
    assert "65 distinct networks" in done.stdout
    assert "1.89 to 3.25 times the base's FLOPs (median 2.47)" in done.stdout
    marked = [line for line in done.stdout.splitlines() if "paper's" in line and "│" in line]
    assert len(marked) == 1
    assert "2.229" in marked[0]


def test_grid_writes_page_tables_and_every_triple(run_nas: Run, tmp_path: Path) -> None:
    done = run_nas("grid", "--step", "0.1", "--constraint", "real", "--json", "-o", "out")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out/data/triples.csv").read_text())))
    assert len(rows) == document["passed"] > 0
    base = load_architecture("efficientnet-b0")
    for row in rows:
        assert cost(parse(row["arch"])).flops / cost(base).flops == pytest.approx(float(row["real"]))
        assert abs(float(row["real"]) - 2) < 0.1
    members = list(csv.DictReader(io.StringIO((tmp_path / "out/tables/members.csv").read_text())))
    assert [row["arch"] for row in members] == [member["arch"] for member in document["members"]]
    page = (tmp_path / "out/report.html").read_text()
    assert "Plotly.react" in page
    assert "showSendToCloud: false" in page
    assert "src=" not in page.split("<script>")[0]


def test_grid_says_where_the_networks_are_that_it_does_not_print(run_nas: Run, tmp_path: Path) -> None:
    said = run_nas("grid", "--step", "0.02").stdout
    assert "networks more: write them all with -o DIR" in said
    said = run_nas("grid", "--step", "0.02", "-o", "big").stdout
    assert "networks more: all are in big/tables/members.csv" in said
    more = int(said.split("… and ")[1].split(" ")[0].replace(",", ""))
    assert len((tmp_path / "big/tables/members.csv").read_text().splitlines()) == 1 + 100 + more


def test_grid_says_where_its_roundings_are_too_coarse() -> None:
    fine, coarse = (" ".join(sentences(grid(load_architecture("efficientnet-b0"), pixels=px))) for px in (8, 500))
    assert "coarse" not in fine
    assert "multiples of 500 are coarse for a base of 224 px: the first larger one, 500 px, alone costs 5.0" in coarse


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--range", "0.5:2"], "at least 1"),
        (["--most", "-1"], "most: expected a number above 0; got -1"),
        (["--range", "2:1"], "runs backwards"),
        (["--range", "1-2"], "range '1-2' does not parse"),
        (["--step", "0"], "step: expected a number above 0"),
        (["--step", "0.0078"], "2,146,689 triples; at most 2,000,000"),
        (["--step", "0.001"], "1,003,003,001 triples"),
        (["--range", "1:1e12"], "about 10^39 triples"),
        (["--target", "nan"], "target"),
        (["--target", "64"], "the nearest is (2, 2, 2): nominal 32.0000"),
        (["--base", "efficientnet-b9"], "efficientnet-b9"),
        (["--base", "torchvision:alexnet"], "no stages to scale"),
        (["--constraint", "nominale"], "unknown constraint"),
    ],
)
def test_grid_refuses_in_one_line(words: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert error in _refused(["grid", *words], capsys)


def test_scale_prints_the_rule_beside_the_published_family_and_the_implied_phi(run_nas: Run) -> None:
    done = run_nas("scale", "--base", "efficientnet-b0", "--phi", "0:7")
    assert done.returncode == 0, done.stderr
    assert all(f"efficientnet-b{number}" in done.stdout for number in range(8))
    implied = next(line for line in done.stdout.splitlines() if "efficientnet-b4 " in line and "3.22" in line)
    assert "3.53" in implied
    assert "3.78" in implied


def test_scale_writes_files_that_read_back(run_nas: Run, tmp_path: Path) -> None:
    done = run_nas("scale", "--base", "efficientnet-b0", "--phi", "-2:0", "--rule", "fast", "-o", "out", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    members = document["family"]["members"]
    assert [member["phi"] for member in members] == [-2, -1, 0]
    assert [load_architecture(str(tmp_path / file)) for file in document["files"]] == [
        parse(member["arch"]) for member in members
    ]
    assert members[-1]["arch"] == str(load_architecture("efficientnet-b0"))
    assert members[0]["flops"] < members[1]["flops"] < members[2]["flops"]


def test_scale_shows_what_the_staged_rule_leaves_over(run_nas: Run) -> None:
    done = run_nas("scale", "--base", "efficientnetv2-b0", "--rule", "staged", "--phi", "0")
    rows = [line.split("│")[1:-1] for line in done.stdout.splitlines() if "efficientnetv2-l" in line]
    assert [cell.strip() for cell in rows[0]][1] == "nothing: the same network"
    assert sum("efficientnetv2-s" in line for line in done.stdout.splitlines()) == 3


def test_scale_writes_the_remainder_of_the_staged_rule(run_nas: Run, tmp_path: Path) -> None:
    done = run_nas("scale", "--base", "efficientnetv2-b0", "--rule", "staged", "--phi", "0:1", "-o", "out", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)["family"]["remainder"]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out/tables/remainder.csv").read_text())))
    assert [(row["model"], row["cell"]) for row in rows] == [(row["model"], row["cell"]) for row in document]
    assert {"model": "efficientnetv2-m", "cell": "stage 4 channels", "made": "152", "released": "160"} in document
    assert "stage 4 channels" in (tmp_path / "out/README.md").read_text()


def test_scale_fits_the_committed_study(run_nas: Run) -> None:
    folder = Path(__file__).parent.parent / "studies" / "efficientnetv2-cpu"
    done = run_nas("scale", "--fit", str(folder), "--json")
    assert done.returncode == 0, done.stderr
    fitted = json.loads(done.stdout)["fit"]
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    timed = [one for one in records if "train_images_per_s" in one["readings"] and not one.get("reused")]
    assert {law["points"] for law in fitted["laws"]["time"].values()} == {len(timed)}
    x, y = [], []
    for one in timed:
        reading = one["readings"]["train_images_per_s"]
        head, *rest = one["arch"].split(" ")
        assert head.startswith("r")
        x.append(math.log(cost(parse(" ".join([f"r{reading['conditions']['resolution']}", *rest]))).flops))
        y.append(math.log(1000 / reading["value"]))
    law = fitted["laws"]["time"]["flops"]
    assert law["exponent"] == pytest.approx(float(np.polyfit(x, y, 1)[0]))
    assert law["low"] < law["exponent"] < law["high"]


@pytest.mark.parametrize("count", [1, 4])
def test_scale_fits_nothing_to_a_few_networks(count: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = {"data": "digits", "resolution": 32, "batch": 8}
    archs = [f"r32 s8 m1k3s1c{8 * width}n1 h32 y10" for width in range(1, count + 1)]
    write_records(
        tmp_path / "few.jsonl",
        [
            Record("s", None, "complete", arch, arch, {"top1_pct": Reading(50.0 + place, conditions=said)})
            for place, arch in enumerate(archs)
        ],
    )
    code, out, _ = _ended(["scale", "--fit", str(tmp_path / "few.jsonl")], capsys)
    assert code == 4
    networks = "1 network" if count == 1 else "4 networks"
    assert f"top-1 error: {networks} (data digits" in out
    assert "Too few networks: no fit below 5" in out
    assert not any(line.startswith("error:") for line in out.splitlines())
    assert "not told apart" not in out
    code, out, _ = _ended(["scale", "--fit", str(tmp_path / "few.jsonl"), "--json"], capsys)
    assert (code, json.loads(out)["fit"]["rule"]) == (4, None)


@pytest.mark.parametrize(
    ("words", "odd", "undefined"),
    [
        (["--alpha", "0.5"], "α 0.5 is below 1", {"depth", "flops"}),
        (["--alpha", "1", "--beta", "1", "--gamma", "1"], "every φ builds the base", {"depth", "width", "resolution",
                                                                                        "flops"}),
        (["--alpha", "1"], "", {"depth"}),
    ],
)  # fmt: skip
def test_scale_implies_no_phi_of_a_factor_that_does_not_grow(
    words: list[str], odd: str, undefined: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = _ended(["scale", "--base", "efficientnet-b0", "--phi", "0:1", "--json", *words], capsys)
    assert code == 0
    assert odd in err
    assert bool(odd) == bool(err)
    for one in json.loads(out)["family"]["published"]:
        assert {key for key, phi in one["implied_phi"].items() if phi is None} == undefined


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "nothing to scale and nothing to fit"),
        (["--base", "efficientnet-b0", "--phi", "7:0"], "φ: '7:0' is out of order"),
        (["--base", "efficientnet-b0", "--phi", "0,2,1"], "out of order"),
        (["--base", "efficientnet-b0", "--phi", "one"], "φ: 'one' does not parse"),
        (["--base", "efficientnet-b0", "--phi", "0:inf"], "does not parse"),
        (["--base", "efficientnet-b0", "--phi", "0:1:0"], "step"),
        (["--base", "efficientnet-b0", "--phi", "0:1e9999999"], "does not parse"),
        (["--base", "efficientnet-b0", "--phi", "0:1:1e-9999999"], "step"),
        (["--base", "efficientnet-b0", "--phi", "0:1e300"], "more than 100 networks"),
        (["--base", "efficientnet-b0", "--phi", "0", "--beta", "1e200"], "beta: expected a number from"),
        (["--base", "efficientnet-b0", "--rule", "staged"], "first stage is Fused-MBConv"),
        (["--base", "efficientnet-b0", "--phi", "0:1:0.001"], "more than 100 networks"),
        (["--base", "efficientnet-b0", "--phi", "0:99"], "expected a whole number"),
        (["--base", "efficientnet-b0", "--phi", "-30:0"], "too small for a total stride"),
        (["--base", "efficientnet-b0", "--alpha", "0"], "alpha: expected a number from 1e-09"),
        (["--base", "efficientnet-b0", "--rule", "compund"], "unknown rule 'compund'"),
        (["--base", "torchvision:alexnet"], "no stages to scale"),
        (["--fit", "nowhere.jsonl"], "nowhere.jsonl: cannot be read"),
    ],
)
def test_scale_refuses_in_one_line(words: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert error in _refused(["scale", *words], capsys)


def test_values_of_phi() -> None:
    from nas.cli.scale import parse_phis

    assert parse_phis("0:7") == list(range(8))
    assert parse_phis("-2:0") == [-2, -1, 0]
    assert parse_phis("0,0.5,1") == [0, 0.5, 1]
    assert parse_phis("0:0.3:0.1") == [0, 0.1, 0.2, 0.3]
    assert parse_phis("1") == [1]


def _ended(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, str, str]:
    from nas.cli import main

    with pytest.raises(SystemExit) as stopped:
        main(words)
    return (stopped.value.code, *capsys.readouterr())


def _refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    from nas.cli import main

    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.strip().splitlines()) <= 2
    assert "Traceback" not in said.err
    return said.err


@pytest.mark.parametrize(
    ("step", "constraint", "says"),
    [
        (0.05, "nominal", "it passes."),
        (0.05, "real", "it does not pass."),
        (0.2, "nominal", "it is no triple of this grid."),
    ],
)
def test_where_the_papers_triple_stands(step: float, constraint: str, says: str) -> None:
    found = grid(load_architecture("efficientnet-b0"), step=step, constraint=constraint)  # type: ignore[arg-type]
    assert sentences(found)[-1].endswith(says)


def test_the_papers_network_is_found_under_the_triple_that_builds_it_too() -> None:
    options = load_recipe("compound-grid").grid
    assert options is not None
    low, high = options.range
    found = grid(
        parse(options.base), target=options.target, step=options.step, tolerance=options.tolerance,
        constraint=options.constraint, low=low, high=high, pixels=options.pixels,
    )  # fmt: skip
    assert "no triple of this grid, but its network is in it" in sentences(found)[-1]
