"""Slurm through submitit: one job a trial.

Driver and jobs share a folder, and nothing else: a spec and its reply are JSON files, and a heartbeat beside them tells
a job that runs from one whose node died, which Slurm without accounting never reports. submitit pickles the function
that it submits (a name and three words), for its own process in the job to read in a folder of mode 0700; what a job
answers is never read from a pickle.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nas.files import write_whole
from nas.study.executors import EngineError, ExecutorError, Pool, Result, Spec
from nas.study.executors.slurm_folder import RunFolder
from nas.study.executors.slurm_job import Place, Pulse, keep_beating, run
from nas.study.executors.slurm_options import asked
from nas.study.executors.slurm_queue import Job, JobQueue, LocalQueue, SlurmQueue

_TOOLS = ("sbatch", "srun", "squeue", "scancel")
_PAUSES = (1, 2, 4, 8, 15, 30, 60, 60, 60, 60)  # seconds before each further try to submit: five minutes in all
_MOST_STILLBORN = 3
_PERMANENT = ("invalid", "not permitted", "not allowed", "unrecognized", "unknown")  # in what sbatch says


@dataclass(slots=True)
class _Trial:
    """A spec that was taken, and the job it became."""

    place: Place
    pulse: Pulse
    job: Job = None  # None while it could not be submitted
    tries: int = 0
    due: float = 0.0  # monotonic: when to try again
    began: float | None = None  # monotonic: first heartbeat seen
    ended: float | None = None  # monotonic: first seen as ended
    paused: float = field(default_factory=time.monotonic)  # last seen suspended


class SlurmExecutor:
    """One Slurm job a trial, `pool.workers` at a time.

    `parameters`: words for sbatch, such as {"partition": "gpu", "time": "60"}. `cluster`: "local" runs processes of
    this machine in place of jobs. `patience`: seconds without a heartbeat after which a job is lost.
    Raises: EngineError where submitit or Slurm is missing, or a parameter is unknown.
    """

    def __init__(
        self, pool: Pool, parameters: Mapping[str, str], *, cluster: str = "slurm", patience: float = 60.0
    ) -> None:
        if pool.device.startswith("cuda:"):
            raise EngineError(f"engine slurm: device {pool.device}: Slurm picks each job's GPU", "give --device cuda")
        self._pool, self._cluster, self._patience = pool, cluster, patience
        self._words = _checked(pool, parameters, cluster)
        self._queue: JobQueue = LocalQueue() if cluster == "local" else SlurmQueue(pool.say)
        self._poll = 0.05 if cluster == "local" else 0.5
        self._run = RunFolder(pool.logs)
        self._folder = self._run.path
        self._trials: dict[int, _Trial] = {}
        self._ready: list[Result] = []
        self._stillborn = 0
        self._stop = threading.Event()
        self._beating = threading.Thread(target=keep_beating, args=(self._folder / "driver.beat", self._stop))
        self._beating.daemon = True
        self._beating.start()

    @property
    def capacity(self) -> int:
        return self._pool.workers - len(self._trials)

    def submit(self, spec: Spec) -> None:
        place = Place(self._folder, spec.job)
        document = {"architecture": spec.architecture, "settings": spec.settings, "seed": spec.seed, "job": spec.job}
        write_whole(place.spec, json.dumps(document).encode(), 0o600)
        trial = self._trials[spec.job] = _Trial(place, Pulse(place.beat))
        self._submit(trial)

    def wait(self, timeout: float) -> list[Result]:
        end = time.monotonic() + timeout
        while True:
            results, self._ready = [*self._ready, *self._look()], []
            left = end - time.monotonic()
            if results or left <= 0:
                return results
            time.sleep(min(self._poll, left))

    def age(self, job: int) -> float:
        trial = self._trials.get(job)
        return time.monotonic() - trial.began if trial is not None and trial.began is not None else 0.0

    def cancel(self, job: int, reason: str) -> None:
        trial = self._trials.get(job)
        if trial is None or trial.place.reply.exists():
            return
        self._ready.append(Result(job, error=reason, lost=True, cancelled=True, seconds=self.age(job)))
        self._drop(job, trial)

    def close(self) -> None:
        trials, self._trials = self._trials, {}
        for trial in trials.values():
            trial.place.spec.unlink(missing_ok=True)
        self._queue.close([trial.job for trial in trials.values() if trial.job is not None])
        self._stop.set()
        self._beating.join()
        self._run.close()

    # From a spec to a job.

    def _submit(self, trial: _Trial) -> None:
        try:
            trial.job = self._start(trial.place)
        except (OSError, RuntimeError) as error:
            reason = _reason(error)
            if any(word in reason.lower() for word in _PERMANENT):
                raise ExecutorError(f"sbatch refuses: {reason}") from None
            if trial.tries >= len(_PAUSES):
                raise ExecutorError(f"sbatch fails, {trial.tries + 1} times in a row: {reason}") from None
            if not trial.tries:
                self._pool.say(f"sbatch fails ({reason}); trying again")
            trial.due = time.monotonic() + _PAUSES[trial.tries]
            trial.tries += 1

    def _start(self, place: Place) -> Job:
        import submitit

        # A new one each time: it holds the next submission back by the clock of the wall, which may be set.
        executor = submitit.AutoExecutor(self._folder, cluster=self._cluster)
        executor.update_parameters(**self._words)
        before = os.umask(0o077)  # submitit's files, and the job's
        try:
            with contextlib.redirect_stderr(io.StringIO()):  # the error says it again
                return executor.submit(run, str(self._folder), place.job, self._pool.evaluate)
        finally:
            os.umask(before)

    # From a job to a result.

    def _look(self) -> list[Result]:
        results = []
        names = {path.name for path in self._folder.iterdir()} if self._trials else set()  # NFS then asks its server
        for number, trial in list(self._trials.items()):
            if trial.job is None:
                if time.monotonic() >= trial.due:
                    self._submit(trial)
                continue
            result = self._reply(number, trial) if trial.place.reply.name in names else self._loss(number, trial)
            if result is not None:
                self._drop(number, trial, running=result.lost)
                results.append(result)
        return results

    def _reply(self, number: int, trial: _Trial) -> Result | None:
        self._stillborn = 0
        try:
            text = trial.place.reply.read_text(encoding="utf-8", errors="replace")
        except OSError:  # a server of files that does not answer: it may again
            return None
        try:
            reply = json.loads(text)
            if reply["job"] != number:
                raise ValueError(text)
            error, lost = str(reply.get("error", "")), str(reply.get("lost", ""))
            readings, environment = dict(reply.get("readings", {})), dict(reply.get("environment", {}))
            return Result(number, readings, environment, float(reply["seconds"]), error or lost, lost=bool(lost))
        except (ValueError, KeyError, TypeError, AttributeError):
            return Result(
                number, error=f"the job answered nonsense: {text[:80]!r}", lost=True, seconds=self.age(number)
            )

    def _loss(self, number: int, trial: _Trial) -> Result | None:
        """Why a job without a reply will give none; None while it may."""
        now = time.monotonic()
        silent = trial.pulse.look()
        if trial.pulse.begun and trial.began is None:
            trial.began, self._stillborn = now, 0
        if self._queue.paused(trial.job):
            trial.paused = now
        if how := self._queue.ended(trial.job):
            trial.ended = now if trial.ended is None else trial.ended
            if now < trial.ended + self._queue.settle or trial.place.reply.exists():
                return None
            reason = f"the job ended without an answer: {how}{self._last_words(trial)}"
            self._count_stillborn(trial, how, reason)
            return Result(number, error=reason, lost=True, seconds=self.age(number))
        trial.ended = None
        if trial.began is None or min(silent, now - trial.paused) < self._patience:
            return None
        reason = f"nothing was heard of the job for {silent:.0f} s: its node died, or it hangs"
        return Result(number, error=reason, lost=True, seconds=self.age(number))

    def _count_stillborn(self, trial: _Trial, how: str, reason: str) -> None:
        if trial.began is not None or how not in ("COMPLETED", "FAILED", "FINISHED"):
            return
        self._stillborn += 1
        if self._stillborn >= _MOST_STILLBORN:
            raise ExecutorError(f"jobs do not start: {reason}; see {self._folder}")

    def _last_words(self, trial: _Trial) -> str:
        """The last line of the job's standard error, where Slurm says that it ran out of memory."""
        try:
            lines = Path(trial.job.paths.stderr).read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            return ""
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f" ({''.join(c for c in last if c.isprintable())[:200]})" if last else ""

    def _drop(self, number: int, trial: _Trial, *, running: bool = True) -> None:
        """Forget a job, its files but its logs, and end it where it may still run."""
        del self._trials[number]
        files = [trial.place.spec, trial.place.beat, trial.place.reply]
        if trial.job is not None:
            files += [trial.job.paths.submitted_pickle, trial.job.paths.submission_file]
            if running:
                self._queue.cancel([trial.job])
        for path in files:
            Path(path).unlink(missing_ok=True)


def _checked(pool: Pool, parameters: Mapping[str, str], cluster: str) -> dict[str, Any]:
    """What submitit is told of each job. Raises: EngineError."""
    try:
        import submitit
    except ImportError:
        raise EngineError("engine slurm: submitit is not installed", "pip install 'nas[slurm]'") from None
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None] if cluster == "slurm" else []
    if missing:
        raise EngineError(
            f"engine slurm: there is no {missing[0]} on this machine", "run nas on a login node of the cluster"
        )
    generic, slurm = submitit.AutoExecutor._valid_parameters(), submitit.SlurmExecutor._valid_parameters()
    return asked(pool, parameters, generic, slurm)


def _reason(error: Exception) -> str:
    """The line of an error that says most: sbatch's own, where there is one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "error:" in line), lines[0] if lines else type(error).__name__)[:200]
