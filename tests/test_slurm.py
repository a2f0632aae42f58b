"""The Slurm engine: what it asks for, what it notices, and what it leaves behind; some on a real Slurm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nas.study.executors import EngineError, ExecutorError, Pool, Result, Spec
from nas.study.executors.slurm import SlurmExecutor
from tests import slurm_cluster

pytest.importorskip("submitit")

NETWORK = "r64 s8 f1k3s1c8n1 m4k3s2c16n1 h32"
SETTINGS = {"measure": ["top1_pct"], "device": "cpu"}
Start = Callable[..., SlurmExecutor]


def spec(job: int = 1, **settings: str) -> Spec:
    return Spec(NETWORK, {**SETTINGS, **settings}, 0, job)


def pool(folder: Path, evaluate: str = "quick", workers: int = 1, **given: object) -> Pool:
    return Pool(workers, folder, evaluate=f"tests.workers:{evaluate}", **given)  # type: ignore[arg-type]


def one(executor: SlurmExecutor, seconds: float = 90) -> Result:
    """The next result."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := executor.wait(0.2):
            (result,) = found
            return result
    raise AssertionError("no result came")


def written(path: Path, executor: SlurmExecutor, seconds: float = 60) -> int:
    """The process that `says_where` wrote."""
    deadline = time.monotonic() + seconds
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline
        assert executor.wait(0.1) == []
    return int(path.read_text())


def gone(pid: int, seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    opened: list[SlurmExecutor] = []

    def make(evaluate: str = "quick", **given: object) -> SlurmExecutor:
        patience, parameters = given.pop("patience", 60.0), given.pop("parameters", {})
        cluster = given.pop("cluster", "local")
        asked = pool(tmp_path, evaluate, **given)  # type: ignore[arg-type]
        opened.append(SlurmExecutor(asked, parameters, cluster=cluster, patience=patience))  # type: ignore[arg-type]
        return opened[-1]

    yield make
    for executor in opened:
        executor.close()


def test_a_job_that_is_not_heard_of_is_lost_and_ended(start: Start, tmp_path: Path) -> None:
    executor = start("says_where", patience=5.0)
    executor.submit(spec(file=str(tmp_path / "pid")))
    pid = written(tmp_path / "pid", executor)
    os.kill(pid, signal.SIGSTOP)  # it runs, says the system
    result = one(executor)
    assert result.lost
    assert "nothing was heard of the job" in result.error
    assert gone(pid)
    assert executor.capacity == 1


def test_the_last_words_of_a_job_stand_in_the_reason(start: Start) -> None:
    executor = start("dies_with_words")
    executor.submit(spec())
    result = one(executor)
    assert result.lost
    assert "the bus is on fire" in result.error


def test_jobs_that_do_not_start_end_the_search(start: Start) -> None:
    executor = start("no_such_function")
    for job in (1, 2):
        executor.submit(spec(job))
        assert one(executor).lost
    executor.submit(spec(3))
    with pytest.raises(ExecutorError, match=r"do not start: .*no_such_function"):
        one(executor)


def test_only_the_user_reads_what_lies_between_driver_and_job(start: Start, tmp_path: Path) -> None:
    executor = start("says_where")
    executor.submit(spec(file=str(tmp_path / "pid")))
    written(tmp_path / "pid", executor)
    (folder,) = (tmp_path / "slurm").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    files = {path.name: path.lstat().st_mode & 0o777 for path in folder.iterdir() if not path.is_symlink()}
    assert {"1.spec.json", "1.beat", "driver.beat"} <= files.keys()
    assert {name: oct(mode) for name, mode in files.items() if mode & 0o077} == {}


def test_nothing_but_logs_is_left(start: Start, tmp_path: Path) -> None:
    executor = start("says_where", workers=2)
    executor.submit(spec(1))
    assert not one(executor).error
    executor.submit(spec(2, file=str(tmp_path / "pid")))
    pid = written(tmp_path / "pid", executor)
    executor.close()
    assert gone(pid, 0.5)
    (folder,) = (tmp_path / "slurm").iterdir()
    assert {path.suffix for path in folder.iterdir()} == {".out", ".err"}


def test_the_jobs_of_a_killed_driver_end_when_the_next_one_starts(start: Start, tmp_path: Path) -> None:
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom nas.study.executors import Pool, Spec\n"
        "from nas.study.executors.slurm import SlurmExecutor\n"
        f"pool = Pool(1, Path({str(tmp_path)!r}), evaluate='tests.workers:says_where')\n"
        "e = SlurmExecutor(pool, {}, cluster='local')\n"
        f"e.submit(Spec({NETWORK!r}, { ({**SETTINGS, 'file': str(tmp_path / 'pid')})!r}, 0, 1))\n"
        f"while not Path({str(tmp_path / 'pid')!r}).exists(): e.wait(0.1)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=False, timeout=120)
    pid = int((tmp_path / "pid").read_text())
    assert not gone(pid, 0.5)
    other = start("says_where")
    assert gone(pid)
    other.submit(spec())
    assert not one(other).error


def test_a_living_driver_keeps_its_jobs_when_another_starts_beside_it(start: Start, tmp_path: Path) -> None:
    first = start("slow")
    first.submit(spec())
    start("slow")
    assert not one(first).error


def test_what_it_cannot_use_it_refuses_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="unknown parameter 'partitoin'") as error:
        SlurmExecutor(pool(tmp_path), {"partitoin": "gpu"}, cluster="local")
    assert "did you mean partition" in error.value.hint
    with pytest.raises(EngineError, match="cpus_per_task=many: expected a whole number"):
        SlurmExecutor(pool(tmp_path), {"cpus_per_task": "many"}, cluster="local")
    with pytest.raises(EngineError, match="unknown parameter 'nodes'"):  # a trial runs on one
        SlurmExecutor(pool(tmp_path), {"nodes": "2"}, cluster="local")
    with pytest.raises(EngineError, match="device cuda:1: Slurm picks"):
        SlurmExecutor(pool(tmp_path, device="cuda:1"), {}, cluster="local")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="there is no sbatch on this machine"):
        SlurmExecutor(pool(tmp_path), {})
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(EngineError, match="submitit is not installed") as error:
        SlurmExecutor(pool(tmp_path), {})
    assert "nas[slurm]" in error.value.hint


