from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

import nas
from nas.record import SCHEMA, Reading, Record, RecordError, read_records, write_records

OLD = Path(__file__).parent / "data" / "records-schema-1.jsonl"
FULL = Record(
    study="s",
    trial=3,
    state="complete",
    arch="r32 s8 m1k3s1c8n1 h16",
    id="0123456789",
    readings={"flops": Reading(7, 0.0, 2, {"tool": "fvcore"}, {"by_operator": {"conv": 7}}), "params": Reading(5)},
    baseline="b",
    settings={"stage1.kernel": 3},
    excess={"flops<=8": -0.125},
    reused=1,
    retry_of=2,
    reason="none",
    seed=4,
    started="2026-03-01T10:00:00+00:00",
    seconds=1.5,
    environment={"torch": "2.10.0"},
)
BARE = Record(study="s", trial=None, state="running", arch="", id="")


def test_records_read_back(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    write_records(path, [FULL, BARE])
    assert list(read_records(path)) == [FULL, BARE]
    assert len(path.read_text().splitlines()) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["records.jsonl"]


def test_every_field_of_the_full_record_differs_from_its_default() -> None:
    for spec in dataclasses.fields(Record):
        assert getattr(FULL, spec.name) != getattr(BARE, spec.name) or spec.name == "study"


def test_what_was_not_measured_is_none_and_not_zero() -> None:
    assert FULL.value("flops") == 7
    assert FULL.value("top1_pct") is None
    assert FULL.values == {"flops": 7, "params": 5}
    assert FULL.readings["params"].spread is None


def test_an_export_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    write_records(path, [FULL])
    before = path.read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_records(path, [FULL, dataclasses.replace(FULL, readings={"flops": Reading(math.nan)})])
    assert path.read_bytes() == before


def test_the_schema_is_written() -> None:
    assert FULL.to_json()["schema"] == SCHEMA == 1


def test_the_old_export_stays_readable() -> None:
    records = list(read_records(OLD))
    assert [record.state for record in records] == [
        "complete", "complete", "infeasible", "failed", "complete", "complete",
    ]  # fmt: skip
    first = records[0]
    assert (first.study, first.trial, first.baseline, first.seconds) == ("old", 0, "efficientnet-b0", 12.5)
    assert first.value("train_images_per_s") == 101.25
    assert first.readings["top1_pct"] == Reading(
        61.5, 0.8, 3, {"data": "fractals", "epochs": 4, "seed": 0}, {"repeats": [61.1, 61.5, 61.9]}
    )
    assert records[3].reason == "out of memory at batch 8, at 4 too"
    assert (records[4].reused, records[5].trial) == (1, None)


def test_the_old_export_still_means_the_same_networks() -> None:
    for record in read_records(OLD):
        arch = nas.parse(record.arch)
        assert arch.id == record.id
        spent = nas.cost(arch)
        for key in ("params", "flops", "activations"):
            assert record.value(key) == getattr(spent, key)
        if record.settings:
            assert nas.load_space("efficientnet").decode(record.settings) == arch


def test_an_unknown_field_of_the_same_schema_is_passed_over() -> None:
    assert Record.from_json({**FULL.to_json(), "colour": "green"}) == FULL


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema": 2}, "record of schema 2; this version reads schema 1"),
        ({"schema": None}, "record of schema None"),
        ({"study": None}, "lacks a field"),
        ({"readings": None}, "lacks a field"),
        ({"readings": [3]}, "lacks a field"),
        ({"readings": {"flops": 3}}, "lacks a field"),
        ({"readings": {"flops": {}}}, "lacks a field"),
        ({"readings": {"flops": {"value": "7"}}}, "reading: expected a number; got '7'"),
        ({"readings": {"flops": {"value": None}}}, "reading: expected a number; got None"),
        ({"readings": {"flops": {"value": 7, "spread": "1"}}}, "spread: expected a number; got '1'"),
        ({"readings": {"flops": {"value": 10**400}}}, "reading: no number so large: 1000"),
        ({"readings": {"flops": {"value": 7, "detail": []}}}, "reading: detail: expected names and values; got"),
        ({"excess": {"flops<=1G": "much"}}, "record: excess of flops<=1G: expected a number; got 'much'"),
        ({"excess": ["flops"]}, "record: excess: expected Mapping; got"),
        ({"reason": 7}, "record: reason: expected str; got 7"),
        ({"seconds": "7"}, "record: seconds: expected int"),
        ({"state": "done"}, "unknown state 'done'"),
        ({"trial": "3"}, "trial: expected int | None; got '3'"),
        ({"arch": 3}, "arch: expected str; got 3"),
    ],
)
def test_a_record_that_is_none_is_named_by_file_and_line(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    document = {key: value for key, value in {**FULL.to_json(), **change}.items() if value is not None}
    path = tmp_path / "records.jsonl"
    path.write_text(json.dumps(FULL.to_json()) + "\n\n" + json.dumps(document) + "\n")
    with pytest.raises(RecordError) as caught:
        list(read_records(path))
    assert str(caught.value).startswith(f"{path}:3: ")
    assert says in str(caught.value)


@pytest.mark.parametrize("line", ["{", "[1]", "3", "null", '"words"', "9" * 5000, "[" * 100_000])
def test_a_line_that_is_no_record_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(RecordError) as caught:
        list(read_records(path))
    assert str(caught.value).startswith(f"{path}:1: ")


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be read"):
        list(read_records(tmp_path / "none.jsonl"))
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecordError, match="cannot be read"):
        list(read_records(tmp_path / "binary.jsonl"))


def test_what_is_no_finite_number_is_no_reading() -> None:
    readings = {"flops": {"value": float("nan")}, "params": {"value": float("inf")}, "top1_pct": {"value": 50.0}}
    document = {"schema": 1, "study": "s", "trial": 0, "state": "complete", "arch": "", "id": "x", "readings": readings}
    assert Record.from_json(document).values == {"top1_pct": 50.0}


def test_half_a_character_in_a_name_is_refused() -> None:
    document = {"schema": 1, "study": "a\ud800", "trial": 0, "state": "failed", "arch": "", "id": "x", "readings": {}}
    with pytest.raises(RecordError, match="half of a character"):
        Record.from_json(document)
