"""A Ray cluster for tests: nodes are groups of processes on loopback, with a token, that are killed as machines die.

As a program (`python -m tests.ray_cluster JSON`) it is one node, which ends with its standard input.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": "t" * 64,
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # keeps Ray on loopback, as on macOS
}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Node:
    """A node's processes; `pid` is that of its group and of its parent."""

    def __init__(self, folder: Path, environment: dict[str, str] | None = None, **arguments: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.ray_cluster", json.dumps({"temp_dir": str(folder), **arguments})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "nodes.log").open("ab"),
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
            text=True,
        )

    def up(self) -> Node:
        """Wait until it runs."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "up\n"
        return self

    def kill(self) -> None:
        """As if its machine had lost power."""
        if self.process.returncode is not None:
            return
        workers = _workers(self.process.pid)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


class Cluster:
    """A head on a port of its own, and nodes that come and go."""

    def __init__(self, **head: Any) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="nas-test-", dir="/tmp"))
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        os.environ |= ENVIRONMENT  # nodes, and what joins them, inherit it
        self.nodes: list[Node] = []
        self.start_head(**head)

    def start_head(self, **arguments: Any) -> None:
        self.head = Node(self.folder, head=True, gcs_server_port=self.port, **arguments).up()

    def add(self, **arguments: Any) -> Node:
        node = Node(self.folder, gcs_address=self.address, **arguments).up()
        self.nodes.append(node)
        return node

    def close(self) -> None:
        for node in [*self.nodes, self.head]:
            node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@functools.cache
def shared() -> Cluster:
    """Two nodes of a CPU each, for every test that leaves them as they were."""
    cluster = Cluster(num_cpus=1)
    cluster.add(num_cpus=1)
    atexit.register(cluster.close)
    return cluster


def family(pid: int) -> list[int]:
    """Processes that descend from one."""
    found: list[int] = []
    pending = [pid]
    while pending:
        try:
            children = Path(f"/proc/{pending[-1]}/task/{pending.pop()}/children").read_text().split()
        except OSError:
            continue
        found += (new := [int(child) for child in children])
        pending += new
    return found


def _workers(pid: int) -> list[int]:
    """Ray puts its workers into groups of their own."""
    return [child for child in family(pid) if os.getpgid(child) != pid]


def main() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    arguments = json.loads(sys.argv[1])
    from ray._private.node import Node as RayNode
    from ray._private.parameter import RayParams

    defaults = {
        "node_ip_address": "127.0.0.1",
        "num_cpus": 1,
        "num_gpus": 0,
        "object_store_memory": 80 << 20,
        "min_worker_port": 0,
        "max_worker_port": 0,
        "include_dashboard": False,
        "no_monitor": True,
        "include_log_monitor": False,
    }
    head = arguments.pop("head", False)
    node = RayNode(RayParams(**{**defaults, **arguments}), head=head, shutdown_at_exit=True, spawn_reaper=False)
    out.write("up\n")
    out.flush()
    sys.stdin.read()
    node.kill_all_processes(check_alive=False, allow_graceful=False)


if __name__ == "__main__":
    main()
