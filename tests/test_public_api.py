"""The Python interface that the README documents, as a stranger would use it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

import nas
from nas.metric import METRICS
from tests.conftest import make_recipe

OLD = Path(__file__).parent / "data" / "records-schema-1.jsonl"
HEAVY = ("torch", "torchvision", "optuna", "pandas", "plotly", "numpy", "fvcore", "sklearn", "typer")


def in_new_process(program: str, folder: Path) -> str:
    root = str(Path(nas.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_architectures_by_name_file_and_notation(tmp_path: Path) -> None:
    a = nas.load_architecture("efficientnetv2-s")
    path = tmp_path / "mine.yaml"
    path.write_text(nas.dump_architecture(a))
    assert nas.load_architecture(str(path)) == nas.load_architecture(str(a)) == nas.parse(str(a)) == a


def test_cost_is_three_ints_for_one_image() -> None:
    a = nas.load_architecture("efficientnetv2-s")
    assert (nas.cost(a).params, nas.cost(a).flops, nas.cost(a).activations) == (21_458_488, 8_365_617_152, 35_766_624)


def test_build_gives_a_module_from_images_to_logits() -> None:
    net = nas.build(nas.parse("r33 s8 f1k3s2c20n2se0.25 m4k5s2c12n2 h24 y10"))
    assert isinstance(net, torch.nn.Module)
    assert net.training
    assert net(torch.zeros(2, 3, 33, 33)).shape == (2, 10)
    assert net.eval()(torch.zeros(1, 3, 70, 50)).shape == (1, 10), "fully convolutional"


def test_build_is_pure_and_follows_torchs_seed() -> None:
    arch = nas.parse("r33 s8 m4k5s2c12n2se0.25 h24")
    nets = []
    for _ in range(2):
        torch.manual_seed(3)
        nets.append(nas.build(arch))
    for one, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert torch.equal(one, other)
        assert one is not other


def test_spaces_have_a_size_and_members() -> None:
    space = nas.load_space("efficientnetv2")
    assert isinstance(space, nas.SearchSpace)
    assert type(space.size) is int
    member = space.sample(seed=0)
    assert isinstance(member, nas.Architecture)
    assert member in space
    assert space.sample(seed=0) == member != space.sample(seed=1)


def test_records_of_an_old_export_are_a_data_frame() -> None:
    table = nas.load_records(str(OLD))
    assert isinstance(table, pd.DataFrame)
    assert len(table) == 6
    assert set(METRICS) <= set(table.columns)
    assert {"study", "trial", "state", "arch", "id", "baseline"} <= set(table.columns)
    assert table["trial"].tolist()[:5] == [0, 1, 2, 3, 4]
    assert table["trial"].isna().tolist() == [False] * 5 + [True]
    assert table.loc[0, "top1_pct"] == 61.5
    assert table["top1_pct"].isna().tolist() == [False, False, True, True, False, True]
    assert table["flops"].notna().all()


def test_records_of_another_study_are_not_among_them() -> None:
    assert len(nas.load_records(str(OLD), study="old")) == 6
    assert len(nas.load_records(str(OLD), study="other")) == 0


def test_records_of_a_storage_are_a_data_frame(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'nas.db'}"
    recipe = make_recipe(name="one")
    space = nas.load_space(recipe.space)
    store(url, recipe, space)
    table = nas.load_records(url, study="one")
    assert isinstance(table, pd.DataFrame)
    assert set(METRICS) <= set(table.columns)
    assert table["study"].tolist() == ["one"]
    assert nas.load_records(url).equals(table), "the only study need not be named"
    with pytest.raises(nas.NasError, match="two"):
        nas.load_records(url, study="two")


def store(url: str, recipe: object, space: nas.SearchSpace) -> None:
    from nas.study.driver import driver_storage
    from nas.study.lifecycle import open_or_create
    from nas.study.storage import open_storage

    opened = open_or_create(open_storage(url, create=True), recipe, space, "cpu", "nas search", {})  # type: ignore[arg-type]
    trial = opened.study.ask()
    space.suggest(trial)
    driver_storage(opened.study).commit()


@pytest.mark.parametrize("source", ["sqlite:///nowhere/nas.db", "nowhere.jsonl", "nonsense://x", "sqlite:///nas.db"])
def test_records_that_are_not_there_are_one_clear_line(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(nas.NasError) as caught:
        nas.load_records(source)
    assert str(caught.value).isprintable()
    assert list(tmp_path.iterdir()) == [], "reading creates nothing"


def test_importing_loads_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys, nas, nas.space, nas.cost, nas.metric, nas.recipe, nas.record\n"
        "a = nas.load_architecture('efficientnetv2-s'); nas.cost(a); nas.load_space('efficientnetv2').sample(0)\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    assert in_new_process(program, tmp_path) == "[]"


def test_everything_public_is_there(tmp_path: Path) -> None:
    program = "import nas\nfor name in nas.__all__: getattr(nas, name)\nprint(nas.__version__)"
    assert in_new_process(program, tmp_path) == nas.__version__
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = nas.nonsense
