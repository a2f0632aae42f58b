"""What every shipped search space and network keeps."""

from __future__ import annotations

import json

import pytest
import torch

import nas
from nas.recipe import Recipe
from nas.resources import names
from nas.scaling import scale
from nas.space import DESCRIPTION, SpaceError
from nas.space_file import baselines, dump_architecture, load_space, parse_space
from nas.study.grid_space import parse_any_space
from nas.study.training_space import with_training

SPACES = names("search_spaces")


def test_the_three_spaces_ship() -> None:
    assert {"efficientnet", "efficientnetv2", "efficientnetv2-wide"} <= set(SPACES)


@pytest.mark.parametrize("name", SPACES)
def test_space_round_trips_through_its_document(name: str) -> None:
    space = load_space(name)
    document = json.loads(json.dumps(space.to_document()))  # as a study stores it
    again = parse_space(document, "stored")
    assert again == space
    assert again.hash == space.hash


@pytest.mark.parametrize("name", SPACES)
def test_hash_follows_the_cells_and_not_the_description(name: str) -> None:
    space = load_space(name)
    document = space.to_document()
    described = {**document, **dict.fromkeys(DESCRIPTION[:2], "other"), "published": []}
    assert parse_space(described, "described").hash == space.hash
    assert parse_space({**document, "head": 999}, "changed").hash != space.hash


@pytest.mark.parametrize("name", SPACES)
def test_space_holds_the_networks_it_was_made_around(name: str) -> None:
    space = load_space(name)
    assert space.published
    for member in space.published:
        arch = nas.load_architecture(member)
        assert arch in space
        assert space.decode(space.encode(arch)) == arch


@pytest.mark.parametrize("name", SPACES)
def test_size_is_the_product_of_the_options(name: str) -> None:
    space = load_space(name)
    product = 1
    for cell in space.cells.values():
        product *= len(cell.values)
    assert space.size == product > 1_000_000


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("key", ["params", "flops"])
def test_extremes_bound_every_member_drawn(name: str, key: str) -> None:
    space = load_space(name)
    low, high = (getattr(nas.cost(space.extreme(key, largest)), key) for largest in (False, True))
    drawn = [getattr(nas.cost(arch), key) for arch in space.samples(200, seed=1)]
    assert low <= min(drawn) < max(drawn) <= high


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("largest", [False, True], ids=["smallest", "largest"])
def test_extremes_run(name: str, largest: bool) -> None:
    arch = load_space(name).extreme("flops", largest)
    small = scale(arch, width=0.1, resolution=32 / arch.resolution)
    net = nas.build(small).eval()
    with torch.inference_mode():
        assert net(torch.zeros(1, 3, 32, 32)).shape == (1, 1000)


@pytest.mark.parametrize("name", SPACES)
def test_the_same_seed_draws_the_same_members(name: str) -> None:
    space = load_space(name)
    assert list(space.samples(5, seed=3)) == list(load_space(name).samples(5, seed=3))
    assert space.sample(seed=0) == space.sample(0) == next(space.samples(1, seed=0))
    assert len(set(space.samples(50, seed=0))) > 40


@pytest.mark.parametrize("name", baselines())
def test_shipped_network_is_a_closed_table(name: str) -> None:
    assert name not in SPACES, "a network and a space of one name could not be told apart"
    arch = nas.load_architecture(name)
    again = parse_space(yaml_of(dump_architecture(arch, name)), name)
    assert (again.cells, again.size, again.name, again.sample()) == ({}, 1, name, arch)
    assert again.norm_eps == arch.norm_eps


@pytest.mark.parametrize("name", SPACES)
def test_a_space_is_no_network(name: str) -> None:
    with pytest.raises(nas.NasError, match=name):
        nas.load_architecture(name)


def test_a_stranger_is_refused_by_the_cell_that_cannot_hold_it() -> None:
    stranger = nas.load_architecture("efficientnet-b1")
    space = load_space("efficientnet")
    assert stranger not in space
    with pytest.raises(SpaceError, match="resolution is 240; the space has 224"):
        space.encode(stranger)


SCHEDULES = {
    "name": "schedules",
    "space": "any",
    "training": {"epochs": 2, "progressive": {"stages": [1, 2], "resolution": {"from": 16, "to": 32, "by": 8}}},
}


@pytest.mark.parametrize("name", [*SPACES, "efficientnet-b0"])
def test_a_space_of_trainings_keeps_what_its_networks_do(name: str) -> None:
    networks = load_space(name)
    space = with_training(networks, Recipe.model_validate(SCHEDULES))
    document = json.loads(json.dumps(space.to_document()))
    again = parse_any_space(document, "stored")
    assert (again, again.hash, again.name) == (space, space.hash, networks.name)
    assert space.hash != networks.hash
    assert space.size == 6 * networks.size
    for arch in space.samples(20, seed=1):
        assert arch in space
        assert space.decode(space.encode(arch)) == arch
        assert str(arch) == str(nas.parse(str(arch)))
        assert nas.parse(str(arch)) not in space
    for largest in (False, True):
        assert nas.cost(space.extreme("flops", largest)) == nas.cost(networks.extreme("flops", largest))
        assert space.extreme("flops", largest) in space
    assert space.named("smallest") == networks.named("smallest")
    assert (space.total_stride, space.smallest_side) == (networks.total_stride, networks.smallest_side)


def yaml_of(text: str) -> dict[str, object]:
    import yaml

    document: dict[str, object] = yaml.safe_load(text)
    return document
