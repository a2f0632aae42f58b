from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest

import nas
from nas.errors import NasError
from nas.resources import find
from nas.space import SpaceError
from nas.space_file import baselines, dump_architecture, load_architecture, load_space, parse_space

OPEN: dict[str, Any] = {
    "resolution": {"from": 32, "to": 64, "by": 16},
    "stem": 8,
    "stages": [
        {"op": ["mbconv", "fused_mbconv"], "kernel": [3, 5], "stride": 1, "channels": 8, "layers": 1, "expand": [1, 4],
         "se": {"mbconv": 0.25, "fused_mbconv": 0}},
        {"op": "mbconv", "kernel": 3, "stride": 1, "channels": [16, 24], "layers": {"from": 0, "to": 2}},
    ],
    "head": 32,
}  # fmt: skip
SETTINGS: dict[str, Any] = {
    "resolution": 48,
    "stage1.op": "fused_mbconv",
    "stage1.kernel": 5,
    "stage1.expand": 4,
    "stage2.channels": 24,
    "stage2.layers": 2,
}


@pytest.fixture
def space() -> nas.SearchSpace:
    return parse_space(OPEN, "open")


def test_open_cells_are_named_in_the_order_of_the_table(space: nas.SearchSpace) -> None:
    assert list(space.cells) == list(SETTINGS)
    assert space.size == 3 * 2 * 2 * 2 * 2 * 3


def test_settings_decode_to_a_network_and_se_follows_the_op(space: nas.SearchSpace) -> None:
    assert str(space.decode(SETTINGS)) == "r48 s8 f4k5s1c8n1 m1k3s1c24n2 h32"
    assert str(space.decode({**SETTINGS, "stage1.op": "mbconv"})) == "r48 s8 m4k5s1c8n1se0.25 m1k3s1c24n2 h32"


def test_a_stage_of_no_layers_is_absent(space: nas.SearchSpace) -> None:
    arch = space.decode({**SETTINGS, "stage2.layers": 0})
    assert str(arch) == "r48 s8 f4k5s1c8n1 h32"
    assert arch in space
    assert space.encode(arch)["stage2.layers"] == 0


def test_stages_are_laid_over_rows_that_may_stay_empty() -> None:
    row = {"op": "mbconv", "kernel": 3, "stride": 1, "channels": 8, "layers": {"from": 0, "to": 2}}
    rows = [{**row, "kernel": kernel} for kernel in (3, 5, 3)]
    space = parse_space({**OPEN, "stages": [*rows, {**row, "layers": 1, "channels": 16}]}, "rows")
    arch = nas.parse("r32 s8 m1k5s1c8n2 m1k3s1c8n1 m1k3s1c16n1 h32")
    assert [space.encode(arch)[f"stage{n}.layers"] for n in (1, 2, 3)] == [0, 2, 1]


def test_an_optuna_trial_chooses_a_member(space: nas.SearchSpace) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(10):
        trial = study.ask()
        arch = space.suggest(trial)
        assert arch == space.decode(trial.params)
        assert list(trial.params) == list(space.cells)


def test_a_draw_reaches_every_option(space: nas.SearchSpace) -> None:
    drawn = [space.encode(arch) for arch in space.samples(300, seed=0)]
    for name, cell in space.cells.items():
        assert {settings[name] for settings in drawn} == set(cell.values)


def test_extreme_is_the_least_and_the_most_of_all_members(space: nas.SearchSpace) -> None:
    everything = list(space.samples(2000, seed=0))
    for key in ("params", "flops", "activations"):
        counts = [getattr(nas.cost(arch), key) for arch in everything]
        assert getattr(nas.cost(space.extreme(key)), key) == min(counts)
        assert getattr(nas.cost(space.extreme(key, largest=True)), key) == max(counts)


