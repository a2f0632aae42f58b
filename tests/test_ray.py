"""Ray under faults: processes and nodes are killed for real, on loopback. The contract suite has the rest."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nas.environment import cpu_name
from nas.study.executors import EngineError, Executor, ExecutorError, Pool, Result, Spec
from nas.study.executors.ray import RayExecutor
from nas.study.executors.ray_join import check_token, loopback
from nas.study.executors.ray_nodes import Books, Kind, Terms
from tests.contracts.test_executors import networks, results

pytest.importorskip("ray")
from tests.ray_cluster import ROOT, Cluster, family

ARCH = str(networks(1)[0])
Join = Callable[..., tuple[RayExecutor, list[str]]]


def spec(job: int, tenths: int = 0) -> Spec:
    """`tenths`: how long `surroundings` takes."""
    return Spec(ARCH, {"measure": ["top1_pct"], "device": "cpu"}, tenths, job)


def until(executor: Executor, condition: Callable[[], bool], seconds: float = 60) -> list[Result]:
    """Results that came until a condition held."""
    found: list[Result] = []
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        found += executor.wait(0.2)
    return found


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head of two CPUs and two GPUs in name."""
    cluster = Cluster(num_cpus=2, num_gpus=2)
    yield cluster
    cluster.close()


@pytest.fixture
def join(cluster: Cluster, tmp_path: Path) -> Iterator[Join]:
    """Joins the cluster; what the user was told comes with it. Nodes that a test adds end with it."""
    opened: list[RayExecutor] = []

    def make(evaluate: str, workers: int = 9, *, pool: dict[str, Any] | None = None, **options: Any) -> Any:
        said: list[str] = []
        asked = Pool(workers, tmp_path, evaluate=evaluate, say=said.append, **(pool or {}))
        opened.append(RayExecutor(asked, cluster.address, **options))
        return opened[-1], said

    yield make
    for executor in opened:
        executor.close()
    for node in cluster.nodes:
        node.kill()


# the books


def entry(name: str, cpus: float, gpus: float = 0) -> dict[str, Any]:
    resources = {"CPU": cpus, "GPU": gpus}
    return {"NodeID": name, "Alive": True, "Resources": resources, "NodeManagerAddress": name, "NodeManagerPort": 1}


def test_an_untimed_job_takes_one_cpu_and_the_fullest_node_comes_last() -> None:
    books = Books(Terms(gpu=False, timed=False))
    for node in books.update([entry("a", 1), entry("b", 3), entry("driver", 0)], {}):
        node.learn({"cpu": node.name}, books.terms)
    placed = [books.place(job) for job in range(5)]
    assert [node and node.id for node in placed[:2]] == ["b", "b"]
    assert sorted(node.id for node in placed[:4] if node) == ["a", "b", "b", "b"]
    assert placed[4] is None
    books.release(0)
    assert books.place(5) is not None


def test_timed_nodes_take_one_job_each_and_two_kinds_never_mix() -> None:
    books = Books(Terms(gpu=False, timed=True))
    for node in books.update([entry("old", 16), entry("new", 4), entry("new2", 4), entry("less", 2)], {}):
        node.learn({"cpu": "Old" if node.id == "old" else "New"}, books.terms)
    books.choose()
    assert books.kind == Kind("New", 4)
    assert books.slots() == 2
    placed = [books.place(job) for job in range(3)]
    assert {node.id for node in placed if node} == {"new", "new2"}
    assert books.reason(books.nodes["old"]) == "it is a Old, 16 threads; this study times on New, 4 threads"
    books.update([entry("old", 16)], {})  # the others go: still no mixing
    books.choose()
    assert books.slots() == 0


def test_a_study_stays_on_the_kind_of_its_earlier_timings() -> None:
    for given, expected in ((Kind("Old"), {"old"}), (Kind("Old", 8), set()), (Kind("Gone"), set())):
        books = Books(Terms(gpu=False, timed=True), given)
        for node in books.update([entry("old", 16), entry("new", 4), entry("new2", 4)], {}):
            node.learn({"cpu": "Old" if node.id == "old" else "New"}, books.terms)
        books.choose()
        assert {node.id for node in books.usable()} == expected


