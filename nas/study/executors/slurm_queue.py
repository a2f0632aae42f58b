"""What becomes of submitted jobs: Slurm's own queue, asked with squeue, or processes that submitit started here."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Collection
from typing import Any, Protocol

_ASK_S = 10.0  # between two questions to Slurm's controller, for all jobs together
_ANSWER_S = 20.0  # that it has for an answer
_LEAVE_S = 5.0  # that local processes have to end
_ALIVE = frozenset({
    "PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "STAGE_OUT", "SIGNALING", "RESIZING",
    "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD",
})  # fmt: skip
_PAUSED = frozenset({"SUSPENDED", "STOPPED"})

Job = Any  # of submitit, which is typed but may not be installed


class JobQueue(Protocol):
    """Where jobs wait and run."""

    settle: float  # seconds for which the reply of a job that has ended may still be on its way to us

    def ended(self, job: Job) -> str:
        """How a job ended, in Slurm's words; empty while it waits or runs, and while nobody knows."""
        ...

    def paused(self, job: Job) -> bool:
        """Whether a job is suspended: then its heartbeat says nothing."""
        ...

    def cancel(self, jobs: Collection[Job]) -> None:
        """End these jobs."""
        ...

    def close(self, jobs: Collection[Job]) -> None:
        """End these jobs, and see them gone where they are processes of this machine."""
        ...


class SlurmQueue:
    """Slurm's queue. It needs no accounting: the controller itself remembers how a job ended for some minutes."""

    settle = 15.0  # files of another machine take their time

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._states: dict[str, str] = {}
        self._seen: set[str] = set()
        self._asked = float("-inf")
        self._silent = False

    def ended(self, job: Job) -> str:
        self._refresh()
        state = self._states.get(job.job_id, "")
        if state and state not in _ALIVE:
            return state
        return "it is gone from Slurm's queue" if not state and job.job_id in self._seen and not self._silent else ""

    def paused(self, job: Job) -> bool:
        return self._states.get(job.job_id) in _PAUSED

    def cancel(self, jobs: Collection[Job]) -> None:
        names = [job.job_id for job in jobs]
        if names:
            with contextlib.suppress(OSError, subprocess.SubprocessError):  # they end without it: their spec is gone
                command = ["scancel", "--quiet", *names]
                subprocess.run(command, capture_output=True, timeout=_LEAVE_S, check=False)

    def close(self, jobs: Collection[Job]) -> None:
        self.cancel(jobs)

    def _refresh(self) -> None:
        if time.monotonic() < self._asked + _ASK_S:
            return
        self._asked = time.monotonic()
        command = ["squeue", "--noheader", "--states=all", f"--user={os.getuid()}", "--format=%i|%T"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_S, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            if not self._silent:
                self._say(f"Slurm does not answer ({said[0] if said else error}); trials that run go on")
            self._silent = True
            return
        if self._silent:
            self._say("Slurm answers again")
        self._silent = False
        lines = (line.partition("|") for line in done.stdout.splitlines())
        self._states = {name: state for name, _, state in lines}
        self._seen |= self._states.keys()


class LocalQueue:
    """Processes of this machine that submitit started in place of jobs."""

    settle = 0.0

    def ended(self, job: Job) -> str:
        state = str(job.state)
        return "" if state == "RUNNING" else state

    def paused(self, job: Job) -> bool:
        del job
        return False

    def cancel(self, jobs: Collection[Job]) -> None:
        for job in jobs:
            job.cancel(check=False)

    def close(self, jobs: Collection[Job]) -> None:
        self.cancel(jobs)
        end = time.monotonic() + _LEAVE_S
        while any(job.state == "RUNNING" for job in jobs) and time.monotonic() < end:
            time.sleep(0.02)
