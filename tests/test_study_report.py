import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from nas.cli.study_report import read_beside
from nas.dashboard.study import study_of
from nas.record import write_records
from nas.report import write_report
from nas.report.analysis import analyse
from nas.report.assumed import assumed_recipe
from nas.report.page import explorer
from nas.report.published import published
from nas.space_file import load_architecture
from nas.study.feed import open_sources, read_all
from tests.conftest import ROOT
from tests.report_records import records, study

Run = Callable[..., CompletedProcess[str]]


def test_records_that_no_recipe_explains_suggest_one(tmp_path: Path) -> None:
    known = [dataclasses.replace(one, study="Mine, 2") for one in records(20)]
    write_records(tmp_path / "mine.jsonl", known)
    (snapshot,) = read_all(open_sources([str(tmp_path / "mine.jsonl")], ""))
    read = study_of(snapshot)
    assert read.recipe.name == "Mine-2"
    assert read.recipe.objectives == ("top1_pct", "flops", "train_images_per_s")
    assert read.recipe.limits == ("flops<=20000000000",)
    assert read.option is None
    assert list(read.records) == known


def test_without_usual_metrics_the_first_two_that_were_measured_are_the_objectives() -> None:
    bare = [dataclasses.replace(one, readings={"params": one.readings["params"]}) for one in records(2)]
    assert assumed_recipe("x", bare).objectives == ("params",)
    assert assumed_recipe("…", []).name == "records"


def test_a_reports_records_come_back_with_its_recipe_and_provenance(tmp_path: Path) -> None:
    page = write_report(study(20), tmp_path / "first")
    (read,) = read_beside([str(page.parent / "data" / "records.jsonl")], "")
    assert read.recipe == study(20).recipe
    assert read.provenance == study(20).provenance
    assert [one.trial for one in read.records] == list(range(20))


def test_a_records_file_is_reported_beside_another(run_nas: Run, tmp_path: Path) -> None:
    shipped = ROOT / "studies"
    first, second = (str(shipped / name / "records.jsonl") for name in ("efficientnetv2-cpu", "compound-grid"))
    done = run_nas("report", first, "--with", second, "--out", "both", "--json")
    assert done.returncode == 0, done.stderr
    page = tmp_path / json.loads(done.stdout)["report"]
    assert (page.parent / "tables" / "front.csv").is_file()
    again = run_nas("report", first, "--with", second, "--out", "again")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "again" / "report.html").read_bytes() == page.read_bytes()


def test_the_same_study_is_shown_once_and_equal_names_apart(run_nas: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_records(tmp_path / f"{name}.jsonl", records(6))
    done = run_nas("report", "a.jsonl", "--with", "./a.jsonl", "--with", "b.jsonl", "--with", "b.jsonl", "--json")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / json.loads(done.stdout)["report"]).read_text()
    assert "example-2: in the explorer only" in page
    assert "runs/example-records/" in json.loads(done.stdout)["report"]


def test_a_report_is_not_written_over_the_folder_its_records_are_from(run_nas: Run, tmp_path: Path) -> None:
    write_report(study(8), tmp_path / "runs" / "example")
    before = (tmp_path / "runs" / "example" / "report.html").read_bytes()
    done = run_nas("report", "runs/example/data/records.jsonl", "--json")
    assert json.loads(done.stdout)["report"] == "runs/example-records/report.html"
    assert (tmp_path / "runs" / "example" / "report.html").read_bytes() == before


def test_a_line_that_does_not_read_is_said_and_on_the_page(run_nas: Run, tmp_path: Path) -> None:
    write_records(tmp_path / "mine.jsonl", records(8))
    with (tmp_path / "mine.jsonl").open("a") as file:
        file.write("{broken\n")
    done = run_nas("report", "mine.jsonl", "--json")
    assert done.returncode == 0, done.stderr
    assert "line 9" in done.stderr
    (read,) = read_beside([str(tmp_path / "mine.jsonl")], "")
    assert "line 9" in explorer(read, analyse(read.records, read.recipe))["studies"][0]["note"]
    (tmp_path / "mine.jsonl").write_text("{broken\n")
    done = run_nas("report", "mine.jsonl")
    assert done.returncode == 2
    assert "line 1" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("report", "absent.jsonl"), "absent.jsonl: no records there"),
        (("report", "efficientnet", "--with", "a.jsonl"), "--with is for the report of a study"),
    ],
)
def test_what_cannot_be_reported_is_said(run_nas: Run, words: tuple[str, ...], says: str) -> None:
    done = run_nas(*words)
    assert done.returncode == 2
    assert says in done.stderr


def test_show_writes_a_network_that_reads_back(run_nas: Run, tmp_path: Path) -> None:
    for name in ("efficientnet-b1", "efficientnet-b0"):  # the second over the first
        done = run_nas("show", name, "-o", "mine.yaml")
        assert done.returncode == 0, done.stderr
    assert load_architecture(str(tmp_path / "mine.yaml")) == load_architecture("efficientnet-b0")


def test_the_published_families_are_as_printed_and_drawn() -> None:
    known = {entry["name"]: entry for entry in published()}
    assert len(known) == 15
    b0, small = known["EfficientNet-B0"], known["EfficientNetV2-S"]
    assert (b0["params"], b0["flops"], b0["top1_pct"], b0["resolution"]) == (5_300_000, 390_000_000, 77.1, 224)
    assert (small["params"], small["flops"], small["top1_pct"], small["resolution"]) == (21_500_000, 8.4e9, 83.9, 384)
    assert b0["notation"] == str(load_architecture("efficientnet-b0"))
    assert sum(row[11] for row in b0["drawing"]) == 5_288_548
    assert all(entry["source"] for entry in known.values())
