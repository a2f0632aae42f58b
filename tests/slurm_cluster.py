"""A real Slurm of two nodes on the loopback interface, started as processes of this test run; for root only."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
_CONF = """
ClusterName=nas
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
MpiDefault=none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
SlurmdTimeout=5
SlurmctldTimeout=5
KillWait=5
MinJobAge=300
ReturnToService=2
{nodes}
PartitionName=all Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""


def missing() -> str:
    """Why there can be no Slurm here; empty when there can."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    absent = [name for name in (*DAEMONS, "sbatch", "srun", "squeue", "scancel") if not shutil.which(name, path=path)]
    if absent:
        return f"no {absent[0]} on this machine"
    return "" if os.getuid() == 0 else "Slurm's daemons are started as root"


class Cluster:
    """Two nodes of one core each, and their controller."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.processes = folder, dict[str, subprocess.Popen[bytes]]()
        for name in ("state", "spool-n1", "spool-n2"):
            (folder / name).mkdir()
        host = socket.gethostname().partition(".")[0]
        controller, *ports = _free_ports(3)
        line = "NodeName={} NodeHostname={} NodeAddr=127.0.0.1 Port={} CPUs=1 RealMemory=500 State=UNKNOWN"
        nodes = "\n".join(line.format(f"n{number}", host, port) for number, port in enumerate(ports, 1))
        conf = folder / "slurm.conf"
        conf.write_text(_CONF.format(host=host, controller=controller, folder=folder, nodes=nodes))
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        self.environment = {"SLURM_CONF": str(conf)}
        files = {"key-file": key, "socket": folder / "munge.socket", "pid-file": folder / "munge.pid"}
        files |= {"log-file": folder / "munge.log", "seed-file": folder / "munge.seed"}
        self._start("munged", ["munged", "--foreground", "--force", *(f"--{k}={v}" for k, v in files.items())])
        self._wait_for((folder / "munge.socket").exists, "munged")
        self.start_controller()
        for number in (1, 2):
            self.start_node(f"n{number}")
        self._wait_for(lambda: self.ask("sinfo", "-h", "-t", "idle", "-o", "%D").strip() == "2", "two idle nodes")

    def start_controller(self) -> None:
        self._start("slurmctld", ["slurmctld", "-D"])

    def start_node(self, name: str) -> None:
        self._start(name, ["slurmd", "-D", "-N", name])

    def kill(self, name: str) -> None:
        """`kill -9` of the controller, or of a node's daemon."""
        self.processes[name].kill()
        self.processes[name].wait()

    def until_saved(self) -> None:
        """Wait until the controller has on disk what it knows now."""
        file, now = self.folder / "state" / "job_state", time.time()
        self._wait_for(lambda: file.exists() and file.stat().st_mtime > now, "the controller's state")

    def steps(self) -> list[int]:
        """The processes that hold jobs, and outlive the daemons of their nodes."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                ours = str(self.folder).encode() in (process / "environ").read_bytes()
                if ours and b"slurmstepd" in (process / "cmdline").read_bytes():
                    found.append(int(process.name))
        return found

    def ask(self, *command: str) -> str:
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        return done.stdout

    def close(self) -> None:
        self.ask("scancel", "--user=root")
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in self.processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, name: str, command: list[str]) -> None:
        environment = {**os.environ, **self.environment, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
        with (self.folder / f"{name}.out").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def _wait_for(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            said = "\n".join(path.read_text()[-2000:] for path in self.folder.glob("*.out"))
            assert time.monotonic() < deadline, f"{what} did not come: {said}"
            time.sleep(0.2)


@functools.cache
def shared() -> Cluster:
    """The cluster of this test run, up until its end; Slurm's commands of this process now ask it."""
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="slurm-")))
    atexit.register(cluster.close)
    os.environ.update(cluster.environment)
    return cluster


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in held]
    for server in held:
        server.close()
    return ports
