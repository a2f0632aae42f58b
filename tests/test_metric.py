from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.metric import (
    METRICS,
    Limit,
    MetricError,
    Objective,
    metric,
    parse_limit,
    parse_number,
    parse_objective,
    si,
)

GOALS = {
    "params": "minimize",
    "flops": "minimize",
    "activations": "minimize",
    "top1_pct": "maximize",
    "train_seconds": "minimize",
    "train_images_per_s": "maximize",
    "infer_images_per_s": "maximize",
    "latency_ms": "minimize",
    "peak_memory_mib": "minimize",
    "rank_score": "maximize",
}


def test_every_metric_has_its_goal() -> None:
    assert {key: entry.goal for key, entry in METRICS.items()} == GOALS
    assert all(entry.key == key and entry.label and entry.meaning for key, entry in METRICS.items())
    assert all(entry.sign == (1 if entry.goal == "minimize" else -1) for entry in METRICS.values())


def test_the_score_is_never_called_an_accuracy() -> None:
    assert METRICS["rank_score"].kind == "score"
    assert METRICS["rank_score"].label == "rank score"


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("flops", 8_365_617_152, "8.37 G"),
        ("params", 21_458_488, "21.5 M"),
        ("top1_pct", 81.24, "81.2 %"),
        ("train_images_per_s", 1930.4, "1,930"),
        ("train_images_per_s", 7.126, "7.13"),
        ("latency_ms", 3.14159, "3.142"),
        ("latency_ms", 31.4159, "31.4"),
        ("top1_pct", None, "–"),
        ("top1_pct", math.nan, "–"),
        ("top1_pct", 0.0, "0.0 %"),
    ],
)
def test_numbers_as_people_read_them(key: str, value: float | None, text: str) -> None:
    assert metric(key).format(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (999.4, "999.4"), (1000, "1 k"), (999_499, "999 k"), (999_950, "1 M"), (2.5e12, "2.5 T")],
)
def test_si(value: float, text: str) -> None:
    assert si(value) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [("30M", 30e6), ("2.5G", 2.5e9), ("4e9", 4e9), ("4.4B", 4.4e9), ("1k", 1e3), (" 7 ", 7), ("1T", 1e12), (".5", 0.5)],
)
def test_sizes_as_people_write_them(text: str, value: float) -> None:
    assert parse_number(text) == value


@pytest.mark.parametrize("text", ["", "lots", "4 GB", "1,000", "0x10", "nan", "inf", "--3", "4GG"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(MetricError, match="is not a number"):
        parse_number(text)


def test_an_unknown_metric_is_answered_with_the_nearest() -> None:
    with pytest.raises(MetricError) as caught:
        metric("top1")
    assert (str(caught.value), caught.value.hint) == ("unknown metric 'top1'", "did you mean top1_pct?")


def test_a_metric_is_an_objective_with_its_own_goal() -> None:
    objective = parse_objective("flops")
    assert (objective.key, objective.goal, objective.is_metric) == ("flops", "minimize", True)
    assert objective.value({"flops": 7}) == 7


def test_reward_of_efficientnet() -> None:
    """ACC·(FLOPs/T)^w with w = -0.07: at the target it is the accuracy, at twice the FLOPs 2^-0.07 of it."""
    reward = parse_objective("top1_pct*(flops/400M)^-0.07")
    assert (reward.goal, reward.metrics) == ("maximize", ("top1_pct", "flops"))
    assert reward.value({"top1_pct": 76.3, "flops": 400e6}) == pytest.approx(76.3)
    assert reward.value({"top1_pct": 76.3, "flops": 800e6}) == pytest.approx(76.3 * 2**-0.07)


def test_reward_of_efficientnetv2() -> None:
    """A·S^w·P^v with w = -0.07 and v = -0.05; step time S is one over images per second."""
    reward = parse_objective("top1_pct * (train_images_per_s/1)^0.07 * (params/1M)^-0.05")
    expected = 80 * (1 / 500) ** -0.07 * 20**-0.05
    assert reward.value({"top1_pct": 80, "train_images_per_s": 500, "params": 20e6}) == pytest.approx(expected)


def test_an_objective_without_its_reading_has_no_value() -> None:
    reward = parse_objective("top1_pct*(flops/400M)^-0.07")
    assert reward.value({"top1_pct": 76.3}) is None
    assert reward.value({"top1_pct": 76.3, "flops": None}) is None
    assert reward.value({"top1_pct": 76.3, "flops": 0}) is None


finite = st.floats(1e-12, 1e18, allow_subnormal=False)


@given(st.lists(st.tuples(st.sampled_from(list(METRICS)), finite, st.floats(-3, 3)), min_size=1, max_size=3))
def test_an_objective_reads_back(factors: list[tuple[str, float, float]]) -> None:
    objective = Objective(tuple((key, reference, round(power, 6)) for key, reference, power in factors))
    assert parse_objective(objective.key) == objective
    assert parse_objective(str(objective)).key == objective.key


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "cannot read ''"),
        ("top1", "unknown metric 'top1'"),
        ("top1_pct**2", "cannot read ''"),
        ("top1_pct flops", "cannot read 'top1_pct flops'"),
        ("top1_pct*(flops/lots)^-0.07", "'lots' is not a number"),
        ("top1_pct*(flops/0)^-0.07", "the reference of flops must be above 0; got 0"),
        ("top1_pct*(flops/-4)^-0.07", "must be above 0; got -4"),
        ("top1_pct*(flops/4)^1.2.3", "'1.2.3' is not an exponent"),
        ("top1_pct+flops", "cannot read 'top1_pct+flops'"),
    ],
)
def test_what_is_no_objective(text: str, says: str) -> None:
    with pytest.raises(MetricError) as caught:
        parse_objective(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("flops<=4e9", Limit("flops", "<=", 4e9)),
        (" params ≤ 30M ", Limit("params", "<=", 30e6)),
        ("train_images_per_s>=1000", Limit("train_images_per_s", ">=", 1000)),
        ("top1_pct≥70.5", Limit("top1_pct", ">=", 70.5)),
    ],
)
def test_limits(text: str, limit: Limit) -> None:
    assert parse_limit(text) == limit
    assert parse_limit(str(limit)) == limit


@given(st.sampled_from(list(METRICS)), st.sampled_from(["<=", ">="]), st.floats(-1e300, 1e300))
def test_a_limit_reads_back(key: str, relation: str, bound: float) -> None:
    limit = Limit(key, relation, bound)  # type: ignore[arg-type]
    assert parse_limit(str(limit)) == limit


def test_excess_is_relative_and_at_most_0_where_the_limit_is_met() -> None:
    flops, speed = parse_limit("flops<=4G"), parse_limit("train_images_per_s>=100")
    assert flops.excess(6e9) == 0.5
    assert flops.excess(4e9) == 0
    assert flops.excess(2e9) == -0.5
    assert speed.excess(50) == 0.5
    assert speed.excess(200) < 0
    assert Limit("top1_pct", "<=", 0).excess(3) == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("flops", "does not parse"),
        ("flops<4e9", "does not parse"),
        ("flops=4e9", "does not parse"),
        ("<=4e9", "does not parse"),
        ("flops<=", "does not parse"),
        ("flpos<=4e9", "unknown metric 'flpos'"),
        ("flops<=lots", "'lots' is not a number"),
        ("flops<=1e400", "must be finite"),
        ("flops<=4e9<=5e9", "is not a number"),
    ],
)
def test_what_is_no_limit(text: str, says: str) -> None:
    with pytest.raises(MetricError) as caught:
        parse_limit(text)
    assert says in str(caught.value)
