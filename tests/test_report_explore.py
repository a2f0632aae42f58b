import json
import math
from dataclasses import replace

import pytest

from nas.metric import parse_objective
from nas.record import Reading, Record
from nas.report.analysis import analyse
from nas.report.drawing import FIELDS
from nas.report.explore import Labels, head, page_document, patch_columns, row_columns, study_document
from nas.report.noise import noise_floor, spreads
from nas.report.row import floor_of, row, training_label
from tests.report_records import recipe, records

ARCH = "r224 s32 m1k3s1c16n1se0.25 h1280"


def made(given=None, objectives=("top1_pct", "flops", "train_images_per_s"), whole=True):
    about = head(recipe(objectives=objectives), source="nas.db", option="")
    found = records(40) if given is None else given
    rows = [row(record, about.objectives) for record in found]
    return found, rows, study_document(about, rows, whole=whole)


def record(trial=0, **more):
    return Record(study="s", trial=trial, **{"state": "complete", "arch": ARCH, "id": "one", **more})


def notations(document):
    tokens, index = document["rows"]["notation"]["tokens"], document["rows"]["notation"]["index"]
    return [
        " ".join(tokens[place][column[number]] for place, column in enumerate(index) if column[number] >= 0)
        for number in range(document["rows"]["n"])
    ]


def test_every_value_is_the_records_and_numbers_leave_as_json():
    found, _, document = made()
    for number, one in enumerate(found):
        for key, column in document["rows"]["values"].items():
            if key == "resolution":
                assert column[number] == int(one.arch.split()[0][1:])
            elif one.value(key) is None:
                assert column[number] is None
            else:
                assert column[number] == pytest.approx(one.value(key), rel=1e-5)
        assert document["rows"]["values"]["flops"][number] == one.value("flops")  # exact
    assert document["rows"]["trial"] == list(range(40))
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_notation_reads_back_also_of_foreign_and_empty_ones():
    found = [
        *records(6),
        record(7, arch="timm:resnet18@160y10"),
        record(8, arch="", id=""),
        record(9, arch="odd  text"),
    ]
    _, _, document = made(found)
    assert notations(document) == [one.arch for one in found]
    assert document["rows"]["values"]["resolution"][-3:] == [160, None, None]


def test_spreads_are_those_of_the_tables():
    found, rows, document = made()
    floor = noise_floor(found)
    assert floor_of(rows) == floor
    for number, one in enumerate(found):
        expected = spreads(one, floor)
        for key, column in document["rows"]["spreads"].items():
            assert (column[number] or 0) == pytest.approx(expected.get(key, 0), rel=1e-5)


def test_a_reward_has_a_value_a_noise_and_an_axis():
    reward = parse_objective("top1_pct*(flops/400M)^-0.07")
    found, _, document = made(objectives=(reward.key, "params"))
    assert document["objectives"][0] == {"key": reward.key, "goal": "maximize"}
    axis = document["metrics"][0]
    assert (axis["key"], axis["style"], axis["kind"], axis["badge"]) == (reward.key, "plain", "score", "score")
    analysed = {
        id(result.record): result for result in analyse(found, recipe(objectives=(reward.key, "params"))).results
    }
    for number, one in enumerate(found):
        if id(one) in analysed:
            result = analysed[id(one)]
            assert document["rows"]["values"][reward.key][number] == pytest.approx(result.values[reward.key], rel=1e-5)
            assert document["rows"]["spreads"][reward.key][number] == pytest.approx(
                result.spreads[reward.key], rel=1e-5
            )


def test_what_is_not_a_number_is_not_there():
    odd = {"top1_pct": Reading(math.nan), "flops": Reading(math.inf), "params": Reading(5.0, math.nan)}
    _, _, document = made([record(readings=odd)])
    assert document["rows"]["values"] == {"params": [5], "resolution": [224]}
    assert document["rows"]["spreads"] == {}
    json.dumps(document, allow_nan=False)


def test_repeats_and_baselines_outside_the_space():
    found = [
        record(None, baseline="efficientnet-b0", id="b0"),
        record(0, state="infeasible", id="x", excess={"flops<=1G": 0.5}),
        record(1),
        record(2),
        record(3, state="infeasible", id="x", excess={"flops<=1G": 0.5}),
        record(4, state="failed", reason="out of\nmemory", retry_of=1),
        record(5, state="running", arch="", id=""),
    ]
    _, _, document = made(found)
    rows = document["rows"]
    assert rows["trial"][0] is None
    assert rows["baseline"] == {"0": "efficientnet-b0"}
    assert rows["repeat"] == [3, 4]
    assert rows["over"] == {"1": ["flops<=1G"], "4": ["flops<=1G"]}
    assert rows["reason"] == {"5": "out of memory"}
    assert rows["retry_of"] == {"5": 1}
    assert rows["state"] == [0, 1, 0, 0, 1, 2, 3]


