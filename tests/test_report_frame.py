import math

import pandas as pd
import pytest

from nas.metric import METRICS
from nas.record import Reading, Record
from nas.report.frame import frame
from nas.report.noise import noise_floor, spreads

ARCH = "r64 s16 m1k3s1c16n1 h64"


def record(trial: int | None, readings: dict[str, Reading], baseline: str = "", **fields: object) -> Record:
    known = {"study": "s", "state": "complete", "arch": ARCH, "id": "x", **fields}
    return Record(trial=trial, readings=readings, baseline=baseline, **known)  # type: ignore[arg-type]


def repeated(value: float, spread: float) -> Reading:
    return Reading(value, spread, 3, detail={"repeats": [value - spread / 2, value, value + spread / 2]})


def test_one_row_a_trial_and_a_column_a_metric() -> None:
    table = frame(
        [
            record(None, {"flops": Reading(4_000_000_001)}, "b0"),
            record(3, {"top1_pct": Reading(61.5, 0.4)}, reused=1, seconds=2.5, started="2026-01-01T00:00:00Z"),
            record(4, {}, state="failed", reason="out of memory"),
        ]
    )
    assert list(table.columns[:6]) == ["study", "trial", "state", "baseline", "arch", "id"]
    assert {*METRICS, *(f"{key}_spread" for key in METRICS)} <= set(table.columns)
    assert table["trial"].dtype == "Int64"
    assert table["trial"].isna().tolist() == [True, False, False]
    assert table["flops"].iloc[0] == 4_000_000_001
    assert math.isnan(table["flops"].iloc[1])
    assert table["top1_pct_spread"].iloc[1] == 0.4
    assert table["reused"].iloc[1] == 1
    assert table["reason"].tolist() == ["", "", "out of memory"]
    assert all(table[key].dtype == "float64" for key in METRICS)


def test_no_records_still_have_their_columns() -> None:
    table = frame([])
    assert len(table) == 0
    assert table["top1_pct"].dtype == "float64"
    assert table["trial"].dtype == "Int64"
    assert isinstance(table, pd.DataFrame)


def test_the_floor_is_the_noise_of_the_baselines() -> None:
    floor = noise_floor(
        [
            record(0, {"top1_pct": repeated(60, 0.8), "train_images_per_s": repeated(200, 10)}, "a"),
            record(1, {"top1_pct": repeated(50, 1.0), "flops": Reading(1e9)}, "b"),
            record(2, {"top1_pct": Reading(50, 9.0)}),  # no baseline
            record(3, {"top1_pct": repeated(50, 9.0)}, "c", state="failed"),
            record(4, {"train_images_per_s": Reading(200, 90, 30)}, "d"),  # one run: 30 steps, no repeats
        ]
    )
    assert floor == {"top1_pct": 1.0, "train_images_per_s": 0.05}


def test_a_single_run_is_trusted_no_more_than_the_floor() -> None:
    floor = {"top1_pct": 1.0, "train_images_per_s": 0.05}
    once = record(2, {"top1_pct": Reading(30), "train_images_per_s": Reading(100, 2), "flops": Reading(1e9)})
    assert spreads(once, floor) == {"top1_pct": 1.0, "train_images_per_s": pytest.approx(5)}
    assert spreads(record(3, {"train_images_per_s": Reading(100, 9)}), floor) == {"train_images_per_s": 9}
    assert spreads(once, {}) == {"train_images_per_s": 2}