def test_a_gpu_job_takes_a_whole_one_and_its_share_of_the_cpus() -> None:
    books = Books(Terms(gpu=True, timed=True))
    mixed, same, none = books.update([entry("mixed", 8, 2), entry("same", 8, 2), entry("none", 1, 1)], {})
    mixed.learn({"cpu": "c", "gpus": ["H100", "T4"]}, books.terms)
    same.learn({"cpu": "c", "gpus": ["H100", "H100"]}, books.terms)
    none.learn({"cpu": "c", "gpus": []}, books.terms)
    books.choose()
    assert books.kind == Kind("H100")
    assert same.demand(books.terms) == (4, 1)
    assert books.slots() == 2
    assert "differ" in books.reason(mixed)
    assert "unknown name" in books.reason(none)


def test_what_others_use_is_no_room_but_a_job_that_just_ended_is() -> None:
    books = Books(Terms(gpu=False, timed=False))
    (node,) = books.update([entry("a", 4)], {})
    node.learn({"cpu": "c"}, books.terms)
    for job in range(4):
        assert books.place(job)
    books.update([entry("a", 4)], {"a": {}})
    for job in range(4):
        books.release(job)
    books.update([entry("a", 4)], {"a": {}})  # Ray has not noticed yet
    assert books.slots() == 4
    for _ in range(3):
        books.update([entry("a", 4)], {"a": {"CPU": 1.0}})
    assert books.slots() == 1


# safety


def test_a_cluster_beyond_this_machine_needs_a_token_that_is_kept_safe(tmp_path: Path) -> None:
    address, file = "10.1.2.3:6379", tmp_path / "token"
    environment = {"RAY_AUTH_TOKEN_PATH": str(file)}
    with pytest.raises(EngineError, match="no token"):
        check_token(address, environment)
    file.write_text("\n")
    with pytest.raises(EngineError, match="empty"):
        check_token(address, environment)
    file.write_text("secret")
    file.chmod(0o644)
    with pytest.raises(EngineError, match="others on this machine may read") as caught:
        check_token(address, environment)
    assert caught.value.hint == f"chmod 600 {file}"
    file.chmod(0o600)
    check_token(address, environment)
    with pytest.raises(EngineError, match="RAY_AUTH_MODE is disabled"):
        check_token(address, {**environment, "RAY_AUTH_MODE": "disabled"})
    check_token("127.0.0.1:6379", {})


def test_only_a_loopback_address_is_loopback() -> None:
    assert all(loopback(address) for address in ("127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1"))
    assert not any(loopback(address) for address in ("10.0.0.1:1", "localhost.example:1", "127.0.0.1.example:1", "x:1"))


@pytest.mark.slow
def test_a_cluster_that_answers_anybody_is_not_joined_unless_told_to() -> None:
    alone = ["unshare", "-Urnpf", "--mount-proc"]
    if subprocess.run([*alone, "ip", "link"], capture_output=True, check=False).returncode:
        pytest.skip("needs a network of its own: unshare and ip")
    folder = tempfile.mkdtemp(prefix="nas-test-", dir="/tmp")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    environment |= {"RAY_USAGE_STATS_ENABLED": "0", "HOME": folder}
    command = [*alone, "--kill-child", sys.executable, "-m", "tests.ray_alone", folder]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    shutil.rmtree(folder)
    assert done.returncode == 0, done.stderr
    nobody, no_token, open_, told = [json.loads(line) for line in done.stdout.splitlines()]
    assert "Could not find any running Ray" in nobody["refused"]
    assert "no token" in no_token["refused"]
    assert "answers without a token" in open_["refused"]
    assert "RAY_AUTH_MODE=token" in open_["refused"]
    assert told == {"joined": 1}


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "somewhere", "host:port"])
def test_what_is_no_address_is_said(tmp_path: Path, address: str) -> None:
    with pytest.raises(EngineError, match="expected auto or HOST:PORT"):
        RayExecutor(Pool(1, tmp_path), address)


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no Ray cluster answers at"):
        RayExecutor(Pool(1, tmp_path), "127.0.0.1:9")


def test_a_gpu_is_not_named_to_ray(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="device cuda:1"):
        RayExecutor(Pool(1, tmp_path, device="cuda:1"), None)