def test_rank_score_rises_with_params_and_depth(space: nas.SearchSpace) -> None:
    scores = [space.rank_score(space.extreme("params", largest)) for largest in (False, True)]
    assert 0 <= scores[0] < 0.2 < 0.8 < scores[1] <= 1
    assert scores[0] == space.rank_score(space.extreme("params")), "a fixed reference sample"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"stage1.kernel": 7}, "stage1.kernel: expected 3 | 5; got 7"),
        ({"stage1.kernel": None}, "no setting for the open cell 'stage1.kernel'"),
        ({"stage1.kernal": 3}, "no open cell 'stage1.kernal'"),
        ({"resolution": 40}, "resolution: expected 32…64 by 16; got 40"),
    ],
)
def test_settings_of_no_member_are_refused(space: nas.SearchSpace, change: Mapping[str, Any], says: str) -> None:
    settings = {key: value for key, value in {**SETTINGS, **change}.items() if value is not None}
    with pytest.raises(SpaceError) as caught:
        space.decode(settings)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("stranger", "says"),
    [
        ("r40 s8 f4k5s1c8n1 m1k3s1c24n2 h32", "resolution is 40"),
        ("r48 s8 f4k7s1c8n1 m1k3s1c24n2 h32", "stage1.kernel is 7"),
        ("r48 s8 f4k5s1c8n1se0.25 m1k3s1c24n2 h32", "stage1.se is 0.25"),
        ("r48 s8 f4k5s1c8n1 m1k3s1c24n3 h32", "stage2.layers is 3"),
        ("r48 s8 f4k5s1c8n1 m1k3s1c24n2 m1k3s1c24n2 h32", "1 stages more than the space has"),
        ("r48 s8 f4k5s1c8n1 m1k3s1c24n2 h32 relu", "activation is relu"),
        ("r48 s8 f4k5s1c8n1 m1k3s1c24n2 h32 y10", "classes is 10"),
    ],
)
def test_a_stranger_is_refused_by_its_first_odd_cell(space: nas.SearchSpace, stranger: str, says: str) -> None:
    assert nas.parse(stranger) not in space
    with pytest.raises(SpaceError) as caught:
        space.encode(nas.parse(stranger))
    assert says in str(caught.value)


def test_hash_does_not_depend_on_the_order_of_keys(space: nas.SearchSpace) -> None:
    turned = copy.deepcopy(OPEN)
    turned["stages"] = [dict(reversed(row.items())) for row in turned["stages"]]
    assert parse_space(dict(reversed(turned.items())), "turned").hash == space.hash
    turned["stages"][0]["kernel"] = [5, 3]
    assert parse_space(turned, "turned").hash != space.hash


def test_a_users_file_wins_over_a_shipped_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_architecture("efficientnet-b0").resolution == 224
    mine = nas.parse("r32 s8 m1k3s1c8n1 h16")
    Path("efficientnet-b0.yaml").write_text(dump_architecture(mine))
    assert load_architecture("efficientnet-b0") == load_architecture("efficientnet-b0.yaml") == mine


def test_a_file_in_a_folder_with_a_space_is_no_notation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "my nets"
    folder.mkdir()
    mine = nas.parse("r32 s8 m1k3s1c8n1 h16")
    (folder / "one.yaml").write_text(dump_architecture(mine))
    (folder / "two").write_text(dump_architecture(mine))
    assert load_architecture(str(folder / "one.yaml")) == mine
    monkeypatch.chdir(tmp_path)
    assert load_architecture("my nets/two") == mine
    with pytest.raises(NasError, match="no such file"):
        load_architecture("my nets/three.yaml")


def test_notation_is_a_reference_too_however_it_is_spaced() -> None:
    assert load_architecture(" r32 s8\tm1k3s1c8n1\nh16 ") == nas.parse("r32 s8 m1k3s1c8n1 h16")
    long = "r512 s8 " + " ".join(["m6k5s1c48n4se0.25"] * 60) + " h16"
    assert len(load_architecture(long).stages) == 60


def test_dump_looks_like_the_shipped_tables() -> None:
    text = dump_architecture(load_architecture("efficientnet-b0"), "mine", "a search")
    assert text.startswith("# a search\nname: mine\nresolution: 224\nstem: 32\nstages:\n")
    assert "  - {op: mbconv, kernel: 3, stride: 2, channels: 24, layers: 2, expand: 6, se: 0.25}\n" in text
    assert text.endswith("head: 1280\nnorm_eps: 1.0e-05\n")


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("efficientnetv3", "efficientnetv2"),
        ("EfficientNetV2-S", "efficientnetv2-s"),
        ("x" * 300, "known: "),
        ("a\0b", "known: "),
        ("", "known: "),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(reference: str, hint: str) -> None:
    for load in (load_architecture, load_space):
        with pytest.raises(NasError) as caught:
            load(reference)
        assert str(caught.value).startswith("unknown ")
        assert str(caught.value).isprintable()
    with pytest.raises(NasError) as caught:
        load_architecture(reference)
    assert hint in caught.value.hint


def test_a_missing_file_is_named() -> None:
    with pytest.raises(NasError, match=r"nowhere/x\.yaml: no such file"):
        find("nowhere/x.yaml", "search_spaces", "space")


def test_the_families_that_the_papers_compare_ship() -> None:
    families = {name.rstrip("0123456789").rstrip("-") for name in baselines()}
    assert {"mobilenetv", "resnet", "se-resnet", "resnext", "efficientnet-b", "efficientnetv2-b"} <= families
    assert len(baselines()) == 27