def test_a_patch_has_the_same_columns_for_the_rows_named():
    _, rows, document = made(whole=False)
    labels = Labels()
    about = head(recipe(), source="nas.db", option="")
    whole = row_columns(about, rows, range(len(rows)), floor_of(rows), labels)
    patch = patch_columns(about, rows, [1, 30], labels)
    assert set(patch) == set(document["rows"])
    assert patch["n"] == 40
    assert patch["notation"] == {"plain": [rows[1].arch, rows[30].arch]}
    assert patch["baseline"] == {"1": "efficientnet-b4"}
    for key, column in patch["values"].items():
        assert column == [whole["values"][key][1], whole["values"][key][30]]
    assert (patch["device"], labels.devices) == ([0, 0], ["test processor, 2 cores"])


def test_labels_once_given_stay_when_an_earlier_row_is_done():
    labels = Labels(devices=["second"])
    about = head(recipe())
    first = replace(row(record()), device="first")
    columns = row_columns(about, [first, replace(first, device="second")], [0, 1], {}, labels)
    assert (columns["device"], labels.devices) == ([1, 0], ["second", "first"])


def test_trainings_are_equal_where_accuracies_compare():
    usual = {"data": "fractals", "train_images": 4096, "epochs": 2, "resolution": 32, "resolution_scale": None,
             "width": 0.25, "learning_rate": 0.015, "device": "a", "seed": 1, "torch": "2", "threads": 1}  # fmt: skip
    label = training_label(usual)
    assert label == "fractals, 4,096 images · 2 epochs · 32 px · width 0.25"
    assert training_label({**usual, "device": "b", "seed": 7, "torch": "3", "threads": 4, "repeats": 3}) == label
    assert training_label({**usual, "learning_rate": 0.03}) == f"{label} · learning rate 0.03"
    own = {**usual, "resolution_scale": 1.0, "width": 1.0}
    assert training_label({**own, "resolution": 40}) == training_label({**own, "resolution": 48})


def test_an_accuracy_is_a_proxys_where_another_network_was_trained():
    def badge(trained):
        one = record(readings={"top1_pct": Reading(70.0, detail={"trained": trained})})
        return made([one])[2]["metrics"][0]["badge"]

    assert badge(ARCH) == "measured"
    assert badge(f"{ARCH} y64") == "measured"
    assert badge("r32 s8 m1k3s1c8n1 h64 y64") == "proxy"


def test_drawings_add_up_and_are_said_once():
    found, _, document = made()
    fields, rows, of = (document["drawings"][name] for name in ("fields", "rows", "of"))
    assert fields == list(FIELDS)
    for number, one in enumerate(found):
        for key in ("params", "flops", "activations"):
            total = sum(rows[place][fields.index(key)] for place in of[number])
            assert one.value(key) is None or total == one.value(key)
    assert len({tuple(one) for one in rows}) == len(rows)


def test_a_network_that_does_not_read_has_no_drawing():
    document = made([record(arch="from another version"), record(1, arch="timm:resnet18@224")])[2]
    assert document["drawings"]["of"] == [None, None]


def test_an_empty_study_is_a_document():
    document = page_document([made([])[2]])
    study = document["studies"][0]
    assert study["rows"]["n"] == 0
    assert [metric["key"] for metric in study["metrics"]][:3] == ["top1_pct", "flops", "train_images_per_s"]
    json.dumps(document, allow_nan=False)


def test_settings_by_row():
    found = [record(0, settings={"a": 1, "b": 2}), record(1, settings={"b": 3}), record(2)]
    assert made(found)[2]["settings"] == {"names": ["a", "b"], "columns": [[1, None, None], [2, 3, None]]}
    assert made([record()])[2]["settings"] is None


def test_a_reward_compares_where_what_it_is_made_of_does() -> None:
    reward = "top1_pct*(train_images_per_s/1)^0.07"
    document = study_document(head(recipe(objectives=(reward, "flops"))), [])
    key = document["objectives"][0]["key"]
    assert key in document["timed"]
    assert key in document["trained"]
    assert "flops" not in document["timed"]