# On a Slurm of two nodes, each of one core.


@pytest.fixture
def cluster() -> slurm_cluster.Cluster:
    if reason := slurm_cluster.missing():
        pytest.skip(reason)
    return slurm_cluster.shared()


def script_of(folder: Path) -> str:
    (path,) = folder.glob("slurm/run-*/*_submission.sh")
    return path.read_text()


@pytest.mark.parametrize(
    ("given", "parameters", "words"),
    [
        ({}, {}, ["--cpus-per-task=1", "--time=60", "--no-requeue"]),
        ({"timed": True}, {}, ["--exclusive"]),
        ({"timed": True}, {"exclusive": "false", "cpus_per_task": "1"}, ["--cpus-per-task=1"]),
        ({}, {"time": "1:30:00", "partition": "all", "comment": "a b"}, ["--time=1:30:00", "--comment='a b'"]),
    ],
)
def test_what_sbatch_is_asked(
    start: Start, tmp_path: Path, cluster: slurm_cluster.Cluster, given: dict, parameters: dict, words: list
) -> None:
    executor = start("hang", cluster="slurm", parameters=parameters, **given)
    executor.submit(spec())
    said = script_of(tmp_path)
    assert [word for word in words if f"#SBATCH {word}\n" not in said] == []
    assert ("--exclusive" in said) == ("--exclusive" in words)


