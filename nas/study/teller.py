"""From a result to a told trial: its record, whether it is tried once more, and who hears of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import optuna
from optuna.trial import Trial, TrialState

from nas.arch import Architecture
from nas.foreign import Foreign
from nas.record import Record
from nas.study.driver import driver_storage, tell
from nas.study.executors import Result
from nas.study.ledger import Ledger
from nas.study.outcome import Outcomes, stored
from nas.study.queue import INTERRUPTED, Queue

_RETRIES = 1  # of a network whose worker was lost


class Listener(Protocol):
    """Who watches a search."""

    def told(self, record: Record) -> None:
        """A trial has ended, whatever its state."""
        ...

    def tick(self) -> None:
        """Called a few times a second while measurements run."""
        ...

    def note(self, text: str) -> None:
        """Something happened that is no trial: the storage is away, a worker was lost."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A network to be measured, and the trials that ask for it; a baseline outside the space has none."""

    arch: Architecture | Foreign
    trials: list[Trial]
    baseline: str


@dataclass(frozen=True, slots=True)
class Job(Asked):
    """A network being measured."""

    started: str
    longest: float  # seconds that it may run


@dataclass
class Teller:
    """Tells the trials of one study, keeps its ledger, and says to the listeners what came of each."""

    study: optuna.Study
    outcomes: Outcomes
    ledger: Ledger
    queue: Queue
    listeners: list[Listener]
    _lost: set[str] = field(default_factory=set)  # ids of baselines outside the space whose worker was lost

    def finish(self, job: Job, result: Result, environment: Mapping[str, Any]) -> bool:
        """Tell all trials of a job what came of it, and enqueue its network again where it deserves that.

        `environment`: what the driver adds to the worker's. True for a baseline outside the space, which has no trial
        to enqueue, if it is to be tried once more.
        """
        first = job.trials[0] if job.trials else None
        number, attrs = (first.number, first.user_attrs) if first else (None, {"baseline": job.baseline})
        record = replace(
            self.outcomes.record(job.arch, number, attrs, "failed"),
            reason=result.error,
            started=job.started,
            seconds=round(result.seconds, 3),
            environment={**result.environment, **environment},
        )
        if not result.error:
            record = self.outcomes.completed(record, result.readings)
        lost = result.lost and not result.cancelled  # what died with it says nothing of the network
        if first is None:
            return self._finish_outside(record, lost=lost)
        again = result.error == INTERRUPTED or (lost and first.user_attrs.get("attempt", 0) < _RETRIES)
        if again:
            self._retry(first, int(lost))
        self.tell(first, record)
        for follower in job.trials[1:]:
            if record.state == "complete":
                self.tell_reading(follower, job.arch, record)
            else:
                if again and "baseline" in follower.user_attrs:  # else its name would stay without a reading
                    self._retry(follower, int(lost))
                own = self.outcomes.record(job.arch, follower.number, follower.user_attrs, "failed")
                self.tell(follower, replace(own, reused=first.number, reason=record.reason))
        return False

    def give_back(self, asked: Asked) -> None:
        """Fail what was asked for and not measured, and queue it for the next driver."""
        for trial in asked.trials:
            record = replace(
                self.outcomes.record(asked.arch, trial.number, trial.user_attrs, "failed"), reason=INTERRUPTED
            )
            if trial is asked.trials[0]:
                self._retry(trial, 0)
                self.tell(trial, record)
            else:
                self.tell(trial, replace(record, reused=asked.trials[0].number))

    def tell_reading(self, trial: Trial, arch: Architecture | Foreign, known: Record) -> None:
        """Tell a trial of a network that was measured before: its readings, and whose they are."""
        record = self.outcomes.record(arch, trial.number, trial.user_attrs, "complete")
        record = replace(record, readings=known.readings, excess=known.excess, environment=known.environment)
        self.tell(trial, replace(record, reused=known.trial))

    def tell(self, trial: Trial, record: Record) -> None:
        """End a trial in the study, the ledger and before the listeners."""
        trial.set_user_attr("record", stored(record))
        if record.state != "failed":
            for limit in self.outcomes.limits:
                trial.set_constraint(str(limit), record.excess[str(limit)])
        if record.state == "complete":
            values = [objective.value(record.values) for objective in self.outcomes.objectives]
            tell(self.study, trial, TrialState.COMPLETE, [float(value) for value in values if value is not None])
        else:
            tell(self.study, trial, TrialState.PRUNED if record.state == "infeasible" else TrialState.FAIL, None)
        self.enter(replace(record, settings=trial.params))

    def enter(self, record: Record) -> None:
        """Enter a record that is stored into the ledger, and show it."""
        self.ledger.add(record)
        for listener in self.listeners:
            listener.told(record)

    def _finish_outside(self, record: Record, *, lost: bool) -> bool:
        """A baseline that is no trial is stored beside the trials; whether it is tried once more."""
        again = lost and record.id not in self._lost
        if again:
            self._lost.add(record.id)
        self.study.set_user_attr(f"baseline:{record.id}", record.to_json())
        driver_storage(self.study).commit()
        self.enter(record)
        return again

    def _retry(self, trial: Trial, more: int) -> None:
        attempt = trial.user_attrs.get("attempt", 0) + more
        self.queue.retry(trial.number, trial.params, trial.user_attrs, attempt=attempt)