def test_without_ray_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EngineError, match="not installed") as caught:
        RayExecutor(Pool(1, tmp_path), None)
    assert caught.value.hint == "pip install 'nas[ray]'"


# a Ray of its own


def test_a_private_ray_stays_on_loopback_and_ends_with_a_killed_driver(tmp_path: Path) -> None:
    script = (
        "import os, time\nfrom pathlib import Path\nfrom nas.study.executors import Pool, Spec\n"
        "from nas.study.executors.ray import RayExecutor\n"
        f"e = RayExecutor(Pool(1, Path({str(tmp_path)!r}), evaluate='tests.workers:hang'), None)\n"
        f"e.submit(Spec({ARCH!r}, {{}}, 0, 1))\n"
        "while not e.age(1) > 1: e.wait(0.2)\n"
        "print(os.getpid(), e._link.folder, flush=True)\ntime.sleep(600)\n"
    )
    driver = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert driver.stdout is not None
    folder = Path(driver.stdout.readline().split()[1])
    processes = family(driver.pid)
    assert len(processes) > 3
    assert _listening(processes)
    assert all(address == "127.0.0.1" for address in _listening(processes))
    assert (folder.stat().st_mode & 0o777, (folder / "token").stat().st_mode & 0o777) == (0o700, 0o600)
    driver.kill()
    driver.wait()
    driver.stdout.close()
    deadline = time.monotonic() + 30
    while any(_alive(process) for process in processes) or folder.exists():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.slow
def test_a_private_ray_that_ends_is_started_again_and_close_leaves_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    executor = RayExecutor(Pool(1, tmp_path, evaluate="tests.workers:hang", say=said.append), None)
    executor.submit(spec(1))
    assert executor._link is not None
    folder = executor._link.folder
    first = family(executor._link.process.pid)
    os.killpg(executor._link.process.pid, signal.SIGKILL)
    (result,) = results(executor, 1)
    assert result.lost
    assert result.job == 1
    until(executor, lambda: executor.capacity == 1)
    assert said == ["ray: its own Ray ended; starting another", "ray: started again"]
    processes = [*first, *family(executor._link.process.pid)]
    folders = [folder, executor._link.folder]
    executor.close()
    deadline = time.monotonic() + 10
    while any(_alive(process) for process in processes):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert not any(folder.exists() for folder in folders)


# a cluster


def test_an_evaluation_that_no_node_can_import_ends_the_search(join: Join) -> None:
    executor, _ = join("tests.workers:no_such_function")
    with pytest.raises(ExecutorError, match="no_such_function"):
        executor.wait(1.0)


def test_a_cpu_job_sees_no_gpu_and_has_one_thread(join: Join) -> None:
    executor, _ = join("tests.ray_workers:surroundings")
    executor.submit(spec(1))
    (result,) = results(executor, 1)
    reading = result.readings["top1_pct"]
    assert (reading["gpus"], reading["threads"]) == ([], 1)
    assert result.environment["cpu"] == cpu_name()


def test_gpu_jobs_have_one_each_and_never_share(join: Join) -> None:
    executor, _ = join("tests.ray_workers:surroundings", pool={"device": "cuda", "timed": True})
    assert executor.capacity == 2
    jobs, found = list(range(6)), []
    while len(found) < 6:
        while jobs and executor.capacity:
            executor.submit(spec(jobs.pop(), 5))
        found += executor.wait(0.5)
    readings = [result.readings["top1_pct"] for result in found]
    assert all(len(reading["gpus"]) == 1 for reading in readings)
    assert {reading["gpus"][0] for reading in readings} == {0, 1}
    for one in readings:
        same = [other for other in readings if other["gpus"] == one["gpus"] and other is not one]
        assert all(other["ended"] <= one["began"] or other["began"] >= one["ended"] for other in same)


