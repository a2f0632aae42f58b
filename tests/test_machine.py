"""A worker's share of the machine: cores of its own, and all of it, alone, while it times."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nas.study import machine
from nas.study.executors import EngineError, Pool
from nas.study.executors.local import LocalExecutor, check_device
from nas.study.machine import Share, cores, shares
from tests.conftest import ROOT


@pytest.mark.parametrize(("available", "workers"), [(8, 3), (8, 8), (7, 2), (2, 2), (64, 5)])
def test_cores_are_shared_out_once_each(monkeypatch: pytest.MonkeyPatch, available: int, workers: int) -> None:
    monkeypatch.setattr(machine, "cores", lambda: list(range(available)))
    found = shares(workers)
    assert sorted(core for share in found for core in share) == list(range(available))
    assert max(map(len, found)) - min(map(len, found)) <= 1


def test_more_workers_than_cores_get_one_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: [4, 6])
    assert shares(5) == [[4], [6], [4], [6], [4]]


def test_a_share_leaves_threads_and_cores_as_it_found_them(tmp_path: Path) -> None:
    program = (
        "import json, os, torch\nfrom nas.study.machine import Share, cores\n"
        "before = (cores(), torch.get_num_threads())\n"
        f"share = Share([cores()[0]], {str(tmp_path / 'lock')!r})\n"
        "with share.own():\n  own = (cores(), torch.get_num_threads())\n"
        "with share.alone():\n  alone = (cores(), torch.get_num_threads())\n"
        "after = (cores(), torch.get_num_threads())\n"
        "print(json.dumps([before, own, alone, after]))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    before, own, alone, after = json.loads(done.stdout.splitlines()[-1])
    assert own == [[cores()[0]], 1]
    assert before == alone == after


HOLD = """
import sys, time
from pathlib import Path
from nas.study.machine import Share, cores
share, log, how = Share(cores(), sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
for _ in range(15):
    with share.alone() if how == "alone" else share.own():
        with log.open("a") as file: file.write(f"+{how}\\n")
        time.sleep(0.01)
        with log.open("a") as file: file.write(f"-{how}\\n")
"""


def test_nobody_runs_while_one_times(tmp_path: Path) -> None:
    places = [str(tmp_path / "lock"), str(tmp_path / "log")]
    running = [
        subprocess.Popen([sys.executable, "-c", HOLD, *places, how], cwd=ROOT)
        for how in ("alone", "alone", "own", "own")
    ]
    assert [process.wait(120) for process in running] == [0] * 4
    inside: list[str] = []
    both = 0
    for line in (tmp_path / "log").read_text().splitlines():
        how = line[1:]
        inside.append(how) if line[0] == "+" else inside.remove(how)
        assert "alone" not in inside or inside == ["alone"]
        both += len(inside) == 2
    assert inside == []


def test_a_share_of_everything_changes_nothing() -> None:
    before = sorted(os.sched_getaffinity(0))
    with Share().own(), Share().alone():
        assert sorted(os.sched_getaffinity(0)) == before


def test_each_gpu_takes_one_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    executor = LocalExecutor(Pool(2, tmp_path, "cuda", timed=True, evaluate="tests.workers:seen_gpu"))
    try:
        seen = [Path(f"/proc/{worker.process.pid}/environ").read_bytes() for worker in executor._workers.values()]
        assert [b"CUDA_VISIBLE_DEVICES=4\0" in seen[0], b"CUDA_VISIBLE_DEVICES=7\0" in seen[1]] == [True, True]
    finally:
        executor.close()
    with pytest.raises(EngineError, match="there are 2 GPUs"):
        LocalExecutor(Pool(3, tmp_path, "cuda"))
    with pytest.raises(EngineError, match="one GPU, and takes one worker"):
        LocalExecutor(Pool(2, tmp_path, "cuda:1"))


def test_times_of_another_device_are_not_gone_on_with() -> None:
    import torch

    from nas.environment import cpu_name

    check_device("cpu", (cpu_name(), torch.get_num_threads()))
    check_device("cpu", (cpu_name(), None))
    with pytest.raises(EngineError, match="times are of Another CPU"):
        check_device("cpu", ("Another CPU", None))
    with pytest.raises(EngineError, match="with 99 threads"):
        check_device("cpu", (cpu_name(), 99))
