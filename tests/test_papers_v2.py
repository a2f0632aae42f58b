"""The EfficientNetV2 report: right with no, one or several devices; regenerated numbers come from networks."""

from pathlib import Path

import pytest

from nas.record import Reading, Record, write_records
from nas.report.papers import Inputs, make_paper
from nas.report.papers.efficientnetv2 import architecture, figures, names, sizes, times
from nas.report.papers.facts import facts
from nas.report.papers.networks import count, fused_b4
from nas.report.papers.peers import network
from nas.report.papers.progressive import stage_sizes
from nas.report.papers.timing import Pair, compare
from nas.report.papers.verdict import Verdict
from nas.report.papers.zoo import Zoo, load_zoo
from nas.zoo.definition import load_zoo as load_definition

EMPTY = Inputs(Zoo(), Zoo())


def reading(value: float, spread: float = 0.0) -> Reading:
    return Reading(value, spread, 3, {"batch": 4, "resolution": 192, "precision": "fp32"})


def timed(folder: Path, device: str, speeds: dict[str, tuple[float, float]]) -> None:
    """A device of the zoo: network → (train images/s, infer images/s), 1 % of noise."""
    records = [
        Record(
            "zoo",
            None,
            "complete",
            f"notation of {name}",
            name,
            {
                "train_images_per_s": reading(train, train / 100),
                "infer_images_per_s": reading(infer, infer / 100),
            },
            baseline=name,
        )
        for name, (train, infer) in speeds.items()
    ]
    (folder / device).mkdir(parents=True)
    write_records(folder / device / "records.jsonl", records)


@pytest.fixture
def two_devices(tmp_path) -> Zoo:
    timed(tmp_path, "fast", {"efficientnetv2-s": (300, 900), "efficientnet-b5": (60, 290), "efficientnet-b4": (90, 500),
                             "efficientnet-b4-fused-1-3": (126, 600)})  # fmt: skip
    timed(tmp_path, "slow", {"efficientnetv2-s": (3, 9), "efficientnet-b5": (2, 5)})
    return load_zoo(tmp_path)


def row(comparison, name: str, *more: str):
    return next(
        line
        for line in comparison.lines
        if line.name == name and all(any(cell.text == text for cell in line.cells) for text in more)
    )


def test_counts_are_those_of_the_shipped_networks():
    line = row(sizes.main(EMPTY), "EfficientNetV2-M")
    assert [check.regenerated for check in line.checks] == pytest.approx([54.139356, 24.583], abs=1e-3)
    assert [check.judgement.verdict for check in line.checks] == [Verdict.REPRODUCED, Verdict.ROUNDED]


def test_pre_training_changes_no_network():
    assert network("EfficientNetV2-L (21k)") == network("EfficientNetV2-L")
    assert names.zoo_name("V1-B4") == "efficientnet-b4"


@pytest.mark.parametrize("model", sorted({r["model"] for r in facts("efficientnetv2/table7")}))
def test_every_network_of_table_7_is_found_or_says_why_not(model):
    found = network(model)
    assert sum(map(bool, (found.shipped, found.foreign, found.why))) == 1
    if found.shipped:
        assert count(found.shipped, "params", Zoo())


def test_the_zoo_holds_every_network_that_is_timed_here():
    known = {entry.name for entry in load_definition().entries}
    asked = {name for stages in names.STAGES.values() for name in stages}
    asked |= {names.zoo_name(r["model"]) for r in facts("efficientnetv2/table11")}
    asked |= {names.zoo_name(r["model"]) for r in facts("efficientnetv2/table7")} - {""}
    asked |= {f"efficientnet-b4-fused-1-{last}" for last in (3, 5, 7)} | {"efficientnet-b6@380", "efficientnet-b6@512"}
    assert asked <= known


def test_the_fused_b4_of_the_zoo_is_the_one_that_is_counted():
    from nas import parse

    entries = {entry.name: entry for entry in load_definition().entries}
    for until in (3, 5, 7):
        assert parse(entries[f"efficientnet-b4-fused-1-{until}"].network) == fused_b4(until, se=False)


def test_a_foreign_network_that_nobody_counted_names_the_command():
    check = row(sizes.main(EMPTY), "NFNet-F1", "v3").checks[0]
    assert check.judgement.verdict is Verdict.UNMEASURED
    assert "nas measure --zoo --what params,flops" in check.judgement.reason


