"""The committed training experiments say what their results say."""

import importlib.util
import json
import sys
from types import ModuleType

import pytest

from tests.conftest import ROOT

STUDIES = ("self-training", "progressive-training")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("training_benchmark", ROOT / "benchmarks" / "training.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", STUDIES)
def test_the_table_is_that_of_the_results(script: ModuleType, name: str) -> None:
    folder = ROOT / "studies" / name
    results = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert len({result["seed"] for result in results}) >= 3
    assert script.table(results) in (folder / "README.md").read_text(encoding="utf-8")
    for result in results:
        assert result["command"].startswith("nas train ")
        assert result["environment"]["torch"]
