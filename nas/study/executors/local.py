"""Worker processes on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import IO, Any

from nas.files import append_private
from nas.study.executors import EngineError, ExecutorError, Pool, Result, Spec
from nas.study.machine import shares

_STILLBORN = 24  # strikes against workers that die before they are ready, after which none will start
_BY_ITSELF = 8  # strikes for one that ends by itself; one that is killed says less of what is wrong


class _Worker:
    """One process and the job it is at. `share`: what its specs are told of the machine; `gpu`: the one it sees."""

    def __init__(self, number: int, pool: Pool, share: Mapping[str, Any], gpu: str) -> None:
        self.share = share
        self.job: int | None = None
        self.started = 0.0
        self.waits_since: float | None = None  # for its turn to time
        self.cancelled = ""
        # Threads that spin while they wait starve every other process on the machine, this one's other threads too.
        environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "PYTHONUNBUFFERED": "1"}
        environment |= {"CUDA_VISIBLE_DEVICES": gpu} if gpu else {}
        with append_private(pool.logs / f"worker-{number}.log") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "nas.study.worker", pool.evaluate],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env=environment,
                start_new_session=True,  # Ctrl-C is the driver's to handle
            )
        self.buffer = b""
        self.ready = False  # has said that it started

    @property
    def idle(self) -> bool:
        """Ready for a job: at none, and neither dead nor being stopped."""
        return self.job is None and not self.cancelled and self.process.poll() is None

    @property
    def age(self) -> float:
        """Seconds that it has been at its job, less those in which it waited for its turn."""
        return (self.waits_since or time.monotonic()) - self.started

    def turn(self, waits: bool) -> None:
        """It begins to wait for its turn to time, or has it."""
        now = time.monotonic()
        if not waits and self.waits_since is not None:
            self.started += now - self.waits_since
        self.waits_since = now if waits else None

    @property
    def stdout(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def send(self, spec: Spec) -> None:
        settings = {**spec.settings, "share": self.share} if self.share else spec.settings
        line = {"architecture": spec.architecture, "settings": settings, "seed": spec.seed, "job": spec.job}
        assert self.process.stdin is not None
        self.job, self.started, self.waits_since = spec.job, time.monotonic(), None
        with contextlib.suppress(BrokenPipeError):  # a worker that died idle is noticed by its closed pipe
            self.process.stdin.write(json.dumps(line).encode() + b"\n")
            self.process.stdin.flush()

    def stop(self, patience: float = 0.0) -> None:
        """End the process, after `patience` seconds in which it may end by itself, and close its pipes."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(patience)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


