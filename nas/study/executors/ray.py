"""A Ray cluster, or a Ray of one's own on this machine: each job is a Ray core task, placed on a node by us.

The driver never imports Ray, whose core ends the process that uses it when the head is lost for long: a gateway
process does (`ray_gateway`). When it or the head is lost, its jobs are lost, and another is started until one gets
through.
"""

from __future__ import annotations

import importlib.util
import os
import selectors
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from nas.study.executors import EngineError, ExecutorError, Pool, Result, Spec
from nas.study.executors.ray_join import Plan
from nas.study.executors.ray_link import Link, short_folder

_JOIN_S = 90.0  # a cold start of Ray took 9 s on two busy cores
_PROBE_S = 15.0  # a cluster that has no node to run on yet may get one later
_SHUT_S = 15.0
_CANCEL_S = 30.0  # a cancelled task that is not heard of for so long is given up
_LONGEST_WAIT_S = 30.0


class RayExecutor:
    """Jobs on Ray. `address`: HOST:PORT or auto joins a cluster; None starts a Ray of its own, on loopback.

    `only`: device and threads that earlier timings of the study were taken on, the threads None where they do not
    matter; else a timed study takes the kind of node with the most room. `patience`: seconds without an answer after
    which the head is lost.
    """

    def __init__(
        self,
        pool: Pool,
        address: str | None,
        *,
        allow_open: bool = False,
        only: tuple[str, int | None] | None = None,
        patience: float = 10.0,
    ) -> None:
        """Raises: EngineError."""
        if importlib.util.find_spec("ray") is None:
            raise EngineError("engine ray: Ray is not installed", "pip install 'nas[ray]'")
        if pool.device.startswith("cuda:"):
            message = f"engine ray: device {pool.device} names one GPU of one machine, and Ray gives each trial its own"
            raise EngineError(message, "--device cuda")
        pool.logs.mkdir(parents=True, exist_ok=True)
        self._pool, self._address, self._open, self._only, self._patience = pool, address, allow_open, only, patience
        self._selector = selectors.DefaultSelector()
        self._submitted: dict[int, float] = {}
        self._began: dict[int, float] = {}
        self._cancelled: dict[int, tuple[str, float]] = {}
        self._again, self._next = 1.0, 0.0
        self._refused = ("", "")  # why a gateway did not join, and what to do
        self._lost = False
        self._broken = ""  # why no node can run trials
        self._link: Link | None = self._start()
        self._first()

    @property
    def capacity(self) -> int:
        if self._link is None or not self._link.ready:
            return 0
        return max(0, min(self._pool.workers, self._link.slots) - len(self._submitted))

    def submit(self, spec: Spec) -> None:
        assert self._link is not None
        self._submitted[spec.job] = time.monotonic()
        self._link.send(submit={**asdict(spec), "settings": dict(spec.settings)})

    def wait(self, timeout: float) -> list[Result]:
        if self._broken:
            raise ExecutorError(f"workers do not start on Ray ({self._broken}): see {self._pool.logs / 'ray.log'}")
        if self._link is None and not self._retry(timeout):
            return []
        results = self._given_up()
        if results or not self._selector.select(timeout):
            return results + self._too_late()
        assert self._link is not None
        messages = self._link.lines()
        if messages is None:
            return self._bury()
        for message in messages:
            results += self._read(message)
        return results

    def age(self, job: int) -> float:
        return time.monotonic() - self._began[job] if job in self._began else 0.0

    def cancel(self, job: int, reason: str) -> None:
        if job in self._submitted and self._link is not None and job not in self._cancelled:
            self._cancelled[job] = (reason, time.monotonic())
            self._link.send(cancel=job)

    def close(self) -> None:
        if self._link is not None:
            self._selector.unregister(self._link.stdout)
            self._link.stop(_SHUT_S, self._pool.logs / "ray-workers.log")
            self._link = None
        self._selector.close()

    # the gateway

    def _start(self) -> Link:
        folder = tempfile.mkdtemp(prefix="nas-ray-", dir=short_folder())
        device, threads = self._only or (None, None)
        timed, workers = self._pool.timed, self._pool.workers
        plan = Plan(
            address=self._address or "",
            evaluate=self._pool.evaluate,
            gpu=self._pool.device.startswith("cuda"),
            timed=timed,
            cpus=_cores() if timed else max(_cores(), workers),
            allow_open=self._open,
            patience=self._patience,
            folder=folder,
            device=device,
            threads=threads,
        )
        link = Link(plan, self._pool.logs / "ray.log")
        self._selector.register(link.stdout, selectors.EVENT_READ)
        return link

    def _first(self) -> None:
        """Wait for the first gateway: what is wrong at once is the user's to mend."""
        deadline = time.monotonic() + _JOIN_S
        try:
            while self._link is not None and not self._link.ready and time.monotonic() < deadline:
                self.wait(0.5)
            if self._link is None or not self._link.ready:
                why, hint = self._refused
                log = self._pool.logs / "ray.log"
                raise EngineError(why or "engine ray: Ray does not start", hint or f"see {log}")
            deadline = time.monotonic() + _PROBE_S
            while not (self._broken or self.capacity) and time.monotonic() < deadline:
                self.wait(0.5)
        except BaseException:
            self.close()
            raise

    def _retry(self, timeout: float) -> bool:
        """Start another gateway when its time has come; else sleep, at most `timeout` seconds."""
        pause = self._next - time.monotonic()
        if pause > timeout:
            time.sleep(timeout)
            return False
        time.sleep(max(0.0, pause))
        self._again = min(2 * self._again, _LONGEST_WAIT_S)
        self._link = self._start()
        return True

    def _too_late(self) -> list[Result]:
        """Bury a gateway that neither joins nor says why not."""
        link = self._link
        if link is not None and not link.ready and time.monotonic() - link.started > _JOIN_S:
            return self._bury()
        return []

    def _bury(self) -> list[Result]:
        """The gateway is gone: so are its jobs."""
        link = self._link
        assert link is not None
        self._selector.unregister(link.stdout)
        link.stop(1.0, self._pool.logs / "ray-workers.log")
        self._link, self._next = None, time.monotonic() + self._again
        if link.ready:
            self._lost = True
            what = "the head is lost; waiting for it" if self._address else "its own Ray ended; starting another"
            self._pool.say(f"ray: {what}")
        reason = "the Ray head was lost" if self._address else "the Ray of this machine ended"
        return [self._end(job, error=reason, lost=True) for job in list(self._submitted)]

    # what it says

    def _read(self, message: Mapping[str, Any]) -> list[Result]:
        link = self._link
        assert link is not None
        match message:
            case {"job": job} if job in self._submitted:
                return [self._result(job, message)]
            case {"started": job} if job in self._submitted:
                self._began[job] = time.monotonic()
            case {"slots": int(slots)}:
                link.slots = slots
            case {"note": note}:
                self._pool.say(f"ray: {note}")
            case {"kind": [device, threads]}:
                self._only = (device, threads)
            case {"ready": address}:
                link.ready, self._again = True, 1.0
                self._address = self._address and address  # auto: the same cluster when it comes back
                if self._lost:
                    self._pool.say("ray: the head is back" if self._address else "ray: started again")
                self._lost, self._refused = False, ("", "")
            case {"refused": why, "hint": hint, "silent": silent}:
                if self._lost and not silent and why != self._refused[0]:
                    self._pool.say(f"ray: {why}")
                self._refused = (why, hint)
            case {"broken": why}:
                self._broken = why
        return []

    def _result(self, job: int, message: Mapping[str, Any]) -> Result:
        if "lost" in message:
            return self._end(job, error=str(message["lost"]), lost=True)
        reply = message["reply"]
        return self._end(
            job,
            readings=reply.get("readings", {}),
            environment=reply.get("environment", {}),
            seconds=float(reply["seconds"]),
            error=str(reply.get("error", "")),
        )

    def _end(self, job: int, **outcome: Any) -> Result:
        """The one result of a job; that of a cancelled one has the reason why."""
        begun = self._began.pop(job, self._submitted[job])
        del self._submitted[job]
        reason, _ = self._cancelled.pop(job, ("", 0.0))
        if outcome.get("lost"):
            outcome["seconds"] = time.monotonic() - begun
            if reason:
                outcome |= {"error": reason, "cancelled": True}
        return Result(job, **outcome)

    def _given_up(self) -> list[Result]:
        """Cancelled jobs of which nothing is heard, as on a node that hangs."""
        now = time.monotonic()
        late = [job for job, (_, since) in self._cancelled.items() if now - since > _CANCEL_S]
        return [self._end(job, error="", lost=True) for job in late]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
