"""What every executor keeps: one result a job, garbage and deaths are errors, a dead worker is replaced."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from nas.arch import Architecture
from nas.space_file import load_space
from nas.study.executors import Executor, ExecutorError, Pool, Result, Spec
from nas.study.executors.local import LocalExecutor
from tests.engines import ENGINES

SETTINGS = {"measure": ["top1_pct"], "device": "cpu"}
Start = Callable[[str, int], Executor]


@pytest.fixture(params=ENGINES)
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """Starts an executor of each kind for `tests.workers:NAME`, and closes it."""
    opened: list[Executor] = []

    def make(evaluate: str, workers: int = 1) -> Executor:
        executor = ENGINES[request.param](Pool(workers, tmp_path, evaluate=f"tests.workers:{evaluate}"))
        opened.append(executor)
        return executor

    yield make
    for executor in opened:
        executor.close()


def networks(count: int) -> list[Architecture]:
    return list(load_space("efficientnet").samples(count))


def spec(job: int, arch: Architecture) -> Spec:
    return Spec(str(arch), SETTINGS, 0, job)


def results(executor: Executor, count: int, seconds: float = 60) -> list[Result]:
    found: list[Result] = []
    deadline = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < deadline:
        found += executor.wait(0.2)
    assert len(found) == count
    return found


def test_every_job_has_one_result(start: Start) -> None:
    executor = start("quick", 2)
    archs = networks(6)
    found: dict[int, Result] = {}
    waiting = list(enumerate(archs))
    while len(found) < len(archs):
        while waiting and executor.capacity:
            executor.submit(spec(*waiting.pop(0)))
        for result in executor.wait(0.2):
            assert result.job not in found
            found[result.job] = result
    assert executor.capacity == 2
    assert all(not result.error and result.readings["top1_pct"]["value"] > 0 for result in found.values())


def test_it_waits_no_longer_than_asked(start: Start) -> None:
    assert list(start("hang", 1).wait(0.0)) == []


def test_what_measured_code_prints_is_no_result(start: Start) -> None:
    executor = start("chatty")
    executor.submit(spec(1, networks(1)[0]))
    (result,) = results(executor, 1)
    assert not result.error
    assert result.readings["top1_pct"]["value"] > 0


def test_nan_is_an_error_and_the_worker_goes_on(start: Start) -> None:
    executor = start("not_a_number")
    for job in (1, 2):
        executor.submit(spec(job, networks(1)[0]))
        (result,) = results(executor, 1)
        assert result.error
        assert not result.lost


def test_cancel_ends_a_job_with_its_reason(start: Start) -> None:
    executor = start("hang")
    executor.submit(spec(7, networks(1)[0]))
    executor.cancel(7, "too long")
    (result,) = results(executor, 1)
    assert (result.job, result.error, result.lost) == (7, "too long", True)
    assert executor.capacity == 1


def test_a_killed_worker_is_one_error_and_is_replaced(start: Start) -> None:
    executor = start("pid")
    executor.submit(spec(1, networks(1)[0]))
    pid = int(results(executor, 1)[0].readings["top1_pct"]["value"])
    with suppress(ProcessLookupError):  # an engine of one process a job has none left
        os.kill(pid, signal.SIGKILL)  # while idle: nobody's job
    time.sleep(0.2)
    assert list(executor.wait(0.5)) == []
    executor.submit(spec(2, networks(1)[0]))
    (result,) = results(executor, 1)
    assert int(result.readings["top1_pct"]["value"]) != pid


def test_a_worker_that_dies_after_it_was_counted_still_takes_the_job(start: Start) -> None:
    executor = start("pid")
    executor.submit(spec(1, networks(1)[0]))
    pid = int(results(executor, 1)[0].readings["top1_pct"]["value"])
    assert executor.capacity == 1
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    executor.submit(spec(2, networks(1)[0]))  # nobody waited in between, so that the engine may not have noticed
    (result,) = results(executor, 1)
    assert result.job == 2
    assert result.lost or not result.error
    if isinstance(executor, LocalExecutor):  # it is this process's child: its death is known, and no job lost to it
        assert int(result.readings["top1_pct"]["value"]) != pid


def test_a_worker_killed_at_work_is_a_lost_result_and_the_next_job_runs(start: Start, tmp_path: Path) -> None:
    executor = start("says_where")
    place = tmp_path / "pid"
    executor.submit(Spec(str(networks(1)[0]), {**SETTINGS, "file": str(place)}, 0, 1))
    deadline = time.monotonic() + 60
    while not (place.exists() and place.read_text()) and time.monotonic() < deadline:
        assert list(executor.wait(0.1)) == []
    assert executor.age(1) > 0
    os.kill(int(place.read_text()), signal.SIGKILL)
    (result,) = results(executor, 1)
    assert (result.job, result.lost, result.cancelled) == (1, True, False)
    assert result.error
    assert executor.age(1) == 0
    executor.submit(Spec(str(networks(1)[0]), SETTINGS, 0, 2))
    assert not results(executor, 1)[0].error


def test_workers_that_cannot_start_end_the_search_and_not_the_patience(tmp_path: Path) -> None:
    executor = LocalExecutor(Pool(1, tmp_path, evaluate="tests.workers:no_such_function"))
    with pytest.raises(ExecutorError, match="do not start"):
        results(executor, 1)
    executor.close()
    assert "no_such_function" in (tmp_path / "worker-0.log").read_text()


def test_a_worker_does_not_outlive_its_driver(tmp_path: Path) -> None:
    import subprocess
    import sys

    script = (
        "import os, sys, time\nfrom pathlib import Path\nfrom nas.study.executors import Pool, Spec\n"
        "from nas.study.executors.local import LocalExecutor\n"
        f"e = LocalExecutor(Pool(1, Path({str(tmp_path)!r}), evaluate='tests.workers:hang'))\n"
        f"e.submit(Spec({str(networks(1)[0])!r}, {SETTINGS!r}, 0, 1))\n"
        "print(next(iter(e._workers.values())).process.pid, flush=True)\ntime.sleep(2)\nos.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=Path.cwd())
    worker = int(done.stdout)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and Path(f"/proc/{worker}").exists():
        state = Path(f"/proc/{worker}/stat").read_text().split(")")[1].split()[0]
        if state == "Z":
            break
        time.sleep(0.3)
    else:
        assert not Path(f"/proc/{worker}").exists()