def test_without_devices_every_ratio_says_how_to_measure_it():
    for made in (times.image_size_speedup, times.fused_speedup, times.inference, times.training, times.scaled_down):
        for *_, found in made(Zoo()).judged():
            assert found.verdict is Verdict.UNMEASURED
            assert "nas measure --zoo" in found.reason or "neither nas" in found.reason


def test_ratios_are_taken_within_one_device(two_devices):
    comparison = times.scaled_down(two_devices)
    fast, slow = row(comparison, "V2-S ÷ V1-B5", "fast").checks[0], row(comparison, "V2-S ÷ V1-B5", "slow").checks[0]
    assert fast.regenerated == pytest.approx(900 / 290)
    assert slow.regenerated == pytest.approx(9 / 5)
    assert fast.spread == pytest.approx(900 / 290 * 2**0.5 / 100)
    assert fast.judgement.verdict is Verdict.REPRODUCED  # 3.10 against 3.1x
    assert slow.judgement.verdict is Verdict.DIFFERS
    assert "slow" in slow.judgement.reason
    assert "V100" in slow.judgement.reason
    assert "batch 4, 192 px, fp32" in row(comparison, "V2-S ÷ V1-B5", "fast").cells[-1].text


def test_a_device_that_timed_one_of_the_two_is_told_how_to_time_both(two_devices):
    check = row(times.scaled_down(two_devices), "V2-B0 ÷ V1-B1", "slow").checks[0]
    assert check.judgement.verdict is Verdict.UNMEASURED
    assert "--set full" in check.judgement.reason


def test_fused_over_unfused(two_devices):
    line = row(times.fused_speedup(two_devices), "Fused stage1-3 ÷ no fused", "fast", "V100")
    assert line.checks[0].printed == "1.394"  # 216 / 155
    assert line.checks[0].between == pytest.approx((215.5 / 155.5, 216.5 / 154.5))
    assert line.checks[0].regenerated == pytest.approx(126 / 90)


def test_training_time_is_averaged_over_the_sizes_of_progressive_learning(tmp_path):
    speeds = {"efficientnetv2-s@171": (400.0, 1.0), "efficientnetv2-s@214": (200.0, 1.0)}
    speeds |= {"efficientnetv2-s@257": (100.0, 1.0), "efficientnetv2-s": (50.0, 1.0), "efficientnet-b5": (10.0, 1.0)}
    timed(tmp_path, "device", speeds)
    check = row(times.training(load_zoo(tmp_path)), "V2-S ÷ EfficientNet-B5", "device").checks[0]
    assert check.printed == "6.056"  # 43 h / 7.1 h
    assert check.between == pytest.approx((42.5 / 7.15, 43.5 / 7.05))
    assert check.regenerated == pytest.approx(0.1 / ((1 / 400 + 1 / 200 + 1 / 100 + 1 / 50) / 4))


def test_latency_and_times_are_ratios_the_other_way_round(tmp_path):
    record = [
        Record("zoo", None, "complete", name, name, {"latency_ms": reading(value)}, baseline=name)
        for name, value in (("a", 30.0), ("b", 10.0))
    ]
    (tmp_path / "device").mkdir()
    write_records(tmp_path / "device" / "records.jsonl", record)
    pair = Pair("b ÷ a", ("a",), ("b",), "latency_ms", ("60", "24"), "time", "somewhere", "a table")
    check = compare("t", "T", (pair,), load_zoo(tmp_path)).lines[0].checks[0]
    assert check.printed == "2.500"
    assert check.regenerated == pytest.approx(3)


def test_a_ratio_counts_once_however_many_devices_measured_it(two_devices):
    paper, alone = (make_paper("efficientnetv2", Inputs(zoo, Zoo())) for zoo in (two_devices, Zoo(two_devices.counts)))
    assert sum(paper.tally().values()) == sum(alone.tally().values())
    assert sum(paper.ratios().values()) == sum(alone.ratios().values()) > 30
    assert sum(1 for *_, found in paper.judged() if found.verdict is Verdict.DIFFERS and "slow" in found.reason)
    assert paper.tally()[Verdict.REPRODUCED] == alone.tally()[Verdict.REPRODUCED] + 1  # V2-S ÷ V1-B5, on one of the two


