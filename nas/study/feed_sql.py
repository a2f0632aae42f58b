"""A study's rows in an Optuna storage, by SQL: Optuna's own loading copies every trial, 12 s and 0.8 GB at 10,000.

Every statement is a transaction of its own, and large readings come in pieces: no reader keeps a writer's checkpoint
waiting.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from optuna.distributions import BaseDistribution, json_to_distribution
from sqlalchemy import Connection, and_, bindparam, column, func, select, table

from nas.errors import NasError, raised
from nas.record import SCHEMA, Record, State
from nas.study.space import Space

PIECE = 500  # trials a statement
FINAL: dict[str, State] = {"COMPLETE": "complete", "PRUNED": "infeasible", "FAIL": "failed"}
_STATES: dict[str, State] = {**FINAL, "RUNNING": "running"}

_studies = table("studies", column("study_id"), column("study_name"))
_facts = table("study_user_attributes", *map(column, ("study_user_attribute_id", "study_id", "key", "value_json")))
_trials = table("trials", *map(column, ("trial_id", "study_id", "number", "state", "datetime_start")))
_attributes = table("trial_user_attributes", *map(column, ("trial_id", "key", "value_json")))
_params = table(
    "trial_params", *map(column, ("param_id", "trial_id", "param_name", "param_value", "distribution_json"))
)
_STUDIES = (
    select(_studies.c.study_id, _studies.c.study_name, _facts.c.value_json)
    .select_from(_studies.outerjoin(_facts, and_(_facts.c.study_id == _studies.c.study_id, _facts.c.key == "nas")))
    .order_by(_studies.c.study_id)
)
_OUTSIDE = (
    select(_facts.c.key, _facts.c.value_json)
    .where(_facts.c.study_id == bindparam("study"), _facts.c.key.like("baseline:%"))
    .order_by(_facts.c.study_user_attribute_id)
)
_IDS = select(_trials.c.trial_id).where(_trials.c.study_id == bindparam("study")).order_by(_trials.c.trial_id)
_NEWER = _IDS.where(_trials.c.trial_id > bindparam("last"))
_COUNT = select(func.count()).select_from(_trials).where(_trials.c.study_id == bindparam("study"))
_TRIALS = (
    select(_trials.c.trial_id, _trials.c.number, _trials.c.state, _trials.c.datetime_start)
    .where(_trials.c.trial_id.in_(bindparam("ids", expanding=True)))
    .order_by(_trials.c.trial_id)
)
_ATTRIBUTES = select(_attributes.c.trial_id, _attributes.c.key, _attributes.c.value_json).where(
    _attributes.c.trial_id.in_(bindparam("ids", expanding=True)),
    _attributes.c.key.in_(("record", "baseline", "retry_of")),
)
_SETTINGS = (
    select(_params.c.trial_id, _params.c.param_name, _params.c.param_value, _params.c.distribution_json)
    .where(_params.c.trial_id.in_(bindparam("ids", expanding=True)))
    .order_by(_params.c.param_id)
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A study of the storage; `facts` as stored, empty where nas did not write it."""

    id: int
    name: str
    facts: str


@dataclass(frozen=True, slots=True)
class Trial:
    """A row of a trial with what it keeps: user attributes as JSON text."""

    id: int
    number: int
    state: str
    started: str
    attributes: Mapping[str, str]


def studies(connection: Connection) -> list[Listed]:
    """All studies of the storage."""
    return [Listed(number, name, facts or "") for number, name, facts in connection.execute(_STUDIES)]


def outside(connection: Connection, study: int) -> dict[str, str]:
    """Baselines outside the space: attribute → record as JSON text."""
    return {row.key: row.value_json for row in connection.execute(_OUTSIDE, {"study": study})}


def unseen(connection: Connection, study: int, known: set[int]) -> list[int] | None:
    """Ids of trials that are not `known`, in order; None where known ones are gone: it is another study.

    Ids are given out before they are committed, so on a server a lower one may appear after a higher one: the count
    says whether any is missing.
    """
    last = max(known, default=-1)
    found = list(connection.execute(_NEWER, {"study": study, "last": last}).scalars())
    count = connection.execute(_COUNT, {"study": study}).scalar_one()
    if count == len(known) + len(found):
        return found
    ids = list(connection.execute(_IDS, {"study": study}).scalars())
    return [number for number in ids if number not in known] if known <= set(ids) else None


def trials(connection: Connection, ids: Sequence[int]) -> Iterator[list[Trial]]:
    """These trials, a piece at a time.

    States are read before the attributes: a record is committed before its trial's state, so a trial in a final state
    has all it will ever have.
    """
    for piece in _pieces(ids):
        rows = list(connection.execute(_TRIALS, {"ids": piece}))
        kept: dict[int, dict[str, str]] = {}
        begun = [row[0] for row in rows if row[2] in _STATES]  # a long queue waits, and has nothing to show
        for number, key, value in connection.execute(_ATTRIBUTES, {"ids": begun}) if begun else ():
            kept.setdefault(number, {})[key] = value
        yield [Trial(row[0], row[1], row[2], _time(row[3]), kept.get(row[0], {})) for row in rows]


def numbers(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    """Trial id → number of the trial in its study."""
    return {row.trial_id: row.number for piece in _pieces(ids) for row in connection.execute(_TRIALS, {"ids": piece})}


class SettingsReader:
    """Reads the settings of trials; knows the distributions it has met. `broken`: name → why it does not read."""

    def __init__(self) -> None:
        self._known: dict[str, BaseDistribution] = {}
        self.broken: dict[str, str] = {}

    def read(self, connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
        """Trial id → settings, for those that have any."""
        found: dict[int, dict[str, Any]] = {}
        for piece in _pieces(ids):
            for number, name, value, distribution in connection.execute(_SETTINGS, {"ids": piece}):
                try:
                    if distribution not in self._known:
                        self._known[distribution] = json_to_distribution(distribution)
                    found.setdefault(number, {})[name] = self._known[distribution].to_external_repr(value)
                except (ValueError, KeyError, TypeError, IndexError) as error:
                    self.broken[name] = raised(error)
        return found


def record(study: str, trial: Trial, space: Space, settings: Mapping[str, Any], keep: bool) -> Record | None:
    """The trial as a record, as `nas.study.storage.record_of` has it; None for one that only waits. The settings say
    what runs, and are part of the record if they are to be kept.

    Raises: ValueError for one that does not read.
    """
    state = _STATES.get(trial.state)
    if state is None:
        return None
    common = {"study": study, "trial": trial.number, "state": state, "settings": dict(settings) if keep else {}}
    if "record" in trial.attributes:
        return Record.from_json({**json.loads(trial.attributes["record"]), **common})
    notation, identity = "", ""
    if settings:
        try:
            arch = space.decode(settings)
            notation, identity = str(arch), arch.id
        except NasError:
            pass  # not every cell is chosen yet
    kept = {key: json.loads(value) for key, value in trial.attributes.items()}
    return Record.from_json(
        {"schema": SCHEMA, **common, "arch": notation, "id": identity, "readings": {}, "started": trial.started, **kept}
    )


def _pieces(ids: Sequence[int]) -> Iterator[list[int]]:
    return (list(ids[start : start + PIECE]) for start in range(0, len(ids), PIECE))


def _time(value: Any) -> str:
    """ISO 8601 with its zone; SQLite answers text, servers a datetime, both UTC without saying so."""
    if not value:
        return ""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment.replace(tzinfo=UTC).isoformat(timespec="seconds")
