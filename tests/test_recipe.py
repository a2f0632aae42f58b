from __future__ import annotations

from pathlib import Path

import pydantic
import pytest

from nas.errors import NasError
from nas.metric import parse_limit
from nas.recipe import MEASURED, MEASURING_ORDER, Recipe, load_recipe, parse_duration


def recipe(**changes: object) -> Recipe:
    return Recipe.model_validate({"name": "test", "space": "efficientnetv2", **changes})


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("10min", 600), ("1.5h", 5400), ("2d", 172_800), (" 7 ", 7)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-3s", "3 weeks", "1e3s", "1h30m"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(NasError, match="is not a duration"):
        parse_duration(text)


def test_a_recipe_is_frozen() -> None:
    with pytest.raises(pydantic.ValidationError):
        recipe().trials = 3  # type: ignore[misc]


def test_what_is_measured_is_what_is_asked_for_and_needed_cheapest_first() -> None:
    asked = recipe(
        measure=["top1_pct"],
        objectives=["flops", "top1_pct*(train_images_per_s/100)^0.07"],
        limits=["peak_memory_mib<=8000"],
    )
    assert asked.measured == ("train_images_per_s", "peak_memory_mib", "top1_pct")
    assert recipe(measure=[], objectives=["params"]).measured == ()


def test_every_measured_metric_has_its_place_in_the_order() -> None:
    assert set(MEASURING_ORDER) == set(MEASURED)


def test_limits_are_kept_in_one_way_of_writing() -> None:
    assert recipe(limits=["flops ≤ 4G"]).limits == recipe(limits=["flops<=4e9"]).limits == ("flops<=4000000000",)
    assert recipe(limits=["flops<=4G"]).parsed_limits == (parse_limit("flops<=4G"),)


def test_identity_is_all_but_the_budget_and_the_question() -> None:
    plain = recipe().identity()
    assert recipe(trials=99, timeout="1h", trial_timeout="1m", question="why?").identity() == plain
    for change in ({"seed": 1}, {"sampler": "nsga2"}, {"training": {"epochs": 9}}, {"timing": {"batch": 3}}):
        assert recipe(**change).identity() != plain


def test_overrides_lie_over_the_file_and_none_is_no_override() -> None:
    assert load_recipe("default-cpu", trials=3, seed=None).trials == 3
    assert load_recipe("default-cpu", seed=None) == load_recipe("default-cpu")


def test_a_bad_override_is_refused_like_a_bad_file() -> None:
    with pytest.raises(NasError, match="trials: expected greater than or equal to 1; got -1"):
        load_recipe("default-cpu", trials=-1)


def test_a_users_recipe_wins_over_a_shipped_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("default-cpu.yaml").write_text("name: mine\nspace: efficientnet\n")
    assert load_recipe("default-cpu").name == "mine"


def test_an_unknown_recipe_is_answered_with_the_nearest() -> None:
    with pytest.raises(NasError) as caught:
        load_recipe("default-cpus")
    assert str(caught.value) == "unknown study recipe 'default-cpus'"
    assert "default-cpu" in caught.value.hint
