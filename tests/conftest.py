from __future__ import annotations

import json
import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin starve a busy machine

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nas.recipe import Recipe
from tests.postgres import database, postgres  # noqa: F401 - fixtures of every test

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("NAS_") and name != "NAS_CACHE"]:
        monkeypatch.delenv(name)


@pytest.fixture
def run_nas(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in a process of its own, in an empty folder."""

    def run(*words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            [sys.executable, "-m", "nas", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def recipe() -> Recipe:
    """A recipe whose objectives the test workers answer."""
    return make_recipe()


def make_recipe(**changes: object) -> Recipe:
    document = {
        "name": "test",
        "space": "efficientnet",
        "baselines": ["efficientnet-b0"],
        "baseline_repeats": 1,
        "trials": 6,
        "sampler": "random",
        "objectives": ["top1_pct", "flops"],
        "measure": ["top1_pct"],
    }
    return Recipe.model_validate_json(json.dumps({**document, **changes}))