def test_a_gpu_is_asked_for_and_its_lack_ends_the_search(start: Start, cluster: slurm_cluster.Cluster) -> None:
    executor = start("quick", cluster="slurm", device="cuda")
    with pytest.raises(ExecutorError, match=r"sbatch refuses: .*[Ii]nvalid generic resource"):
        executor.submit(spec())


def test_a_wrong_partition_ends_the_search_with_what_sbatch_says(start: Start, cluster: slurm_cluster.Cluster) -> None:
    executor = start("quick", cluster="slurm", parameters={"partition": "nowhere"})
    with pytest.raises(ExecutorError, match=r"sbatch refuses: .*invalid partition specified: nowhere"):
        executor.submit(spec())


def test_a_trial_that_waits_for_a_node_has_no_age(start: Start, cluster: slurm_cluster.Cluster, tmp_path: Path) -> None:
    executor = start("says_where", cluster="slurm", workers=3)
    for job in (1, 2, 3):
        executor.submit(spec(job, file=str(tmp_path / f"pid-{job}")))
    for job in (1, 2):
        written(tmp_path / f"pid-{job}", executor)
    deadline = time.monotonic() + 20
    while not all(executor.age(job) > 0 for job in (1, 2)) and time.monotonic() < deadline:
        assert executor.wait(0.2) == []
    assert [executor.age(job) > 0 for job in (1, 2, 3)] == [True, True, False]
    assert executor.capacity == 0
    executor.cancel(1, "too long")
    assert (result := one(executor)).cancelled
    assert result.seconds > 0
    written(tmp_path / "pid-3", executor)  # its node is free for the one that waited


@pytest.mark.slow
def test_a_time_limit_of_slurm_is_a_lost_trial_that_says_so(start: Start, cluster: slurm_cluster.Cluster) -> None:
    executor = start("hang", cluster="slurm", parameters={"time": "1"})  # Slurm counts in minutes
    executor.submit(spec())
    result = one(executor, 150)
    assert result.lost
    assert "its time limit" in result.error or "TIMEOUT" in result.error


def test_a_job_cancelled_by_hand_is_lost(start: Start, cluster: slurm_cluster.Cluster, tmp_path: Path) -> None:
    executor = start("says_where", cluster="slurm")
    executor.submit(spec(file=str(tmp_path / "pid")))
    pid = written(tmp_path / "pid", executor)
    cluster.ask("scancel", "--user=root")
    result = one(executor)
    assert (result.lost, result.cancelled) == (True, False)
    assert "scancel" in result.error or "CANCELLED" in result.error
    assert gone(pid)


@pytest.mark.slow
def test_the_search_outlives_slurms_controller(start: Start, cluster: slurm_cluster.Cluster, tmp_path: Path) -> None:
    said: list[str] = []
    executor = start("says_where", cluster="slurm", say=said.append, workers=3)
    executor.submit(spec(1, file=str(tmp_path / "pid")))
    pid = written(tmp_path / "pid", executor)
    cluster.until_saved()
    cluster.kill("slurmctld")
    try:
        executor.submit(spec(2))
        assert any("sbatch fails" in text for text in said)
        assert executor.age(2) == 0
    finally:
        cluster.start_controller()
    result = one(executor, 120)
    assert (result.job, result.error) == (2, "")
    os.kill(pid, signal.SIGKILL)
    assert one(executor).lost


@pytest.mark.slow
def test_a_node_that_dies_loses_its_trial_and_no_other(
    start: Start, cluster: slurm_cluster.Cluster, tmp_path: Path
) -> None:
    executor = start("says_where", cluster="slurm", parameters={"nodelist": "n2"})
    executor.submit(spec(file=str(tmp_path / "pid")))
    pid = written(tmp_path / "pid", executor)
    try:
        cluster.kill("n2")
        for other in cluster.steps():
            os.kill(other, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        result = one(executor)
        assert result.lost
        assert "NODE_FAIL" in result.error
    finally:
        cluster.start_node("n2")
    executor.submit(spec(2))  # waits until the node is back
    assert not one(executor).error
