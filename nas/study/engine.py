"""The search loop: ask → decode → closed-form cost → over a limit? note the excess, measure nothing → measure → tell.

One driver owns the study. Workers get a spec and return readings; they never see the storage.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import optuna
from optuna.trial import Trial

from nas.arch import Architecture
from nas.foreign import Foreign
from nas.recipe import Recipe, parse_duration
from nas.study.driver import driver_storage
from nas.study.executors import Executor, Result, Spec
from nas.study.ledger import ledger_of
from nas.study.outage import Outage
from nas.study.outcome import Outcomes, now
from nas.study.pace import Pace
from nas.study.queue import BEGUN, INTERRUPTED, Queue
from nas.study.space import Space
from nas.study.storage import records
from nas.study.teller import Asked, Job, Listener, Teller
from nas.study.training_space import training_of

Stopped = Literal["done", "timeout", "interrupted", "exhausted"]
GRACE = 5.0  # seconds that running trials get to finish after an interrupt
_MOST_FREE = 2_000  # trials in a row that are over a limit, or known, after which the search gives up
_TICK = 0.25
_CHECK = 15.0  # seconds between looks at whether the study is still this driver's
_SLOW = 8  # networks in a row that the sampler takes too long for, before that is said


@dataclass
class Search:
    """One driver of one study. Set `stop` (from a signal handler, say) to end `run` early and cleanly.

    `guard`: called now and then; whether the study is surely this driver's. It raises when somebody else has it.
    """

    study: optuna.Study
    recipe: Recipe
    space: Space
    executor: Executor
    device: str
    baselines: Mapping[str, Architecture | Foreign] = field(default_factory=dict)
    listeners: list[Listener] = field(default_factory=list)
    stop: Stopped | None = None
    guard: Callable[[], bool] = lambda: True

    def __post_init__(self) -> None:
        self._storage = driver_storage(self.study)
        self._outage = Outage(self._announce, self._tick, self._when_to_end)
        self._storage.waiting, self._storage.back = self._outage.away, self._outage.back
        self._storage.guard = self._check_guard
        found = records(self.study)
        self._outcomes = Outcomes(self.study.study_name, self.recipe, self.space, found)
        self.objectives = self._outcomes.objectives
        self.ledger = ledger_of(self.study, self.recipe, found)
        self._queue = Queue(self.study, self.space, self.ledger, self._outcomes, self.recipe.seed)
        self._teller = Teller(self.study, self._outcomes, self.ledger, self._queue, self.listeners)
        self.workers = max(1, self.executor.capacity)  # a cluster may have no room yet
        self.pace = Pace(self.workers)
        self._jobs: dict[int, Job] = {}
        self._ahead: deque[Asked] = deque()
        self._results: deque[Result] = deque()  # that came, and are not told yet
        self._submitted = 0
        self._free = 0  # trials in a row that cost nothing
        self._asking = 0.0  # seconds spent on asking since the last network to be measured was found
        self._outside: dict[str, Architecture | Foreign] = {}
        self._end = float("inf")
        self._looked = self._checked = time.monotonic()
        self._slow = 0  # networks in a row that took too long to be asked for
        # Engines time one trial at a time on a device; records from before they did so do not say it.
        self._alone = {"timed_alone": True} if self.recipe.timed else {}

    @property
    def done(self) -> int:
        """Networks of the recipe's total that are measured, or failed for good."""
        return self.ledger.done

    @property
    def running(self) -> int:
        """Networks being measured."""
        return len(self._jobs)

    def run(self) -> Stopped:
        """Measure until the recipe's total is reached, time is up, nothing is left to try, or `stop` is set.

        Raises: StorageLostError where the storage takes no more; ExecutorError where no worker starts.
        """
        self._prepare()
        end = time.monotonic() + (parse_duration(self.recipe.timeout) if self.recipe.timeout else float("inf"))
        while True:
            if self.stop is None and time.monotonic() > end:
                self.stop = "timeout"
            busy = self._step()
            if not self._jobs and not busy and (self.stop or not self._waits_for_room):
                while self._ahead:
                    self._teller.give_back(self._ahead.popleft())
                return self.stop or "done"
            if self._jobs or not busy:
                self._results += self.executor.wait(0 if busy else _TICK)
            if time.monotonic() > self._looked + _TICK:
                self._looked = time.monotonic()
                places = len(self._jobs) - len(self._results) + self.executor.capacity  # a cluster may have grown
                self.workers = self.pace.workers = max(self.workers, places)
                self._enforce_limits()
                self._tick()

    @property
    def _waits_for_room(self) -> bool:
        """Whether networks are left to measure and no worker is there for them, as when a cluster's head is lost."""
        return self.executor.capacity == 0 and bool(self._outside or self._ahead or self._wanted > 0)

    @property
    def _wanted(self) -> int:
        """Networks of the total that are neither measured nor being measured nor asked for."""
        under_way = sum(bool(asked.trials) for asked in (*self._jobs.values(), *self._ahead))
        return self.recipe.trials - self.done - under_way

    def _prepare(self) -> None:
        """Settle what an earlier driver left, and queue what is measured before the sampler is asked."""
        for record in self._queue.recover():
            self._teller.enter(record)
        inside: dict[str, Architecture] = {}
        for name, arch in self.baselines.items():
            if isinstance(arch, Architecture) and arch in self.space:
                inside[name] = arch
            elif arch.id not in self.ledger.measured:
                self._outside[name] = arch
        self._queue.fill(inside)
        self._storage.commit()

    # From asking to measuring.

    def _step(self) -> bool:
        """Do the most urgent thing: give a free worker what is ready for it, tell a result, ask the sampler.

        False when there is nothing to do but wait.
        """
        room = self.executor.capacity > 0
        if self.stop is None and room and self._ahead:
            self._submit(self._ahead.popleft())
            return True
        if self._results:
            self._finish(self._results.popleft())
            return True
        if self.stop is not None or (not room and (not self._jobs or len(self._ahead) >= self.pace.ahead)):
            return False
        before = time.monotonic()
        asked = self._ask()
        self._asking += time.monotonic() - before
        if isinstance(asked, Asked):
            if asked.trials:
                self.pace.asked(self._asking)
                self._say_if_slow()
            self._asking = 0.0
            (self._submit if room else self._ahead.append)(asked)
        return bool(asked)

    def _ask(self) -> Asked | bool:
        """The next network to measure; True where a trial was told that needs no measuring, False where none is
        left."""
        if self._outside:
            name = next(iter(self._outside))
            return Asked(self._outside.pop(name), [], name)
        if self._wanted <= 0 or (self.space.listed and not self._queue.waiting):
            return False
        under_way = {other.arch.id for other in (*self._jobs.values(), *self._ahead)}
        if (self._free >= _MOST_FREE or self._queue.tried_out(under_way)) and not self._queue.waiting:
            if not under_way:  # else a retry may become due
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
            self._teller.tell(trial, replace(record, excess=excess))
            return True
        if self._is_known(trial, arch):
            return True
        self._free = 0
        return Asked(arch, [trial], baseline)

    def _is_known(self, trial: Trial, arch: Architecture) -> bool:
        """Whether the network needs no measuring of its own; then its trial is told, or waits for the one that runs."""
        under_way = [*self._jobs.values(), *self._ahead]
        waiting = next((other for other in under_way if other.arch == arch), None)
        if arch.id not in self.ledger.measured and not waiting:
            return False
        self._free += 1
        self._queue.add_neighbour(trial, {other.arch.id for other in under_way})
        if waiting:
            waiting.trials.append(trial)
        else:
            self._teller.tell_reading(trial, arch, self.ledger.measured[arch.id])
        return True

    def _submit(self, asked: Asked) -> None:
        repeats = max(self.recipe.repeats, self.recipe.baseline_repeats if asked.baseline else 1)
        settings = {
            "measure": list(self.recipe.measured),
            "timing": self.recipe.timing.model_dump(mode="json"),
            "training": training_of(self.recipe, asked.arch).model_dump(mode="json"),
            "device": self.device,
            "repeats": repeats,
        }
        self._submitted += 1
        longest = parse_duration(self.recipe.trial_timeout) * repeats
        self._jobs[self._submitted] = Job(asked.arch, asked.trials, asked.baseline, now(), longest)
        for trial in asked.trials[:1]:
            trial.set_user_attr(BEGUN, True)
        self._storage.commit()  # a trial is seen to run before it does
        self.executor.submit(Spec(str(asked.arch), settings, self.recipe.seed, self._submitted))

    def _say_if_slow(self) -> None:
        if self._slow >= _SLOW:  # said
            return
        self._slow = self._slow + 1 if self.workers > 1 and self.pace.load > 1 and self.done >= self.workers else 0
        if self._slow != _SLOW:
            return
        faster = "; --sampler nsga2 or random is faster" if self.recipe.sampler in ("tpe", "gp") else ""
        self._announce(
            f"{self.recipe.sampler} takes {self.pace.asking:.2g} s to suggest a network: {self.workers} workers that "
            f"measure one in {self.pace.measuring:.2g} s wait for it{faster}"
        )

    def _enforce_limits(self) -> None:
        moment, end = time.monotonic(), self._when_to_end()
        for number, job in self._jobs.items():
            if moment > end:
                self.executor.cancel(number, INTERRUPTED)
            elif self.executor.age(number) > job.longest:
                self.executor.cancel(number, f"longer than its time limit of {self.recipe.trial_timeout}")
        if moment > self._checked + _CHECK:
            self._check_guard()

    def _check_guard(self) -> bool:
        self._checked = time.monotonic()
        return self.guard()

    def _when_to_end(self) -> float:
        """The moment (monotonic) until which what runs may end by itself after an interrupt."""
        if self.stop == "interrupted" and self._end == float("inf"):
            self._end = time.monotonic() + GRACE
        return self._end

    def _tick(self) -> None:
        for listener in self.listeners:
            listener.tick()

    def _announce(self, text: str) -> None:
        for listener in self.listeners:
            listener.note(text)

    def _finish(self, result: Result) -> None:
        job = self._jobs.pop(result.job)
        if not isinstance(result.readings, Mapping) or not isinstance(result.environment, Mapping):
            result = Result(result.job, seconds=result.seconds, error="the worker answered readings that do not read")
        if not result.lost:
            self.pace.measured(result.seconds)
        if self._teller.finish(job, result, {"workers": self.workers, **self._alone}):
            self._outside[job.baseline] = job.arch
