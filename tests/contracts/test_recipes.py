"""What every shipped study recipe keeps."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import nas
from nas.grid import grid
from nas.recipe import MEASURED, Recipe, load_recipe
from nas.resources import names
from nas.scaling import scale
from nas.space_file import load_space
from nas.study.grid_space import GridSpace
from nas.study.lifecycle import check_limits, resolve, resolve_baselines
from nas.study.training_space import with_training
from nas.study.worker import evaluate
from nas.training import proxy

RECIPES = names("studies")
GRIDS = [name for name in RECIPES if load_recipe(name).grid]
SEARCHES = [name for name in RECIPES if name not in GRIDS]


def test_a_default_ships_for_each_kind_of_device() -> None:
    assert {"default-cpu", "default-gpu"} <= set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_says_what_it_asks_and_is_called_what_its_file_is(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.question.endswith("?")


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_round_trips_as_a_study_stores_it(name: str) -> None:
    recipe = load_recipe(name)
    stored = recipe.model_dump_json()
    assert Recipe.model_validate_json(stored) == recipe


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("space_name", names("search_spaces"))
def test_recipe_resolves_over_every_space(name: str, space_name: str) -> None:
    written = load_recipe(name, space=space_name)
    space = with_training(load_space(space_name), written)
    recipe = resolve(written, space)
    assert "published" not in recipe.baselines
    assert recipe.budget is None
    assert resolve(recipe, space) == recipe, "what is resolved stays so"
    networks = resolve_baselines(recipe, space)
    assert set(space.published) <= set(networks)
    check_limits(space, recipe.parsed_limits)
    yardstick = nas.cost(nas.load_architecture(space.published[0]))
    assert all(limit.excess(getattr(yardstick, limit.key)) <= 0 for limit in recipe.parsed_limits)


@pytest.mark.parametrize("name", GRIDS)
def test_grid_recipe_measures_twenty_networks_as_they_are(name: str) -> None:
    """Trained and timed at their own width, resolution and classes; with the base, the paper's triple and two seeds."""
    recipe = load_recipe(name)
    assert recipe.grid
    found = grid(
        nas.load_architecture(recipe.grid.base),
        target=recipe.grid.target,
        step=recipe.grid.step,
        tolerance=recipe.grid.tolerance,
        constraint=recipe.grid.constraint,
        low=recipe.grid.range[0],
        high=recipe.grid.range[1],
        pixels=recipe.grid.pixels,
    )
    space = GridSpace.of(found, "grid")
    assert len(found.members) >= 20
    assert set(space.marked.values()) == {(1.0, 1.0, 1.0), (1.2, 1.1, 1.15)}
    assert recipe.repeats >= 2
    assert recipe.timing.resolution_scale == 1
    for arch in space.samples(space.size):
        assert proxy(arch, recipe.training, arch.classes) == arch
    assert f"fractals:{found.base.classes}x" in recipe.training.data


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Threads of several test runs on few cores wait for each other longer than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_runs_one_trial_at_32_px(name: str, one_thread: None) -> None:
    """Every metric of the recipe, on a CPU: sizes shrunk, the digits in place of the recipe's images."""
    recipe = load_recipe(name)
    member = nas.load_architecture(recipe.grid.base) if recipe.grid else load_space(recipe.space).extreme("flops")
    shrunk = dataclasses.replace(scale(member, width=0.1), resolution=32)
    timing = {"batch": 2, "time_cap": 1.0, "tolerance": 0.5, "precision": "fp32", "resolution_scale": 1.0}
    training = {"data": "digits", "resolution": 32, "epochs": 1, "width": 1.0, "precision": "fp32"}
    settings: dict[str, Any] = {
        "measure": list(recipe.measured),
        "timing": {**recipe.timing.model_dump(mode="json"), **timing},
        "training": {**recipe.training.model_dump(mode="json"), **training},
        "device": "cpu",
    }
    readings = evaluate(str(shrunk), settings, 0)
    assert readings["flops"]["value"] == nas.cost(shrunk).flops
    assert set(recipe.measured) <= set(MEASURED)
    assert set(recipe.measured) <= set(readings)
    for key in recipe.measured:
        assert readings[key]["value"] > 0
        assert readings[key]["conditions"]["device"]
    assert readings["top1_pct"]["value"] <= 100
