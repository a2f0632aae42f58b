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
from nas.space import baselines

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
    tiny = ["--device", "cpu", "--names", "efficientnet-b0", "efficientnetv2-b0", "--scale", "0.15"]
    return [*tiny, "--seconds", "0.1", "--largest-batch", "4", "--out", str(tmp_path), *more]


def fake_measure(calls: list[str]) -> Any:
    def measure(arch: Any, what: Any, timing: Any, *, device: str, seed: int) -> dict[str, Reading]:
        calls.append(str(arch))
        return {key: Reading(1.0, 0.1) for key in what}

    return measure


def test_every_shipped_baseline_has_a_training_size(gpu: ModuleType) -> None:
    assert set(gpu.TRAIN_SIZES) == set(baselines())


def test_measures_baselines_for_real(gpu: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main(words(tmp_path, "--trials", "0")) == 0
    (path,) = tmp_path.glob("*/records.jsonl")
    records = {record.baseline: record for record in read_records(path)}
    assert set(records) == {"efficientnet-b0", "efficientnetv2-b0"}
    for name, record in records.items():
        assert record.state == "complete"
        assert record.arch.startswith(f"r{max(32, round(0.15 * gpu.TRAIN_SIZES[name]))} ")
        assert record.value("train_images_per_s")
        assert record.value("infer_images_per_s")
        assert record.value("params")
        conditions = record.readings["train_images_per_s"].conditions
        assert (conditions["precision"], conditions["memory_format"]) == ("bf16", "channels_last")
        assert conditions["batch"] <= 4
    assert "2 of 2" in capsys.readouterr().out


def test_resumes_without_measuring_twice(gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr("nas.meters.measure", fake_measure(calls))
    first = words(tmp_path, "--trials", "0", "--names", "efficientnet-b0")
    assert gpu.main(first) == 0
    assert gpu.main(first) == 0
    assert len(calls) == 1
    assert gpu.main(words(tmp_path, "--trials", "0")) == 0
    assert len(calls) == 2


def test_stops_in_time_and_says_how_to_go_on(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []
    monkeypatch.setattr("nas.meters.measure", fake_measure(calls))
    assert gpu.main(words(tmp_path, "--minutes", "0")) == 3
    assert not calls
    assert "same command" in capsys.readouterr().out


def test_a_network_that_fails_is_recorded_and_tried_again(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> dict[str, Reading]:
        raise RuntimeError("CUDA error: launch failed\nmore")

    monkeypatch.setattr("nas.meters.measure", broken)
    assert gpu.main(words(tmp_path, "--trials", "0")) == 0
    (path,) = tmp_path.glob("*/records.jsonl")
    assert {record.state for record in read_records(path)} == {"failed"}
    assert {record.reason for record in read_records(path)} == {"RuntimeError: CUDA error: launch failed"}
    calls: list[str] = []
    monkeypatch.setattr("nas.meters.measure", fake_measure(calls))
    gpu.main(words(tmp_path, "--trials", "0"))
    assert len(calls) == 2
    assert [record.state for record in read_records(path)] == ["complete", "complete"]


def test_the_search_comes_after_the_zoo_and_asks_for_the_rest_of_the_time(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.meters.measure", fake_measure([]))
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


def test_folders_are_named_by_the_device(gpu: ModuleType) -> None:
    assert gpu.slug("NVIDIA H200") == "nvidia-h200"
    assert gpu.slug("NVIDIA A100-SXM4-80GB") == "nvidia-a100-sxm4-80gb"