@pytest.mark.slow
def test_timed_cpu_jobs_have_a_node_each_of_one_kind(join: Join, cluster: Cluster) -> None:
    cluster.add(num_cpus=1)
    cluster.add(num_cpus=1)
    executor, said = join("tests.ray_workers:surroundings", pool={"timed": True})
    until(executor, lambda: executor.capacity == 2)
    assert len(said) == 1
    assert f"is a {cpu_name()}, 2 threads; this study times on {cpu_name()}, 1 threads" in said[0]
    for job in (1, 2):
        executor.submit(spec(job))
    assert {result.readings["top1_pct"]["threads"] for result in results(executor, 2)} == {1}
    executor.close()
    executor, said = join("tests.ray_workers:surroundings", pool={"timed": True}, only=(cpu_name(), 2))
    until(executor, lambda: len(said) == 2)
    assert executor.capacity == 1
    executor.submit(spec(3))
    (result,) = results(executor, 1)
    assert result.readings["top1_pct"]["threads"] == 2


@pytest.mark.slow
def test_ray_s_memory_monitor_is_named(join: Join, cluster: Cluster) -> None:
    total, free = _memory_gib()
    if free < 8:
        pytest.skip("needs 8 GiB of free memory, to fill some of it")
    limit = {"RAY_memory_usage_threshold": str(1 - (free - 3) / total), "RAY_memory_monitor_refresh_ms": "100"}
    cluster.add(num_cpus=8, environment=limit)
    executor, _ = join("tests.ray_workers:glutton")
    until(executor, lambda: executor.capacity == 9)
    executor.submit(spec(1, 5))
    (result,) = results(executor, 1)
    assert (result.lost, result.error) == (True, "out of memory: killed by Ray's memory monitor")


def test_a_killed_gateway_loses_its_jobs_and_no_more(join: Join) -> None:
    executor, said = join("tests.workers:hang")
    for job in (1, 2):
        executor.submit(spec(job))
    until(executor, lambda: executor.age(2) > 0)
    assert executor._link is not None
    executor._link.process.kill()
    assert {(result.job, result.lost, result.cancelled) for result in results(executor, 2)} == {
        (1, True, False),
        (2, True, False),
    }
    until(executor, lambda: executor.capacity == 2)
    assert said == ["ray: the head is lost; waiting for it", "ray: the head is back"]


def test_nodes_come_and_go_and_the_head_is_lost(join: Join, cluster: Cluster) -> None:
    node = cluster.add(num_cpus=1)
    executor, said = join("tests.workers:hang", patience=4.0)
    until(executor, lambda: executor.capacity == 3)
    for job in range(3):
        executor.submit(spec(job))
    until(executor, lambda: all(executor.age(job) > 0 for job in range(3)))
    node.kill()
    (result,) = results(executor, 1)
    assert result.lost
    assert result.error.startswith("its node was lost")
    assert executor.wait(1.0) == []  # the others go on
    cluster.add(num_cpus=2)
    until(executor, lambda: executor.capacity == 2)
    executor.submit(spec(3))
    until(executor, lambda: executor.age(3) > 0)
    cluster.head.kill()
    lost = results(executor, 3)
    assert {result.job for result in lost} == set(range(4)) - {result.job}
    assert all(one.lost for one in lost)
    assert executor.capacity == 0
    until(executor, lambda: "ray: the head is lost; waiting for it" in said)
    assert executor.wait(1.0) == []
    cluster.start_head(num_cpus=2, num_gpus=2)
    until(executor, lambda: executor.capacity >= 2)
    assert said == ["ray: the head is lost; waiting for it", "ray: the head is back"]
    executor.submit(spec(9))
    until(executor, lambda: executor.age(9) > 0)
    executor.cancel(9, "time limit")
    (result,) = results(executor, 1)
    assert (result.job, result.error, result.cancelled) == (9, "time limit", True)


def _memory_gib() -> tuple[float, float]:
    """Memory of this machine, and how much of it is available."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return tuple(int(lines[key].split()[0]) / 2**20 for key in ("MemTotal", "MemAvailable"))  # type: ignore[return-value]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _listening(pids: list[int]) -> set[str]:
    """The addresses at which processes listen, with IPv4 inside IPv6 as IPv4."""
    targets = [str(file.readlink()) for pid in pids for file in Path(f"/proc/{pid}/fd").glob("*") if file.is_symlink()]
    inodes = {target[8:-1] for target in targets if target.startswith("socket:[")}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                word = fields[1].partition(":")[0]
                plain = word[-8:] if len(word) == 8 or word.startswith("0" * 16 + "FFFF0000") else None
                found.add(".".join(str(byte) for byte in bytes.fromhex(plain)[::-1]) if plain else word)
    return found
