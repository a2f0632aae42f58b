"""The logic of `make gpu`, on a CPU with tiny networks: it has to work at first sight of a GPU."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from nas.record import Reading, read_records

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "gpu.py"


@pytest.fixture(scope="module")
def gpu() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gpu_script"] = module
    spec.loader.exec_module(module)
    return module


def words(tmp_path: Path, *more: str) -> list[str]:
    two = ["--device", "cpu", "--set", "reduced", "--names", "efficientnetv2-b0", "efficientnetv2-b1"]
    return [*two, "--seconds", "0.1", "--out", str(tmp_path), *more]


def fake_measure(calls: list[str]) -> Any:
    def measure(arch: Any, what: Any, timing: Any, *, device: str, seed: int = 0) -> dict[str, Reading]:
        calls.append(str(arch))
        return {key: Reading(1.0, 0.1, conditions={"batch": 1}) for key in what}

    return measure


def test_measures_the_zoo_and_resumes_without_measuring_twice(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []
    monkeypatch.setattr("nas.zoo.run.measure", fake_measure(calls))
    first = words(tmp_path, "--trials", "0", "--names", "efficientnetv2-b0")
    assert gpu.main(first) == 0
    once = len(calls)
    assert once
    (path,) = tmp_path.glob("*/records.jsonl")
    (record,) = read_records(path)
    assert (record.baseline, record.state, record.value("train_images_per_s")) == ("efficientnetv2-b0", "complete", 1.0)
    assert "1 of 1" in capsys.readouterr().out
    assert gpu.main(first) == 0
    assert len(calls) == once
    assert gpu.main(words(tmp_path, "--trials", "0")) == 0
    assert len(calls) == 2 * once


def test_stops_in_time_and_says_how_to_go_on(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []
    monkeypatch.setattr("nas.zoo.run.measure", fake_measure(calls))
    assert gpu.main(words(tmp_path, "--minutes", "0")) == 3
    assert not calls
    assert "same command" in capsys.readouterr().out


def test_a_network_that_fails_is_recorded_and_tried_again(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> dict[str, Reading]:
        raise RuntimeError("CUDA error: launch failed\nmore")

    monkeypatch.setattr("nas.zoo.run.measure", broken)
    assert gpu.main(words(tmp_path, "--trials", "0")) == 0
    (path,) = tmp_path.glob("*/records.jsonl")
    assert {record.state for record in read_records(path)} == {"failed"}
    assert all("RuntimeError: CUDA error: launch failed" in record.reason for record in read_records(path))
    monkeypatch.setattr("nas.zoo.run.measure", fake_measure([]))
    gpu.main(words(tmp_path, "--trials", "0"))
    assert [record.state for record in read_records(path)] == ["complete", "complete"]


def test_the_search_comes_after_the_zoo_and_asks_for_the_rest_of_the_time(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.zoo.run.measure", fake_measure([]))
    asked: list[float] = []

    def search(options: Any, folder: Path, budget: Any) -> int:
        asked.append(budget.left)
        command = gpu.search_command(options, folder, budget.left)
        assert command[1:4] == ["-m", "nas", "search"]
        assert command[command.index("--trials") + 1] == "40"
        return 0

    assert gpu.main(words(tmp_path), search) == 3  # no trial ended: to be continued
    assert len(asked) == 1
    assert 0 < asked[0] < 9 * 60


def test_a_search_that_overruns_is_interrupted(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "REPORTING", 1.0)
    budget = gpu.Budget(3.0, time.monotonic())
    status = gpu.search(None, tmp_path, budget, [sys.executable, "-c", "import time; time.sleep(60)"])
    assert status != 0
    assert budget.left > -5
    assert (
        gpu.search(None, tmp_path, gpu.Budget(30, time.monotonic()), [sys.executable, "-c", "raise SystemExit(7)"]) == 7
    )


def test_the_search_command_is_one_the_command_line_takes(gpu: ModuleType, tmp_path: Path, run_nas: Any) -> None:
    options = gpu.parsed(words(tmp_path))
    command = gpu.search_command(options, tmp_path, 100)
    done = run_nas(*command[3:], "--dry-run")
    assert done.returncode == 0, done.stderr


def test_missing_packages_are_named(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu, "NEEDED", ("torch", "no_such_package_here"))
    assert gpu.main(words(tmp_path)) == 2
    assert "no_such_package_here" in capsys.readouterr().out


def test_a_missing_gpu_is_one_line(gpu: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main([*words(tmp_path), "--device", "cuda:99"]) == 2
    assert "GPU" in capsys.readouterr().out
