"""What a study measures before its sampler is asked: what a dead driver left, baselines, a list's networks, neighbours.

Optuna keeps the queue: its enqueued trials are asked for first, in order, and survive the driver.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from nas.arch import Architecture
from nas.record import Record
from nas.study.ledger import Ledger
from nas.study.outcome import Outcomes, stored
from nas.study.space import Space
from nas.study.storage import record_of

DRIVER_DIED = "its driver died"
INTERRUPTED = "interrupted"
BEGUN = "begun"  # an attribute of a trial whose network a worker was given
_NOT_ITS_OWN = {DRIVER_DIED, INTERRUPTED}  # reasons for which the network can do nothing
_MOST_FAILURES = 3  # of a baseline or a list's network, for reasons of its own; then a resumed search lets it be
_MOST_ATTEMPTS = 100  # draws for a neighbour that is new
_SMALL = 4096  # settings up to which a space is counted out


@dataclass
class Queue:
    """The queue of one study. `seed` draws its order and the neighbours."""

    study: optuna.Study
    space: Space
    ledger: Ledger
    outcomes: Outcomes
    seed: int

    @property
    def waiting(self) -> bool:
        """Whether a trial is enqueued."""
        return bool(self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def tried_out(self, under_way: set[str]) -> bool:
        """Whether a grid of settings or a small space holds nothing that was not tried; `under_way`: ids of networks
        that are being tried."""
        if isinstance(self.study.sampler, optuna.samplers.GridSampler):
            trials = self.study.get_trials(deepcopy=False)
            points = {trial.system_attrs["grid_id"] for trial in trials if "grid_id" in trial.system_attrs}
            return len(points) >= self.space.size
        return self._members is not None and self._members <= self.ledger.tried | under_way

    def recover(self) -> list[Record]:
        """Fail the trials that a dead driver left running, and enqueue each once more. Returns their records."""
        failed = []
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            record = record_of(self.study.study_name, self.space, trial)
            record = replace(record, state="failed", reason=DRIVER_DIED)
            attempt = trial.user_attrs.get("attempt", 0)
            begun = trial.user_attrs.get(BEGUN, False)  # else it was asked for, and no worker had it
            if (attempt < 1 or not begun) and trial.number not in self.ledger.retried:
                self.retry(trial.number, _settings(trial), trial.user_attrs, attempt=attempt + begun)
            self.study._storage.set_trial_user_attr(trial._trial_id, "record", stored(record))
            self.study.tell(trial.number, state=TrialState.FAIL)
            failed.append(record)
        return failed

    def fill(self, baselines: Mapping[str, Architecture]) -> None:
        """Enqueue the baselines, all members of the space, and every network of its list: those that have no trial yet,
        and once more those that failed.

        The order of a list is drawn from the seed: what drifts while the study runs then follows none of its settings.
        """
        wanted = [(name, self.space.encode(arch)) for name, arch in baselines.items()]
        named = [settings for _, settings in wanted]
        wanted += [("", dict(settings)) for settings in self.space.listed if settings not in named]
        if self.space.listed:
            random.Random(self.seed).shuffle(wanted)
        trials = self.study.get_trials(deepcopy=False)
        for name, settings in wanted:
            own = [t for t in trials if t.user_attrs.get("baseline", "") == name and (name or _settings(t) == settings)]
            if not own:
                self.study.enqueue_trial(settings, user_attrs={"baseline": name} if name else {})
            elif own[-1].state is TrialState.FAIL and sum(map(_its_own_failure, own)) < _MOST_FAILURES:
                self.retry(own[-1].number, settings, own[-1].user_attrs, attempt=1)

    def retry(self, number: int, settings: Mapping[str, Any], attrs: Mapping[str, Any], attempt: int) -> None:
        """Enqueue a trial that ended without a reading once more."""
        baseline = {"baseline": attrs["baseline"]} if "baseline" in attrs else {}
        self.study.enqueue_trial(dict(settings), user_attrs={**baseline, "retry_of": number, "attempt": attempt})
        self.ledger.retried.add(number)

    def add_neighbour(self, trial: Trial, running: Container[str]) -> None:
        """After a network that is known already, enqueue one that differs from it in a cell or a few.

        Samplers over discrete cells come back to their best networks: TPE suggested a known one every second time at
        400 trials of 28 cells. Telling it the same readings again would only draw it there more.
        """
        if self.space.listed or isinstance(self.study.sampler, optuna.samplers.GridSampler):
            return
        generator = random.Random(f"{self.seed} {trial.number}")
        cells = list(self.space.cells.items())
        for attempt in range(_MOST_ATTEMPTS):
            changed = generator.sample(cells, min(len(cells), 1 + attempt // 20))
            settings = {**trial.params, **{name: generator.choice(cell.values) for name, cell in changed}}
            arch = self.space.decode(settings)
            if arch.id not in self.ledger.measured and arch.id not in running and self.outcomes.fits(arch):
                self.study.enqueue_trial(settings, user_attrs={"neighbour_of": trial.number})
                return

    @cached_property
    def _members(self) -> frozenset[str] | None:
        """Ids of all networks of a small space that are within the limits in closed form; None for a large one."""
        if self.space.listed or self.space.size > _SMALL:
            return None
        names, cells = list(self.space.cells), list(self.space.cells.values())
        options = itertools.product(*(cell.values for cell in cells))
        archs = (self.space.decode(dict(zip(names, values, strict=True))) for values in options)
        return frozenset(arch.id for arch in archs if self.outcomes.fits(arch))


def _settings(trial: FrozenTrial) -> dict[str, Any]:
    """What a trial was asked for, also before it began."""
    return {**trial.system_attrs.get("fixed_params", {}), **trial.params}


def _its_own_failure(trial: FrozenTrial) -> bool:
    """Whether the network failed; a driver that died or was stopped says nothing of it."""
    reason = trial.user_attrs.get("record", {}).get("reason")
    return trial.state is TrialState.FAIL and reason not in _NOT_ITS_OWN
