"""The search loop: ask → decode → closed-form cost → over a limit? note the excess, measure nothing → measure → tell.

One driver owns the study. Workers get a spec and return readings; they never see the storage.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import optuna
from optuna.trial import Trial, TrialState

from nas.arch import Architecture
from nas.foreign import Foreign
from nas.recipe import Recipe, parse_duration
from nas.record import Record
from nas.study.executors import Executor, Result, Spec
from nas.study.ledger import Ledger
from nas.study.outcome import Outcomes, now, stored
from nas.study.queue import INTERRUPTED, Queue
from nas.study.space import Space
from nas.study.storage import records

Stopped = Literal["done", "timeout", "interrupted", "exhausted"]
GRACE = 8.0  # seconds that running trials get to finish after an interrupt
_MOST_FREE = 2_000  # trials in a row that are over a limit, or known, after which the search gives up
_TICK = 0.25


class Listener(Protocol):
    """Who watches a search."""

    def told(self, record: Record) -> None:
        """A trial has ended, whatever its state."""
        ...

    def tick(self) -> None:
        """Called a few times a second while measurements run."""
        ...


@dataclass(frozen=True, slots=True)
class _Job:
    """A network being measured, and the trials that wait for it; a baseline outside the space has none."""

    arch: Architecture | Foreign
    trials: list[Trial]
    baseline: str
    started: str
    deadline: float  # monotonic


@dataclass
class Search:
    """One driver of one study. Set `stop` (from a signal handler, say) to end `run` early and cleanly."""

    study: optuna.Study
    recipe: Recipe
    space: Space
    executor: Executor
    device: str
    baselines: Mapping[str, Architecture | Foreign] = field(default_factory=dict)
    listener: Listener | None = None
    stop: Stopped | None = None

    def __post_init__(self) -> None:
        self._outcomes = Outcomes(self.study.study_name, self.recipe, self.space)
        self.objectives = self._outcomes.objectives
        trials = self.study.get_trials(deepcopy=False)
        repeats = [trial.user_attrs["retry_of"] for trial in trials if "retry_of" in trial.user_attrs]
        self.ledger = Ledger.of(self.objectives, records(self.study), repeats)
        self._queue = Queue(self.study, self.space, self.ledger, self._outcomes, self.recipe.seed)
        self._workers = self.executor.capacity
        self._jobs: dict[int, _Job] = {}
        self._submitted = 0
        self._free = 0  # trials in a row that cost nothing
        self._outside: dict[str, Architecture | Foreign] = {}
        self._end = float("inf")

    @property
    def done(self) -> int:
        """Networks of the recipe's total that are measured, or failed for good."""
        return self.ledger.done

    @property
    def running(self) -> int:
        """Networks being measured for the total; a baseline outside the space is none of it."""
        return sum(bool(job.trials) for job in self._jobs.values())

    def run(self) -> Stopped:
        """Measure until the recipe's total is reached, time is up, nothing is left to try, or `stop` is set."""
        self._prepare()
        end = time.monotonic() + (parse_duration(self.recipe.timeout) if self.recipe.timeout else float("inf"))
        while True:
            if self.stop is None and time.monotonic() > end:
                self.stop = "timeout"
            started = self.stop is None and self.executor.capacity > 0 and self._start_next()
            if not self._jobs and not started:
                return self.stop or "done"
            for result in self.executor.wait(0 if started else _TICK) if self._jobs else ():
                self._finish(result)
            self._enforce_deadlines()
            if self.listener:
                self.listener.tick()

    def _prepare(self) -> None:
        """Settle what an earlier driver left, and queue what is measured before the sampler is asked."""
        for record in self._queue.recover():
            self._note(record)
        inside: dict[str, Architecture] = {}
        for name, arch in self.baselines.items():
            if isinstance(arch, Architecture) and arch in self.space:
                inside[name] = arch
            elif arch.id not in self.ledger.measured:
                self._outside[name] = arch
        self._queue.fill(inside)

    # From asking to measuring.

    def _start_next(self) -> bool:
        """Start one more measurement, or tell a trial that needs none; False when there is nothing to start."""
        if self._outside:
            name = next(iter(self._outside))
            self._submit(self._outside.pop(name), [], name)
            return True
        if self.done + self.running >= self.recipe.trials or (self.space.listed and not self._queue.waiting):
            return False
        if (self._free >= _MOST_FREE or self._queue.tried_out) and not self._queue.waiting:  # a retry may be due
            self.stop = "exhausted"
            return False
        trial = self.study.ask()
        arch = self.space.suggest(trial)
        known = {key: reading.value for key, reading in self._outcomes.computed(arch).items()}
        excess = self._outcomes.excess(known)
        baseline = trial.user_attrs.get("baseline", "")
        if any(value > 0 for value in excess.values()) and not baseline:  # a yardstick is measured, over a limit or not
            self._free += 1
            record = self._outcomes.record(arch, trial.number, trial.user_attrs, "infeasible")
            self._tell(trial, replace(record, excess=excess))
            return True
        waiting = next((job for job in self._jobs.values() if job.arch == arch), None)
        if arch.id in self.ledger.measured or waiting:
            self._free += 1
            self._queue.add_neighbour(trial, {job.arch.id for job in self._jobs.values()})
            if waiting:
                waiting.trials.append(trial)
            else:
                self._tell_reading(trial, arch, self.ledger.measured[arch.id])
            return True
        self._free = 0
        self._submit(arch, [trial], baseline)
        return True

    def _submit(self, arch: Architecture | Foreign, trials: list[Trial], baseline: str) -> None:
        repeats = max(self.recipe.repeats, self.recipe.baseline_repeats if baseline else 1)
        settings = {
            "measure": list(self.recipe.measured),
            "timing": self.recipe.timing.model_dump(mode="json"),
            "training": self.recipe.training.model_dump(mode="json"),
            "device": self.device,
            "repeats": repeats,
        }
        self._submitted += 1
        deadline = time.monotonic() + parse_duration(self.recipe.trial_timeout) * repeats
        self._jobs[self._submitted] = _Job(arch, trials, baseline, now(), deadline)
        self.executor.submit(Spec(str(arch), settings, self.recipe.seed, self._submitted))

    def _enforce_deadlines(self) -> None:
        moment = time.monotonic()
        if self.stop == "interrupted" and self._end == float("inf"):
            self._end = moment + GRACE
        for number, job in self._jobs.items():
            if moment > self._end:
                self.executor.cancel(number, INTERRUPTED)
            elif moment > job.deadline:
                self.executor.cancel(number, f"longer than its time limit of {self.recipe.trial_timeout}")

    # From a result to a told trial.

    def _finish(self, result: Result) -> None:
        job = self._jobs.pop(result.job)
        first = job.trials[0] if job.trials else None
        number, attrs = (first.number, first.user_attrs) if first else (None, {"baseline": job.baseline})
        record = replace(
            self._outcomes.record(job.arch, number, attrs, "failed"),
            reason=result.error,
            started=job.started,
            seconds=round(result.seconds, 3),
            environment={**result.environment, "workers": self._workers},
        )
        if not result.error:
            record = self._outcomes.completed(record, result.readings)
        if first is None:
            self.study.set_user_attr(f"baseline:{job.arch.id}", record.to_json())
            self._note(record)
            return
        if result.error == INTERRUPTED:
            attempt = first.user_attrs.get("attempt", 0)
            self._queue.retry(first.number, first.params, first.user_attrs, attempt=attempt)
        self._tell(first, record)
        for follower in job.trials[1:]:
            if record.state == "complete":
                self._tell_reading(follower, job.arch, record)
            else:
                own = self._outcomes.record(job.arch, follower.number, follower.user_attrs, "failed")
                self._tell(follower, replace(own, reused=first.number, reason=record.reason))

    def _tell_reading(self, trial: Trial, arch: Architecture | Foreign, known: Record) -> None:
        """Tell a trial of a network that was measured before: its readings, and whose they are."""
        record = self._outcomes.record(arch, trial.number, trial.user_attrs, "complete")
        record = replace(record, readings=known.readings, excess=known.excess, environment=known.environment)
        self._tell(trial, replace(record, reused=known.trial))

    def _tell(self, trial: Trial, record: Record) -> None:
        trial.set_user_attr("record", stored(record))
        if record.state != "failed":
            for limit in self._outcomes.limits:
                trial.set_constraint(str(limit), record.excess[str(limit)])
        if record.state == "complete":
            values = [objective.value(record.values) for objective in self.objectives]
            self.study.tell(trial, [float(value) for value in values if value is not None])
        else:
            self.study.tell(trial, state=TrialState.PRUNED if record.state == "infeasible" else TrialState.FAIL)
        self._note(record)

    def _note(self, record: Record) -> None:
        self.ledger.add(record)
        if self.listener:
            self.listener.told(record)