def test_a_ratio_that_no_paper_prints_says_so():
    headed = {
        c.name: [column.label for column in c.table().columns]
        for c in (times.training(Zoo()), times.scaled_down(Zoo()))
    }
    assert "speed-up, ratio of the published" in headed["table7-training"]
    assert "speed-up, published" in headed["table11-speedup"]  # Table 11 prints its four


def test_the_staged_rule_makes_v2_l_and_shows_what_remains_of_s_and_m():
    table, costs = architecture.rules().tables
    left = {(line[0].text, line[1].text): line[-1].text for line in table.rows}
    assert {text for (name, _), text in left.items() if name == "V2-L"} == {"none"}
    assert left["V2-S", "stage 4"] == "−8 channels"
    assert left["V2-S", "stage 6"] == "−16 channels"
    assert left["V2-M", "stage 4"] == "+8 channels"
    assert [line[0].text for line in costs.rows if line[-1].text == "the released network"] == ["V2-L"]


def test_table_4_differs_in_v1_only():
    comparison = architecture.v2_s().comparisons[0]
    wrong = {(line.cells[1].text, line.name) for line in comparison.lines for check in line.checks
             if check.judgement and check.judgement.verdict is not Verdict.REPRODUCED}  # fmt: skip
    assert wrong == {("v1", "stage 6, v1"), ("v1", "stage 7, v1")}


def test_the_code_never_trains_at_128_px():
    found = {(r["where"], r["model"]): stage_sizes(r) for r in facts("efficientnetv2/table6")}
    assert found["code", "S"] == (171, 214, 257, 300)
    assert found["code", "L"] == (192, 256, 320, 384)
    assert found["paper", "S"] == (128, 185, 243, 300)  # 242.67: the nearest, as the audit has it
    assert found["paper", "M"][-1] == 380


def test_what_table_10_saves_is_judged_against_the_exact_counts():
    saved = sizes.same_training(EMPTY)[1].lines[0].checks
    assert saved[0].regenerated == pytest.approx(-18.40, abs=0.005)  # 54.139 / 66.348
    assert saved[0].cells[2].text == "−1.4 points"  # from -17%: of a percentage, not in percent


def test_figures_have_counted_points_and_one_figure_per_device(two_devices):
    found = {
        figure.name: figure for figure in (*figures.sizes(two_devices).figures, *figures.training(two_devices).figures)
    }
    own = next(series for series in found["figure5a"].series if series.name == "EfficientNetV2, counted")
    assert own.x[0] == pytest.approx(21.458488)
    assert {name for name in found if name.endswith("-fast")} == {"figure5c-fast"}
    measured = next(
        series for series in found["figure5c-fast"].series if series.kind == "measured" and len(series.x) > 1
    )
    assert measured.x[0] == pytest.approx(24 * 900 / 500)  # B4, scaled so that V2-S stands at 24 ms
    assert "EfficientNet-B4 at batch 4, 192 px, fp32" in found["figure5c-fast"].caption
    styles = [(series.kind, series.style) for series in found["figure5a"].series]
    assert len(styles) == len(set(styles))


def test_the_report_says_which_version_each_number_is_from():
    paper = make_paper("efficientnetv2", EMPTY)
    sources = {line.source for comparison in paper.comparisons for line in comparison.lines}
    assert all(source.startswith("arXiv:2104.00298v") for source in sources)
    assert {"arXiv:2104.00298v1 Table 7", "arXiv:2104.00298v3 Table 7"} <= sources


def test_everything_that_differs_has_a_reason():
    for _, name, quantity, _, found in make_paper("efficientnetv2", EMPTY).judged():
        if found.verdict in (Verdict.DIFFERS, Verdict.UNMEASURED):
            assert found.reason, (name, quantity)


def test_section_names_keep_off_the_names_of_the_page(two_devices):
    from nas.report.papers.page import render

    page = render(make_paper("efficientnetv2", Inputs(two_devices, Zoo())))
    names = [part.split('"', 1)[0] for part in page.split(' id="')[1:]]
    assert len(names) == len(set(names)), sorted({name for name in names if names.count(name) > 1})
