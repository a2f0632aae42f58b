"""Facts of the machine: true ones, without a GPU taken into use for them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from nas import environment as module
from nas.environment import driver_version, environment


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    driver_version.cache_clear()
    module._gpu_facts_from_outside.cache_clear()
    yield
    driver_version.cache_clear()
    module._gpu_facts_from_outside.cache_clear()


def answers(gpu: str) -> Any:
    """A `subprocess.run` for nvidia-smi and for a Python that looks at the GPU."""

    def run(command: list[str], **_: Any) -> SimpleNamespace:
        return SimpleNamespace(stdout="595.1\n" if "nvidia-smi" in command[0] else gpu)

    return run


def test_a_cpu_has_no_facts_of_a_gpu() -> None:
    facts = environment("cpu")
    assert facts["device"] == "cpu"
    assert facts["threads"] == torch.get_num_threads()
    assert not {"gpu", "cuda", "driver"} & set(facts)


@pytest.mark.parametrize("used", [False, True])
def test_a_gpu_has_name_memory_and_driver_and_is_asked_from_outside_unless_in_use(
    used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = SimpleNamespace(name="inside", total_memory=2**31)
    outside = json.dumps({"gpu": "outside", "gpu_memory_gib": 2.0})
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: used)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda _: inside if used else pytest.fail("taken into use")
    )
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", answers(f"a warning\n{outside}\n"))
    facts = environment("cuda:0")
    assert (facts["gpu"], facts["gpu_memory_gib"]) == ("inside" if used else "outside", 2.0)
    assert facts["driver"] == "595.1"
    assert "cuda" in facts


def test_a_gpu_that_cannot_be_asked_leaves_its_facts_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    monkeypatch.setattr(subprocess, "run", answers(""))
    monkeypatch.setattr("shutil.which", lambda _: None)
    facts = environment("cuda")
    assert "gpu" not in facts
    assert facts["driver"] is None
