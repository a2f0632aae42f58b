"""The search loop: ask → decode → closed-form cost → over a limit? note the excess, measure nothing → measure → tell.

One driver owns the study. Workers get a spec and return readings; they never see the storage.
"""

from __future__ import annotations

import itertools
import math
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal, Protocol

import optuna
from optuna.trial import Trial, TrialState

from nas.arch import Architecture
from nas.cost import cost
from nas.foreign import Foreign
from nas.metric import COMPUTED
from nas.recipe import Recipe, parse_duration
from nas.record import Reading, Record, State
from nas.study.executor import Executor, Result, Spec
from nas.study.grid_space import GridSpace
from nas.study.space import Space
from nas.study.ledger import Ledger
from nas.study.storage import record_of, records

Stopped = Literal["done", "timeout", "interrupted", "exhausted"]
GRACE = 8.0  # seconds that running trials get to finish after an interrupt
_MOST_FREE = 2_000  # trials in a row that are over a limit, or known, after which the search gives up
_MOST_FAILURES = 3  # of a baseline, after which a resumed search no longer tries it
_MOST_ATTEMPTS = 100  # draws for a neighbour that is new
_SMALL = 4096  # settings up to which a space is counted out
_TICK = 0.25
_INTERRUPTED = "interrupted"


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
        self.objectives = self.recipe.parsed_objectives
        self.limits = sorted(self.recipe.parsed_limits, key=str)
        trials = self.study.get_trials(deepcopy=False)
        repeats = [trial.user_attrs["retry_of"] for trial in trials if "retry_of" in trial.user_attrs]
        self.ledger = Ledger.of(self.objectives, records(self.study), repeats)
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
        self._recover()
        if isinstance(self.space, GridSpace):
            self._enqueue_members(self.space)
        else:
            self._enqueue_baselines()
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

    # Before the first ask.

    def _recover(self) -> None:
        """Fail the trials that a dead driver left running, and enqueue each of them once more."""
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            settings = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
            record = record_of(self.study.study_name, self.space, trial)
            record = replace(record, state="failed", reason="its driver died")
            if trial.user_attrs.get("attempt", 0) < 1 and trial.number not in self.ledger.retried:
                self._retry(trial.number, settings, trial.user_attrs, attempt=1)
            self.study._storage.set_trial_user_attr(trial._trial_id, "record", _stored(record))
            self.study.tell(trial.number, state=TrialState.FAIL)
            self._note(record)

    def _enqueue_baselines(self) -> None:
        trials = [t for t in self.study.get_trials(deepcopy=False) if "baseline" in t.user_attrs]
        failures = Counter(t.user_attrs["baseline"] for t in trials if t.state is TrialState.FAIL)
        known = {t.user_attrs["baseline"] for t in trials if t.state is not TrialState.FAIL}
        known |= {name for name, count in failures.items() if count >= _MOST_FAILURES}
        for name, arch in self.baselines.items():
            if isinstance(arch, Foreign) or arch not in self.space:
                if arch.id not in self.ledger.measured:
                    self._outside[name] = arch
            elif name not in known:
                self.study.enqueue_trial(self.space.encode(arch), user_attrs={"baseline": name})

    def _enqueue_members(self, space: GridSpace) -> None:
        """Enqueue every network of a grid that has no trial yet, and once more those that failed.

        The order is drawn from the seed: what drifts while the study runs then follows none of the three factors.
        """
        trials = self.study.get_trials(deepcopy=False)
        asked = [(t, {**t.system_attrs.get("fixed_params", {}), **t.params}) for t in trials]
        marks = {triple: mark for mark, triple in space.marked.items()}
        order = list(space.triples)
        random.Random(self.recipe.seed).shuffle(order)
        for triple in order:
            settings = space.settings(triple)
            own = [trial for trial, asked_for in asked if asked_for == settings]
            attrs = {"baseline": marks[triple]} if triple in marks else {}
            if not own:
                self.study.enqueue_trial(settings, user_attrs=attrs)
            elif own[-1].state is TrialState.FAIL and len(own) < _MOST_FAILURES:
                self._retry(own[-1].number, settings, attrs, attempt=1)

    def _retry(self, number: int, settings: Mapping[str, Any], attrs: Mapping[str, Any], attempt: int) -> None:
        baseline = {"baseline": attrs["baseline"]} if "baseline" in attrs else {}
        self.study.enqueue_trial(dict(settings), user_attrs={**baseline, "retry_of": number, "attempt": attempt})
        self.ledger.retried.add(number)

    # From asking to measuring.

    def _start_next(self) -> bool:
        """Start one more measurement, or tell a trial that needs none; False when there is nothing to start."""
        if self._outside:
            name = next(iter(self._outside))
            self._submit(self._outside.pop(name), [], name)
            return True
        listed = isinstance(self.space, GridSpace)  # nothing but its list is ever asked for
        if self.done + self.running >= self.recipe.trials or (listed and not self._waiting()):
            return False
        if self._exhausted():
            self.stop = "exhausted"
            return False
        trial = self.study.ask()
        arch = self.space.suggest(trial)
        excess = self._excess({key: reading.value for key, reading in self._computed(arch).items()})
        baseline = trial.user_attrs.get("baseline", "")
        if any(value > 0 for value in excess.values()) and not baseline:  # a yardstick is measured, over a limit or not
            self._free += 1
            record = self._record(arch, trial.number, trial.user_attrs, "infeasible")
            self._tell(trial, replace(record, excess=excess))
            return True
        waiting = next((job for job in self._jobs.values() if job.arch == arch), None)
        if arch.id in self.ledger.measured or waiting:
            self._free += 1
            self._enqueue_neighbour(trial)
            if waiting:
                waiting.trials.append(trial)
            else:
                self._tell_reading(trial, arch, self.ledger.measured[arch.id])
            return True
        self._free = 0
        self._submit(arch, [trial], baseline)
        return True

    def _enqueue_neighbour(self, trial: Trial) -> None:
        """After a network that is known already, try one that differs from it in a cell or a few.

        Samplers over discrete cells come back to their best networks: TPE suggested a known one every second time at
        400 trials of 28 cells. Telling it the same readings again would only draw it there more.
        """
        if isinstance(self.space, GridSpace) or isinstance(self.study.sampler, optuna.samplers.GridSampler):
            return
        taken = {*self.ledger.measured, *(job.arch.id for job in self._jobs.values())}
        generator = random.Random(f"{self.recipe.seed} {trial.number}")
        cells = list(self.space.cells.items())
        for attempt in range(_MOST_ATTEMPTS):
            changed = generator.sample(cells, min(len(cells), 1 + attempt // 20))
            settings = {**trial.params, **{name: generator.choice(cell.values) for name, cell in changed}}
            arch = self.space.decode(settings)
            if arch.id not in taken and all(value <= 0 for value in self._excess(asdict(cost(arch))).values()):
                self.study.enqueue_trial(settings, user_attrs={"neighbour_of": trial.number})
                return

    def _exhausted(self) -> bool:
        """Nothing new can come: a grid or a small space is tried out, or nothing new came for long."""
        sampler = self.study.sampler
        grid = isinstance(sampler, optuna.samplers.GridSampler) and sampler.is_exhausted(self.study)
        small = self._members is not None and self._members <= self.ledger.tried
        if not (grid or small or self._free >= _MOST_FREE):
            return False
        return not self._waiting()  # a retry may be due

    def _waiting(self) -> bool:
        """Whether a trial is enqueued."""
        return bool(self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    @cached_property
    def _members(self) -> frozenset[str] | None:
        """Ids of all networks of a small space that are within the limits in closed form; None for a large one."""
        if isinstance(self.space, GridSpace) or self.space.size > _SMALL:
            return None
        names, cells = list(self.space.cells), list(self.space.cells.values())
        options = itertools.product(*(cell.values for cell in cells))
        archs = (self.space.decode(dict(zip(names, values, strict=True))) for values in options)
        return frozenset(a.id for a in archs if all(x <= 0 for x in self._excess(asdict(cost(a))).values()))

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
        self._jobs[self._submitted] = _Job(arch, trials, baseline, _now(), deadline)
        self.executor.submit(Spec(str(arch), settings, self.recipe.seed, self._submitted))

    def _enforce_deadlines(self) -> None:
        now = time.monotonic()
        if self.stop == "interrupted" and self._end == float("inf"):
            self._end = now + GRACE
        for number, job in self._jobs.items():
            if now > self._end:
                self.executor.cancel(number, _INTERRUPTED)
            elif now > job.deadline:
                self.executor.cancel(number, f"longer than its time limit of {self.recipe.trial_timeout}")

    # From a result to a told trial.

    def _finish(self, result: Result) -> None:
        job = self._jobs.pop(result.job)
        first = job.trials[0] if job.trials else None
        number, attrs = (first.number, first.user_attrs) if first else (None, {"baseline": job.baseline})
        record = replace(
            self._record(job.arch, number, attrs, "failed"),
            reason=result.error,
            started=job.started,
            seconds=round(result.seconds, 3),
            environment={**result.environment, "workers": self._workers},
        )
        if not result.error:
            record = self._complete(record, result.readings)
        if first is None:
            self.study.set_user_attr(f"baseline:{job.arch.id}", record.to_json())
            self._note(record)
            return
        if result.error == _INTERRUPTED:
            self._retry(first.number, first.params, first.user_attrs, attempt=first.user_attrs.get("attempt", 0))
        self._tell(first, record)
        for follower in job.trials[1:]:
            if record.state == "complete":
                self._tell_reading(follower, job.arch, record)
            else:
                own = self._record(job.arch, follower.number, follower.user_attrs, "failed")
                self._tell(follower, replace(own, reused=first.number, reason=record.reason))

    def _complete(self, record: Record, measured: Mapping[str, Any]) -> Record:
        """`record` with its readings: complete if every objective has a finite value, failed if not."""
        try:
            readings = {**record.readings, **{key: Reading.from_json(value) for key, value in measured.items()}}
            record = replace(record, readings=readings)
            for objective in self.objectives:
                value = objective.value(record.values)
                if value is None or not math.isfinite(value):
                    return replace(record, reason=f"{objective.key} could not be measured")
            for limit in self.limits:
                if not math.isfinite(record.values.get(limit.key, math.nan)):
                    return replace(record, reason=f"{limit.key} could not be measured, and is limited")
            return replace(record, state="complete", excess=self._excess(record.values))
        except (TypeError, KeyError, ArithmeticError):
            return replace(record, reason="the worker answered readings that do not read")

    def _tell_reading(self, trial: Trial, arch: Architecture | Foreign, known: Record) -> None:
        """Tell a trial of a network that was measured before: its readings, and whose they are."""
        record = self._record(arch, trial.number, trial.user_attrs, "complete")
        record = replace(record, readings=known.readings, excess=known.excess, environment=known.environment)
        self._tell(trial, replace(record, reused=known.trial))

    def _tell(self, trial: Trial, record: Record) -> None:
        trial.set_user_attr("record", _stored(record))
        if record.state != "failed":
            for limit in self.limits:
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

    def _record(
        self, arch: Architecture | Foreign, number: int | None, attrs: Mapping[str, Any], state: State
    ) -> Record:
        return Record(
            study=self.study.study_name,
            trial=number,
            state=state,
            arch=str(arch),
            id=arch.id,
            readings=self._computed(arch),
            baseline=attrs.get("baseline", ""),
            retry_of=attrs.get("retry_of"),
            seed=self.recipe.seed,
            started=_now(),
        )

    def _computed(self, arch: Architecture | Foreign) -> dict[str, Reading]:
        if isinstance(arch, Foreign):
            return {}  # its worker counts
        spent = cost(arch)
        closed = {"by": "closed form", "resolution": arch.resolution}
        readings = {key: Reading(getattr(spent, key), conditions=closed) for key in COMPUTED}
        if isinstance(self.space, GridSpace):
            return readings  # the score ranks networks of one resolution
        score = Reading(self.space.rank_score(arch), conditions={"by": "ranks in a fixed sample of the space"})
        return {**readings, "rank_score": score}

    def _excess(self, values: Mapping[str, float]) -> dict[str, float]:
        """How far outside each limit; a limit on something not measured yet counts as met."""
        return {str(limit): limit.excess(values[limit.key]) if limit.key in values else 0.0 for limit in self.limits}


def _stored(record: Record) -> dict[str, Any]:
    """What a trial keeps of its record: all that Optuna does not know by itself."""
    return {key: value for key, value in record.to_json().items() if key not in ("study", "trial", "settings")}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
