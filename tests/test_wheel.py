"""The wheel holds everything: from an empty folder, away from the checkout, spaces, recipes and the page are found."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

SCRIPT = """
import nas, nas.recipe, nas.resources
from importlib.resources import files
print(nas.__file__)
print(nas.load_space("efficientnetv2").size, nas.load_architecture("efficientnetv2-xl").id)
print(nas.recipe.load_recipe("default-cpu").trials, nas.resources.names("search_spaces"))
from nas.training_recipe import load_training
print(load_training("efficientnetv2-s").epochs)
print(len(files("nas.explorer").joinpath("static", "page.html").read_text()))
"""


def test_an_unpacked_wheel_works_from_an_empty_folder(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="hatchling builds the wheel; pip install hatchling")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
        names = archive.namelist()
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]
    assert any(name.endswith("licenses/LICENSE") for name in names)
    empty = tmp_path / "empty"
    empty.mkdir()

    def run(*words: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
        command = [sys.executable, *words]
        done = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("-c", SCRIPT).splitlines()[0].startswith(str(tmp_path))
    run("-m", "nas", "search", "--space", "efficientnetv2", "-n", "2", "--objective", "rank_score")
    assert (empty / "runs" / "efficientnetv2" / "report.html").is_file()
