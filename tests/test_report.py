import dataclasses
import json
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from nas.errors import NasError
from nas.pareto import standing
from nas.record import Reading, Record, read_records
from nas.report import StudyReport, analyse, write_report
from nas.report.analysis import Analysis
from nas.report.figures import hover, log_ticks
from nas.report.page import figures, sections
from nas.report.tables import failures_table, front_table, metrics_table, show_command, trials_table
from nas.report.words import findings
from nas.space_file import load_architecture
from tests.report_records import recipe, records, study


class Tags(HTMLParser):
    """Counts the elements of a page, and gathers the attributes that would run a script."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] += 1
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def record(trial: int | None, top1: float | None, flops: float, noise: float = 0.0, **fields: object) -> Record:
    arch = f"r64 s16 m1k3s1c{8 * ((trial or 0) + 1)}n1 h64"
    readings = {"flops": Reading(flops)}
    if top1 is not None:
        repeats = {"repeats": [top1 - noise / 2, top1, top1 + noise / 2]} if noise else {}
        readings["top1_pct"] = Reading(top1, noise or None, 3 if noise else 1, detail=repeats)
    known = {"study": "s", "state": "complete", "arch": arch, "id": arch, "readings": readings, **fields}
    return Record(trial=trial, **known)  # type: ignore[arg-type]


def analysed(*known: Record, objectives: tuple[str, ...] = ("top1_pct", "flops")) -> Analysis:
    return analyse(known, recipe(objectives=objectives))


def test_the_front_counts_every_network_once_and_baselines_too() -> None:
    same = record(3, 70, 2)
    analysis = analysed(
        record(0, 60, 1, baseline="b"),
        same,
        dataclasses.replace(same, trial=5, reused=3),
        record(4, 65, 3),
        record(6, None, 1, state="failed"),
        record(7, 99, 1, state="infeasible"),
        record(8, None, 0.5),
    )
    assert [result.name for result in analysis.front] == ["#3", "b (#0)"]
    assert analysis.repeats == 1
    assert [result.status for result in analysis.results] == ["front", "front", "dominated", None]
    assert [result.name for result in analysis.outside] == ["#7"]
    assert analysis.counts == {"complete": 5, "infeasible": 1, "failed": 1, "running": 0}


def test_a_single_run_within_the_baselines_noise_is_tied() -> None:
    analysis = analysed(record(0, 60, 1, 0.5, baseline="b"), record(1, 60.4, 2), record(2, 61, 3))
    assert [(result.name, result.status) for result in analysis.front] == [
        ("#2", "front"),
        ("#1", "tied"),
        ("b (#0)", "front"),
    ]


def test_a_baseline_is_compared_beyond_noise() -> None:
    baseline = record(0, 60, 2, 0.5, baseline="b")
    analysis = analysed(baseline, record(1, 59.8, 1), record(2, 62, 2), record(3, 59, 0.5))
    (comparison,) = analysis.comparisons
    assert [other.name for other in comparison.better] == ["#1", "#2"]
    assert {key: other.name for key, other in comparison.farthest.items()} == {"top1_pct": "#2", "flops": "#1"}
    said = " ".join(findings(analysis))
    assert "2 networks beat it, losing nothing beyond noise" in said
    assert "top-1 +2.0 points with #2; FLOPs −50 % with #1" in said


def test_a_baseline_nothing_beats_is_said_so() -> None:
    said = " ".join(findings(analysed(record(0, 60, 2, 0.5, baseline="b"), record(1, 60.3, 2), record(2, 50, 1))))
    assert "no network gains on it beyond noise" in said
    assert "Highest top-1: 60.3 ± 0.5 %, #1, with 1 other within noise of it." in said


def test_unknown_noise_is_said_so() -> None:
    assert "The noise between runs is not known" in " ".join(findings(analysed(record(0, 60, 2))))


def test_one_run_of_a_baseline_tells_no_noise_between_runs() -> None:
    once = dataclasses.replace(
        record(0, 60, 2, baseline="b"),
        readings={"flops": Reading(2), "train_images_per_s": Reading(100, 2, samples=30)},
    )
    analysis = analysed(once, objectives=("train_images_per_s", "flops"))
    assert analysis.floor == {}
    assert "The noise between runs is not known" in " ".join(findings(analysis))


def test_the_noise_is_called_what_it_is() -> None:
    said = " ".join(findings(analyse(records(20), recipe())))
    assert "Noise, twice the standard deviation of 3 repeats of the baselines" in said
    assert "95 %" not in said


def test_networks_over_a_limit_are_on_no_front_and_cover_nothing() -> None:
    within, over = record(1, 60, 2), record(2, 99, 1, excess={"flops<=1": 0.5})
    analysis = analysed(record(0, 50, 1), within, over)
    assert [result.stands for result in analysis.results] == ["front", "front", "over a limit"]
    assert (analysis.history.reference, analysis.history.ideal) == (
        analysed(record(0, 50, 1), within).history.reference,
        analysed(record(0, 50, 1), within).history.ideal,
    )
    assert analysis.history.share[-1] == analysis.history.share[-2] > 0
    assert analysis.history.names[-1] == "#2: over a limit"
    assert "3 measured (1 over a limit)" in findings(analysis)[0]


def test_a_baseline_over_a_limit_is_called_that_and_compared() -> None:
    baseline = record(0, 60, 2e9, 0.5, baseline="b", excess={"flops<=1500000000": 1 / 3})
    analysis = analysed(baseline, record(1, 62, 1e9), record(2, 50, 0.5e9))
    said = " ".join(findings(analysis))
    assert "Baseline b (#0) is over a limit (FLOPs ≤ 1.5 G by 33 %): 1 network beats it" in said
    assert "lacks" not in said
    assert [row[0].text for row in front_table(analysis).rows] == ["front", "front", "over a limit"]
    assert "over a limit (FLOPs ≤ 1.5 G by 33 %)" in hover(analysis, analysis.results[0])


def test_a_baseline_is_named_over_a_limit_measured_or_not() -> None:
    late = record(0, 60, 1, baseline="b", excess={"top1_pct>=70": 1 / 7})
    never = record(1, None, 9, baseline="c", excess={"flops<=1": 8.0}, state="infeasible")
    said = " ".join(findings(analysed(late, never, record(2, None, 1))))
    assert "There is no front: 2 networks are over a limit, and 1 other lacks a value of top-1 and FLOPs." in said
    assert "Baseline b (#0) is over a limit (top-1 ≥ 70.0 % by 14 %), so it is not compared." in said
    assert "Baseline c (#1) is over a limit (FLOPs ≤ 1 by 800 %) and was not measured" in said


@pytest.mark.parametrize(
    ("top1", "said"),
    [
        (70, "The recipe tells baseline big from small (the smallest): difference +10.0 points of top-1, 20.0 seed"),
        (
            61,
            "The recipe hardly tells baseline big from small (the smallest): difference +1.0 points of top-1, 2.0 seed",
        ),
    ],
)
def test_the_separation_that_the_recipe_achieves_is_said(top1: float, said: str) -> None:
    small, big = record(0, 60, 1, 0.8, baseline="small"), record(1, top1, 2, 1.0, baseline="big")
    assert said in " ".join(findings(analysed(small, big)))
    assert "seed deviations" not in " ".join(findings(analysed(small, record(2, 50, 2))))


def test_too_few_networks_for_importance_is_said(tmp_path: Path) -> None:
    bare = dataclasses.replace(study(20), importance={}, importance_needs=84)
    page = write_report(bare, tmp_path).read_text()
    assert "needs 84 distinct measured networks, and there are 0." in page


def test_timings_taken_side_by_side_are_warned_of() -> None:
    def timed(trial: int, **environment: object) -> Record:
        readings = {"flops": Reading(trial + 1), "train_images_per_s": Reading(100)}
        return dataclasses.replace(record(trial, None, 1), readings=readings, environment=environment)

    def warned(*known: Record) -> str:
        return " ".join(findings(analysed(*known, objectives=("train_images_per_s", "flops"))))

    assert "side by side" not in warned(timed(0), timed(1, workers=1))
    assert "train img/s was taken side by side, by up to 4 workers" in warned(timed(0, workers=4), timed(1, workers=4))
    assert "Readings of 1 and of 4 workers do not compare" in warned(timed(0, workers=1), timed(1, workers=4))


def test_readings_of_two_devices_are_warned_of() -> None:
    one, two = record(0, 60, 2), record(1, 61, 3)
    here = dataclasses.replace(one, readings={**one.readings, "top1_pct": Reading(60, conditions={"device": "a"})})
    there = dataclasses.replace(two, readings={**two.readings, "top1_pct": Reading(61, conditions={"device": "b"})})
    assert "top-1 was measured on more than one device" in findings(analysed(here, there))[-1]
    assert "more than one device" not in " ".join(findings(analysed(here, here)))


def test_readings_of_two_trainings_are_warned_of() -> None:
    one, two = record(0, 60, 2), record(1, 61, 3)
    short = dataclasses.replace(one, readings={**one.readings, "top1_pct": Reading(60, conditions={"epochs": 2})})
    long = dataclasses.replace(two, readings={**two.readings, "top1_pct": Reading(61, conditions={"epochs": 3})})
    assert "top-1 was reached under more than one training" in " ".join(findings(analysed(short, long)))
    assert "more than one training" not in " ".join(findings(analysed(short, short)))


def test_a_single_network_has_nothing_to_compare_with() -> None:
    assert analysed(record(0, 60, 2e9, 0.5, baseline="b")).comparisons == ()


def test_the_analysis_agrees_with_pareto_on_a_whole_study() -> None:
    analysis = analyse(records(60, seed=3), recipe())
    points = [result.point for result in analysis.results]
    assert [result.status for result in analysis.results] == list(standing(points, analysis.objectives))
    share = analysis.history.share
    assert len(share) == sum(item.state != "running" for item in analysis.records)
    assert list(share) == sorted(share)
    assert 0 < share[-1] <= 1


def test_a_reward_is_an_objective_like_any_other() -> None:
    key = "top1_pct*(flops/1e+09)^-0.07"
    analysis = analyse(records(20), recipe(objectives=(key,)))
    (first, *_) = analysis.front
    reward = first.values["top1_pct"] * (first.values["flops"] / 1e9) ** -0.07
    assert first.values[analysis.objectives[0][0]] == pytest.approx(reward)
    assert first.spreads[analysis.objectives[0][0]] == pytest.approx(0.8 * reward / first.values["top1_pct"])


@pytest.mark.parametrize(("low", "high"), [(1e6, 9e6), (2.57e9, 18e9), (70, 347), (1, 1e6), (3, 9.1), (0.2, 0.7)])
def test_log_ticks_are_few_and_enough(low: float, high: float) -> None:
    ticks = log_ticks(low, high)
    assert 3 <= sum(low <= tick <= high for tick in ticks) <= 9


def test_hover_shows_the_network_and_its_noise() -> None:
    analysis = analysed(record(0, 60, 2e9, 0.5, baseline="<b>evil"))
    shown = hover(analysis, analysis.results[0])
    assert shown.startswith("<b>&lt;b&gt;evil (#0)</b> front<br>top-1 60.0 ± 0.5 %<br>FLOPs 2 G<br>")
    assert shown.endswith("r64 s16 m1k3s1c8n1 h64")


def test_tables_hold_the_front_every_trial_and_why_some_failed() -> None:
    analysis = analyse(records(40), recipe())
    front = front_table(analysis)
    assert [column.key for column in front.columns][:3] == ["status", "trial", "top1_pct"]
    assert len(front.rows) == len({*map(id, analysis.front), *map(id, analysis.baselines)})
    assert len(trials_table(analysis).rows) == 40
    failed, infeasible = failures_table(analysis).rows
    assert [cell.text for cell in failed[:3]] == ["failed", "out of memory at batch 64, at 32 too", "2"]
    assert infeasible[1].text == "not flops<=20G"
    conditions = {row[0].text: row[-1].text for row in metrics_table(analysis).rows}
    assert "differing: batch" in conditions["train img/s"]
    assert "data fractals" in conditions["top-1"]


def test_the_command_shows_the_network_again() -> None:
    assert show_command(record(7, 60, 1)) == "nas show s:7"
    assert show_command(record(None, 60, 1, baseline="my net.yaml")) == "nas show 'my net.yaml'"


def test_a_report_is_complete_and_the_same_every_time(tmp_path: Path) -> None:
    first, second = (write_report(study(), tmp_path / name).parent for name in ("one", "two"))
    names = sorted(str(path.relative_to(first)) for path in first.rglob("*") if path.is_file())
    assert names == json.loads((first / "provenance.json").read_text())["files"]
    assert {"report.html", "README.md", "tables/front.csv", "tables/front.tex", "data/records.jsonl"} <= set(names)
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
    assert [item.trial for item in read_records(first / "data" / "records.jsonl")] == list(range(40))
    for result in analyse(study().records, recipe()).front:
        written = first / "architectures" / f"trial-{result.record.trial:04d}.yaml"
        assert str(load_architecture(str(written))) == result.record.arch
    assert "texttt" not in (first / "tables" / "front.tex").read_text()  # a notation is wider than a page
    page = (first / "report.html").read_text()
    assert "showSendToCloud: false" in page
    assert not re.search(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"']?(?:https?:)?//", page)


def test_every_figure_has_its_place_in_a_section() -> None:
    analysis = analyse(study().records, study().recipe)
    html = "".join(section.html for section in sections(study(), analysis))
    drawn = figures(study(), analysis)
    assert len(drawn) >= 4
    assert [name for name in drawn if f'id="{name}"' not in html] == []


def test_records_without_a_recipe_are_not_given_one(tmp_path: Path) -> None:
    page = write_report(dataclasses.replace(study(8), assumed=True), tmp_path)
    assert json.loads((tmp_path / "provenance.json").read_text())["recipe"] is None
    assert "No recipe came with these records: top1_pct, flops, train_images_per_s are taken" in page.read_text()
    assert "learning_rate:" not in page.read_text()


def test_networks_that_left_the_front_leave_the_folder(tmp_path: Path) -> None:
    write_report(study(40), tmp_path)
    mine = tmp_path / "architectures" / "mine.yaml"
    mine.write_text("kept")
    write_report(study(8), tmp_path)
    front = analyse(study(8).records, recipe()).front
    kept = {f"trial-{result.record.trial:04d}.yaml" for result in front}
    assert {path.name for path in (tmp_path / "architectures").iterdir()} == kept | {"mine.yaml"}


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ([], "No trial has been recorded yet"),
        ([record(0, 60, 1)], "1 trial: 1 measured"),
        ([record(0, None, 1, state="failed", reason="killed"), record(1, None, 2, state="failed")], "no front"),
        ([record(0, None, 1), record(1, None, 2)], "No network has a value for every objective"),
        ([record(0, None, 1, state="infeasible", excess={"flops<=1G": 0.5})], "not flops&lt;=1G"),
        ([dataclasses.replace(record(None, 50, 2), state="running", readings={})], "1 running"),
        ([record(None, 50, 2, baseline="b0"), record(0, 40, 3, arch="from another version", id="x")], "b0"),
    ],
)
def test_a_study_with_little_to_show_says_so(known: list[Record], said: str, tmp_path: Path) -> None:
    page = write_report(StudyReport(known, recipe(objectives=("top1_pct", "flops"))), tmp_path).read_text()
    assert said in page
    assert "</html>" in page
    assert (tmp_path / "README.md").read_text().startswith("# example")


def test_what_a_record_holds_is_text_and_never_markup(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    known = [
        record(0, 60, 1, baseline=evil, arch=evil, study=evil),
        record(1, 50, 2, state="failed", reason=evil),
        record(2, 70, 2),
    ]
    report = StudyReport(
        known, recipe(objectives=("top1_pct", "flops")), {"command": evil, evil: evil}, {"top1_pct": {evil: 0.5}}
    )
    tags = Tags()
    tags.feed(write_report(report, tmp_path).read_text())
    assert tags.seen["script"] == 4  # the app, its figures, its data, plotly
    assert not {"img", "iframe", "object", "base"} & set(tags.seen)
    assert not tags.handlers
    prose = re.sub(r"```.*?```", "", (tmp_path / "README.md").read_text(), flags=re.S)
    assert "<script" not in prose


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NasError, match="the report cannot be written") as caught:
        write_report(study(3), tmp_path / "file" / "out")
    assert "--out" in caught.value.hint
    assert "\n" not in str(caught.value)


def test_importing_the_report_draws_nothing() -> None:
    code = "import sys, nas.report; print(sorted({'plotly', 'pandas', 'torch', 'optuna'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
