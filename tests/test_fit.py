"""A power law is found where there is one, with an honest interval; the advice follows what predicts time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from nas.arch import Architecture, parse
from nas.cost import cost
from nas.fit import LEAST, Family, FitError, Response, advise, family, power_law, read_measured
from nas.metric import COMPUTED
from nas.record import Reading, Record, write_records
from nas.scaling import scale

BASE = parse("r64 s16 m1k3s1c16n1 m4k3s2c24n2 m4k3s2c40n2 h128 y10")


def _networks(count: int) -> list[Architecture]:
    """Of many widths and few resolutions, so that FLOPs and activations do not go together."""
    return [scale(BASE, width=1 + 0.25 * (n % 5), resolution=(1, 1.5, 2)[n % 3], depth=1 + n % 2) for n in range(count)]


def _record(arch: Architecture, ips: float, top1: float | None = None, **conditions: object) -> Record:
    condition = {"device": "a cpu", "precision": "fp32", "batch": 8, "resolution": arch.resolution, **conditions}
    readings = {"train_images_per_s": Reading(ips, conditions=condition)}
    if top1 is not None:
        readings["top1_pct"] = Reading(top1, conditions={"data": "fractals", "epochs": 2})
    return Record("s", None, "complete", str(arch), arch.id, readings)


def _timed(key: str, count: int = 12, noise: float = 0.02) -> list[Record]:
    """Records of networks whose time is exactly proportional to `key`, but for some noise."""
    shaken = np.random.default_rng(1).normal(0, noise, count)
    return [
        _record(arch, 1e8 / getattr(cost(arch), key) * math.exp(error))
        for arch, error in zip(_networks(count), shaken, strict=True)
    ]


def test_an_exact_power_law_is_found_exactly() -> None:
    law = power_law([1, 2, 5, 10, 40], [3 * x**-0.5 for x in (1, 2, 5, 10, 40)])
    assert (law.exponent, law.coefficient, law.r2) == pytest.approx((-0.5, 3, 1))
    assert (law.low, law.high) == pytest.approx((-0.5, -0.5))


def test_the_slope_is_that_of_numpy() -> None:
    x, y = np.exp(np.random.default_rng(0).normal(size=(2, 30)))
    law = power_law(list(x), list(y))
    assert law.exponent == pytest.approx(np.polyfit(np.log(x), np.log(y), 1)[0])
    assert law.r2 == pytest.approx(np.corrcoef(np.log(x), np.log(y))[0, 1] ** 2)
    assert law.low < law.exponent < law.high
    assert power_law(list(x), list(y)) == law


@pytest.mark.parametrize("points", [LEAST, 25])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(points: int) -> None:
    """Of 400 worlds 95 % hold it: 380 ± 4.4. Fewer than 362 or more than 396 come by chance once in ten thousand."""
    random = np.random.default_rng(7)
    hits = 0
    for _ in range(400):
        x = np.exp(random.uniform(0, 3, points))
        law = power_law(list(x), list(x**0.7 * np.exp(random.normal(0, 0.3, points))))
        hits += law.low <= 0.7 <= law.high
    assert 362 <= hits <= 396


def test_a_constant_has_no_share_explained_and_tells_no_rule() -> None:
    law = power_law([1, 2, 5, 10, 40], [3.3] * 5)
    assert (law.exponent, law.low, law.high, law.r2) == (0, 0, 0, None)
    assert law.coefficient == pytest.approx(3.3)
    networks = _networks(12)
    time = family([_record(arch, 100) for arch in networks], "time")
    assert advise(time, NOTHING).rule is None
    assert "the same train time" in advise(time, NOTHING).reasons[0]
    records = [_record(arch, 1e8 / cost(arch).activations, top1=50) for arch in networks]
    advice = advise(family(records, "time"), family(records, "error"))
    assert advice.reasons[-1] == "Accuracy was not considered: every network has the same."


@pytest.mark.parametrize("top1", [-1, 100.5])
def test_an_accuracy_that_is_no_percentage_is_refused_with_its_file(top1: float, tmp_path: Path) -> None:
    write_records(tmp_path / "own.jsonl", [_record(BASE, 50, top1=top1)])
    with pytest.raises(FitError, match=rf"own.jsonl: r64 .*top1_pct: expected a number from 0 to 100; got {top1:g}"):
        read_measured(tmp_path / "own.jsonl")
    write_records(tmp_path / "own.jsonl", [_record(BASE, 50, top1=0), _record(BASE, 50, top1=100)])
    assert len(read_measured(tmp_path / "own.jsonl")) == 2


@pytest.mark.parametrize(
    ("xs", "ys", "words"),
    [
        ([1, 2], [1, 2], "at least 3 points"),
        ([1, 2, 3], [1, 2], "at least 3 points"),
        ([1, 2, 3], [1, 0, 2], "above 0"),
        ([1, 2, math.nan], [1, 1, 2], "finite"),
        ([2, 2, 2], [1, 2, 3], "the same cost"),
    ],
)
def test_points_without_a_law_are_refused(xs: Sequence[float], ys: Sequence[float], words: str) -> None:
    with pytest.raises(FitError, match=words):
        power_law(xs, ys)


def test_time_is_per_image_and_cost_is_of_the_network_as_it_was_timed() -> None:
    small = _record(BASE, 50, resolution=32)
    found = family([small], "time")
    assert found.values == (20.0,)
    assert found.costs["flops"] == (cost(parse(str(BASE).replace("r64", "r32"))).flops,)
    assert found.laws == {}


def test_accuracy_goes_with_the_proxy_that_was_trained() -> None:
    proxy = scale(BASE, width=0.5)
    reading = Reading(75.0, conditions={"data": "fractals"}, detail={"trained": str(proxy)})
    found = family([Record("s", None, "complete", str(BASE), BASE.id, {"top1_pct": reading})], "error")
    assert (found.values, found.costs["params"]) == ((25.0,), (cost(proxy).params,))


def test_a_network_counts_once_and_another_device_not_at_all() -> None:
    records = [_record(BASE, 50), _record(BASE, 40), _record(BASE, 45)]
    elsewhere = [_record(scale(BASE, depth=3), 1e4, device="a gpu")]
    found = family([*records, *elsewhere, _record(scale(BASE, depth=2), 20)], "time")
    assert (len(found.values), found.left_out) == (2, 1)
    assert found.values[0] == pytest.approx(1000 / 45)
    assert found.setting["device"] == "a cpu"


def test_one_network_run_at_two_sizes_is_two_points_and_not_their_mean() -> None:
    found = family([_record(BASE, 50), _record(BASE, 200, resolution=32), _record(BASE, 40)], "time")
    large, small = (cost(parse(str(BASE).replace("r64", f"r{side}"))).flops for side in (64, 32))
    assert dict(zip(found.costs["flops"], found.values, strict=True)) == {large: 22.5, small: 5.0}
    assert found.left_out == 0


@pytest.mark.parametrize(
    ("response", "key"),
    [("time", "batch"), ("time", "threads"), *(("error", key) for key in (
        "augment", "weight_decay", "warmup", "label_smoothing", "precision", "batch", "epochs", "train_images"))],
)  # fmt: skip
def test_readings_under_another_setting_are_left_out(response: Response, key: str) -> None:
    def one(arch: Architecture, value: object) -> Record:
        name = "train_images_per_s" if response == "time" else "top1_pct"
        reading = Reading(50.0, conditions={"data": "fractals", "resolution": arch.resolution, key: value})
        return Record("s", None, "complete", str(arch), arch.id, {name: reading})

    found = family([one(BASE, 1), one(scale(BASE, depth=2), 1), one(scale(BASE, depth=3), 2)], response)
    assert (len(found.values), found.left_out, found.setting[key]) == (2, 1, "1")


def test_a_foreign_network_brings_its_own_counts_at_their_resolution() -> None:
    counts = {key: Reading(value, conditions={"resolution": 224}) for key, value in
              (("params", 1e6), ("flops", 1e8), ("activations", 1e5))}  # fmt: skip
    record = _record(BASE, 50, resolution=224)
    at_224, at_128 = (
        Record("zoo", None, "complete", "torchvision:alexnet@224", "x", {**counts, **readings})
        for readings in (record.readings, _record(BASE, 50, resolution=128).readings)
    )
    assert family([at_224], "time").costs["flops"] == (1e8,)
    assert family([at_128], "time").values == ()


NOTHING = family([], "error")


@pytest.mark.parametrize(("driver", "rule"), [("activations", "fast"), ("flops", "compound")])
def test_the_rule_follows_what_drives_time(driver: str, rule: str) -> None:
    found = family(_timed(driver), "time")
    assert found.laws[driver].exponent == pytest.approx(1, abs=0.1)
    advice = advise(found, NOTHING)
    assert advice.rule == rule
    assert advice.reasons[-1].startswith("Accuracy was not considered: 0 of these networks have one")


def test_no_rule_where_the_two_are_not_told_apart() -> None:
    advice = advise(family(_timed("flops", noise=3.0), "time"), NOTHING)
    assert advice.rule is None
    assert any("not told apart" in reason for reason in advice.reasons)


def test_no_rule_of_networks_that_differ_in_nothing() -> None:
    same = Family("time", ("a",) * 6, dict.fromkeys(COMPUTED, (2.0,) * 6), (1.0, 2.0, 3.0, 2.0, 1.0, 2.0), {}, 0)
    assert advise(same, NOTHING).rule is None


def test_no_exponent_from_too_few_networks() -> None:
    advice = advise(family(_timed("flops", count=LEAST - 1), "time"), NOTHING)
    assert advice.rule is None
    assert f"at least {LEAST}" in advice.reasons[0]
    assert advise(NOTHING, NOTHING).rule is None


@pytest.mark.parametrize(
    ("flops", "activations", "rule"),
    [(-0.2, 0.0, "fast"), (-0.2, -0.2, "fast"), (-0.2, -0.6, "compound"), (0.2, 0.3, "compound")],
)
def test_accuracy_at_equal_time_decides(flops: float, activations: float, rule: str) -> None:
    """Time goes with FLOPs^0.4 · activations^0.8, so that by time alone it is fast. Along equal time, a step of 0.8 in
    log FLOPs and −0.4 in log activations changes log error by 0.8·a − 0.4·b: fast where that is below 0."""
    records = _both(flops, activations)
    time, error = family(records, "time"), family(records, "error")
    assert advise(time, NOTHING).rule == "fast"
    assert (0.8 * flops - 0.4 * activations < 0) == (rule == "fast")
    assert advise(time, error).rule == rule


def test_accuracy_that_tells_nothing_leaves_the_advice_to_time() -> None:
    records = _both(0.0, 0.0, noise=1.0)
    advice = advise(family(records, "time"), family(records, "error"))
    assert advice.rule == "fast"
    assert "does not tell the rules apart" in advice.reasons[-1]


def _both(flops: float, activations: float, noise: float = 0.01, count: int = 24) -> list[Record]:
    """Records whose time goes as FLOPs^0.4 · activations^0.8, and whose error as the powers given."""
    random = np.random.default_rng(3)
    records = []
    for arch in _networks(count):
        spent = cost(arch)
        seconds = spent.flops**0.4 * spent.activations**0.8 * math.exp(random.normal(0, 0.01))
        size = (spent.flops / 1e7) ** flops * (spent.activations / 1e5) ** activations
        records.append(_record(arch, 1e8 / seconds, 100 - 10 * size * math.exp(random.normal(0, noise))))
    return records