class LocalExecutor:
    """Worker processes on this machine. One that dies is replaced; its job's result says why.

    Several on a CPU have cores of their own and time one after the other; several on GPUs have one each.
    Raises: EngineError for more workers than GPUs.
    """

    def __init__(self, pool: Pool) -> None:
        pool.logs.mkdir(parents=True, exist_ok=True)
        self._pool = pool
        self._gpus = _gpus(pool)
        self._shares: list[dict[str, Any]] = [{}] * pool.workers
        if pool.workers > 1:
            turns = {"lock": str((pool.logs / "timing.lock").absolute())} if pool.timed and not self._gpus else {}
            self._shares = [{"cores": cores, **turns} for cores in shares(pool.workers)]
        self._stillborn = 0
        self._selector = selectors.DefaultSelector()
        self._workers: dict[int, _Worker] = {}
        for number in range(pool.workers):
            self._spawn(number)

    @property
    def capacity(self) -> int:
        return sum(worker.idle for worker in self._workers.values())

    def submit(self, spec: Spec) -> None:
        """Give it to an idle worker; where the last of them died since `capacity` counted it, to the one in its place.

        Raises: ExecutorError where workers keep dying before they are ready.
        """
        free = [number for number, worker in self._workers.items() if worker.job is None and not worker.cancelled]
        number = next((number for number in free if self._workers[number].idle), free[0])
        if not self._workers[number].idle:
            self._bury(number)
        self._workers[number].send(spec)

    def wait(self, timeout: float) -> list[Result]:
        results = []
        for key, _ in self._selector.select(timeout):
            number = key.data
            worker = self._workers[number]
            chunk = os.read(worker.stdout.fileno(), 1 << 20)
            if not chunk:
                results += self._bury(number)
                continue
            worker.buffer += chunk
            while b"\n" in worker.buffer and number in self._workers and worker is self._workers[number]:
                line, worker.buffer = worker.buffer.split(b"\n", 1)
                results += self._read(number, line)
        return results

    def age(self, job: int) -> float:
        return next((worker.age for worker in self._workers.values() if worker.job == job), 0.0)

    def cancel(self, job: int, reason: str) -> None:
        for worker in self._workers.values():
            if worker.job == job:
                worker.cancelled = reason
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(worker.process.pid, signal.SIGKILL)

    def close(self) -> None:
        for worker in self._workers.values():
            worker.stop()
        self._selector.close()

    def _spawn(self, number: int) -> None:
        worker = self._workers[number] = _Worker(
            number, self._pool, self._shares[number], self._gpus[number] if self._gpus else ""
        )
        self._selector.register(worker.stdout, selectors.EVENT_READ, number)

    def _bury(self, number: int, reason: str = "") -> list[Result]:
        """Replace a worker that died, hung or answered nonsense."""
        worker = self._workers[number]
        self._selector.unregister(worker.stdout)
        worker.stop(patience=1.0)  # its pipe is closed: let it end, and say how
        strike = 1 if (worker.process.returncode or 0) < 0 else _BY_ITSELF
        self._stillborn = 0 if worker.ready or worker.cancelled else self._stillborn + strike
        if self._stillborn >= _STILLBORN:
            log = self._pool.logs / f"worker-{number}.log"
            raise ExecutorError(f"workers do not start ({_cause(worker.process.returncode)}): see {log}")
        self._spawn(number)
        if worker.job is None:
            return []
        why = worker.cancelled or reason or _cause(worker.process.returncode)
        seconds = time.monotonic() - worker.started
        return [Result(worker.job, error=why, lost=True, cancelled=bool(worker.cancelled), seconds=seconds)]

    def _read(self, number: int, line: bytes) -> list[Result]:
        worker = self._workers[number]
        try:
            reply = json.loads(line)
            if reply == {"ready": True}:
                worker.ready = True
                self._stillborn = 0
                return []
            if isinstance(reply.get("waiting"), bool):
                worker.turn(reply["waiting"])
                return []
            if reply["job"] != worker.job:
                raise ValueError(line)
            error = str(reply.get("error", ""))
            seconds = min(float(reply["seconds"]), worker.age)  # without what it waited
            result = Result(reply["job"], reply.get("readings", {}), reply.get("environment", {}), seconds, error)
        except (ValueError, KeyError, TypeError, AttributeError):
            return self._bury(number, f"the worker answered nonsense: {line[:80]!r}")
        worker.job = None
        return [result]


def check_device(device: str, only: tuple[str, int | None]) -> None:
    """Nothing where this machine is the kind that the study's times are of. Raises: EngineError."""
    import torch

    from nas.environment import cpu_name, environment

    here = str(environment(device).get("gpu", "")) if device.startswith("cuda") else cpu_name()
    name, threads = only
    if here and here != name:
        raise EngineError(
            f"this study's times are of {name}; this machine has {here}, and times of two devices do not compare",
            "go on where it began, or start another with --study NAME",
        )
    if threads is not None and threads != torch.get_num_threads():
        raise EngineError(
            f"this study's times were taken with {threads} threads; here are {torch.get_num_threads()}",
            f"set OMP_NUM_THREADS={threads}, or start another study with --study NAME",
        )


def _gpus(pool: Pool) -> list[str]:
    """The GPU of each worker; none where they need not be told apart."""
    if pool.workers == 1 or not pool.device.startswith("cuda"):
        return []
    if pool.device != "cuda":
        raise EngineError(f"--workers {pool.workers}: {pool.device} is one GPU, and takes one worker", "--device cuda")
    import torch

    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    found = seen.split(",") if seen else [str(number) for number in range(torch.cuda.device_count())]
    if len(found) < pool.workers:
        raise EngineError(
            f"--workers {pool.workers}: there are {len(found)} GPUs here, and each takes one worker",
            f"--workers {max(1, len(found))}",
        )
    return found[: pool.workers]


def _cause(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"the worker was killed by {name}" + (" (out of memory?)" if code == -signal.SIGKILL else "")
    return f"the worker ended with exit code {code}"
