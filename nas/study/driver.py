"""The storage as the one driver of a study sees it: in memory, and each step written through in one transaction.

Samplers read thousands of trials to suggest one, and a trial changes some forty times before it is told. So the study
is read once; from then on memory answers, and `commit` writes what changed. It is the only place where a search
touches its database, and so the only one that has to wait for a database that is away.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.storages import InMemoryStorage, RDBStorage
from optuna.study._tell import _tell_with_warning
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from nas.study.rows import (
    STUDY_SYSTEM,
    STUDY_USER,
    StoredStudy,
    Touched,
    add_parts,
    everything,
    find_trials,
    insert_trial,
    read_study,
    study_id,
    update_trial,
    write_study_attributes,
)
from nas.study.storage import StudyError, masked

_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)  # seconds between attempts at a storage that is away; then always the last
_STUDY = 0  # the study's id in memory


class StorageLostError(StudyError):
    """The storage takes no more: it is full, or it was away and the search was asked to stop."""


Waiting = Callable[[str, float], None]  # why the storage is away, and for how many seconds: called again and again


def _never(reason: str, seconds: float) -> None:
    del reason, seconds


class DriverStorage(InMemoryStorage):
    """One study, in memory and in its database. `waiting` is called while the database is away, and may raise."""

    def __init__(self, storage: RDBStorage, name: str, waiting: Waiting = _never) -> None:
        super().__init__()
        self.waiting = waiting
        self.guard: Callable[[], bool] = lambda: True  # before the first word after an outage: is the study still ours?
        self.back: Callable[[], None] = lambda: (
            None
        )  # called when the database answers again after it was away; may raise
        self._database = storage
        with storage.engine.connect() as connection:
            identity = study_id(connection, name)
            if identity is None:
                raise StudyError(f"unknown study '{name}'")
            stored = read_study(connection, identity)
        self.identity, self._rows = identity, dict(stored.ids)
        self._touched: dict[int, Touched] = {}
        self._open: dict[int, Touched] = {}  # of trials that have not ended: what is stored of them
        self._attributes: tuple[set[str], set[str]] = (set(), set())  # of the study: user, system
        self._load(stored)

    def _load(self, stored: StoredStudy) -> None:
        super().create_new_study(stored.directions, stored.name)
        study = self._studies[_STUDY]
        # Parents that a genetic sampler has chosen are kept there by ids of trials, which were others before: left out,
        # they are chosen again.
        kept = {key: value for key, value in stored.system_attrs.items() if ":parent:" not in key}
        study.user_attrs, study.system_attrs = stored.user_attrs, kept
        for number, trial in enumerate(stored.trials):
            if trial.number != number:
                raise StudyError(f"study '{stored.name}' is damaged: trial {number} is missing", "restore a copy of it")
            trial._trial_id = number
            if not trial.state.is_finished():
                self._open[number] = everything(trial)
            self._trial_id_to_study_id_and_number[number] = (_STUDY, number)
            study.trials.append(trial)
            study.param_distribution |= trial.distributions
            self._update_cache(number, _STUDY)
        self._max_trial_id = len(stored.trials) - 1

    # What changes is noted, by number: ids in memory are numbers.

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        number = super().create_new_trial(study_id, template_trial)
        self._touched[number] = everything(self._get_trial(number))
        return number

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Optuna's copies the trial for each of its settings, for readers in other threads, of which there are none."""
        trial, known = self._get_trial(trial_id), self._studies[_STUDY].param_distribution
        self.check_trial_is_updatable(trial_id, trial.state)
        if known.setdefault(param_name, distribution) is not distribution:
            check_distribution_compatibility(known[param_name], distribution)
        trial.params[param_name] = distribution.to_external_repr(param_value_internal)
        trial.distributions[param_name] = distribution
        self._touch(trial_id).params.add(param_name)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        super().set_trial_user_attr(trial_id, key, value)
        self._touch(trial_id).user.add(key)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        super().set_trial_system_attr(trial_id, key, value)
        self._touch(trial_id).system.add(key)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Any = None) -> bool:
        done = super().set_trial_state_values(trial_id, state, values)
        touched = self._touch(trial_id)
        touched.values |= values is not None
        if state.is_finished():
            self.commit()
        return done

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        super().set_study_user_attr(study_id, key, value)
        self._attributes[0].add(key)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        super().set_study_system_attr(study_id, key, value)
        self._attributes[1].add(key)

    def create_new_study(self, directions: Any, study_name: str | None = None) -> int:
        raise NotImplementedError("a driver has one study")

    def delete_study(self, study_id: int) -> None:
        raise NotImplementedError("a driver does not delete its study")

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        raise NotImplementedError("trials of several objectives report nothing on the way")

    def _touch(self, number: int) -> Touched:
        return self._touched.setdefault(number, Touched())

    # Writing.

    def commit(self) -> None:
        """Write all that changed since the last commit, in one transaction; waits while the database is away.

        An ended trial is committed by itself. Raises: StorageLostError where the database is full or broken; whatever
        `waiting` raises.
        """
        if not self._touched and not any(self._attributes):
            return
        began, attempt = time.monotonic(), 0
        while True:
            try:
                with self._database.engine.begin() as connection:
                    if not attempt or self.guard():  # before a word is written: the study may be someone else's now
                        known = self._write(connection, again=attempt > 0)
                        break
                reason = "its lock cannot be had"
            except SQLAlchemyError as error:
                reason = self._may_pass(error)
            self.waiting(reason, time.monotonic() - began)
            time.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
            attempt += 1
        self._rows |= known
        for number, touched in self._touched.items():
            if self._studies[_STUDY].trials[number].state.is_finished():
                self._open.pop(number, None)
            else:
                self._open[number] = self._open.get(number, Touched()) | touched
        self._touched.clear()
        for names in self._attributes:
            names.clear()
        if attempt:
            self.back()

    def _write(self, connection: Connection, *, again: bool) -> dict[int, int]:
        """Write what was touched; returns the ids of trials that are new in the database. `again`: an earlier attempt
        may have succeeded without a word."""
        study = self._studies[_STUDY]
        for table, attrs, names in (
            (STUDY_USER, study.user_attrs, self._attributes[0]),
            (STUDY_SYSTEM, study.system_attrs, self._attributes[1]),
        ):
            write_study_attributes(connection, self.identity, {name: attrs[name] for name in names}, table)
        new = [number for number in self._touched if number not in self._rows]
        known = find_trials(connection, self.identity, new) if again and new else {}
        for number in sorted(self._touched):
            trial, touched = study.trials[number], self._touched[number]
            if number in self._rows or number in known:
                row = self._rows[number] if number in self._rows else known[number]
                replaced = touched if again else self._open.get(number, Touched()) & touched
                update_trial(connection, row, trial, replaced)
            else:
                row = known[number] = insert_trial(connection, self.identity, trial)
            add_parts(connection, row, trial, touched)
        return known

    def _may_pass(self, error: SQLAlchemyError) -> str:
        """Why the database did not answer, where that may pass. Raises: StorageLostError where it will not."""
        said = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        dialect = self._database.engine.dialect.name
        passing = isinstance(error, DBAPIError) and (
            error.connection_invalidated
            or (type(error).__name__ in ("OperationalError", "InterfaceError", "InternalError") and dialect != "sqlite")
            or "locked" in said
        )
        if passing:
            return said
        url = masked(str(self._database.engine.url.render_as_string(hide_password=True)))
        full = "full" in said or "No space" in said
        hint = "free some space" if full else "see what is wrong with it"
        raise StorageLostError(f"storage {url}: {said}", hint) from None


def driver_storage(study: optuna.Study) -> DriverStorage:
    """The storage of a study that `drive` opened."""
    storage = study._storage
    assert isinstance(storage, DriverStorage)
    return storage


def tell(study: optuna.Study, trial: optuna.trial.Trial, state: TrialState, values: Sequence[float] | None) -> None:
    """End a trial. As `Study.tell`, which afterwards copies the trial deeply for a caller who wants it."""
    _tell_with_warning(study, trial, values, state)


def drive(storage: RDBStorage, name: str, sampler: optuna.samplers.BaseSampler) -> optuna.Study:
    """The study called `name` as its one driver has it. Raises: StudyError where there is none."""
    return optuna.load_study(study_name=name, storage=DriverStorage(storage, name), sampler=sampler)
