"""A study as rows of Optuna's tables: read whole, made whole, and changed trial by trial.

Optuna's own storage commits every setting, attribute and value by itself, about 37 transactions a trial, each through
its object mapper. The one driver of a study may do better: it knows what it changed, and writes it in one go.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.storages._rdb import models
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from sqlalchemy import Connection, Table, delete, insert, select, update

_PIECE = 500  # trials a statement


def _table(model: type[models.BaseModel]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)
    return table


STUDIES = _table(models.StudyModel)
DIRECTIONS = _table(models.StudyDirectionModel)
STUDY_USER = _table(models.StudyUserAttributeModel)
STUDY_SYSTEM = _table(models.StudySystemAttributeModel)
TRIALS = _table(models.TrialModel)
USER = _table(models.TrialUserAttributeModel)
SYSTEM = _table(models.TrialSystemAttributeModel)
PARAMS = _table(models.TrialParamModel)
VALUES = _table(models.TrialValueModel)
_Value = models.TrialValueModel


@dataclass(slots=True)
class StoredStudy:
    """A study as it lies in a storage; `trials` in the order of their numbers, from 0 on without a gap."""

    name: str
    directions: list[StudyDirection]
    user_attrs: dict[str, Any]
    system_attrs: dict[str, Any]
    trials: list[FrozenTrial]
    ids: dict[int, int] = field(default_factory=dict)  # number of a trial → its id in the storage


@dataclass(slots=True)
class Touched:
    """Parts of a trial, by name: its settings, its attributes, and whether its values are among them."""

    params: set[str] = field(default_factory=set)
    user: set[str] = field(default_factory=set)
    system: set[str] = field(default_factory=set)
    values: bool = False

    def __and__(self, other: Touched) -> Touched:
        named = (self.params & other.params, self.user & other.user, self.system & other.system)
        return Touched(*named, self.values and other.values)

    def __or__(self, other: Touched) -> Touched:
        named = (self.params | other.params, self.user | other.user, self.system | other.system)
        return Touched(*named, self.values or other.values)


def everything(trial: FrozenTrial) -> Touched:
    """All parts that a trial has."""
    return Touched(set(trial.params), set(trial.user_attrs), set(trial.system_attrs), trial.values is not None)


def study_id(connection: Connection, name: str) -> int | None:
    """The id of the study called `name`; None where there is none."""
    found = connection.execute(select(STUDIES.c.study_id).where(STUDIES.c.study_name == name)).scalar_one_or_none()
    return None if found is None else int(found)


def read_study(connection: Connection, identity: int) -> StoredStudy:
    """The study of this id, whole."""
    name = connection.execute(select(STUDIES.c.study_name).where(STUDIES.c.study_id == identity)).scalar_one()
    goals = select(DIRECTIONS.c.direction).where(DIRECTIONS.c.study_id == identity).order_by(DIRECTIONS.c.objective)
    trials, ids = [], {}
    for trial in _read_trials(connection, identity):
        ids[trial.number] = trial._trial_id
        trials.append(trial)
    return StoredStudy(
        name,
        list(connection.execute(goals).scalars()),
        _attributes(connection, STUDY_USER, identity),
        _attributes(connection, STUDY_SYSTEM, identity),
        trials,
        ids,
    )


def create_study(connection: Connection, study: StoredStudy) -> int:
    """Write a study with all its trials; returns its id."""
    row = connection.execute(insert(STUDIES).values(study_name=study.name))
    assert row.inserted_primary_key is not None
    identity = int(row.inserted_primary_key[0])
    goals = enumerate(study.directions)
    rows = [{"study_id": identity, "objective": number, "direction": goal} for number, goal in goals]
    connection.execute(insert(DIRECTIONS), rows)
    write_study_attributes(connection, identity, study.user_attrs, STUDY_USER)
    write_study_attributes(connection, identity, study.system_attrs, STUDY_SYSTEM)
    for start in range(0, len(study.trials), _PIECE):
        _write_whole(connection, identity, study.trials[start : start + _PIECE])
    return identity


def write_study_attributes(connection: Connection, identity: int, attrs: Mapping[str, Any], table: Table) -> None:
    """Set attributes of a study, in place of those of the same names."""
    if not attrs:
        return
    connection.execute(delete(table).where(table.c.study_id == identity, table.c.key.in_(list(attrs))))
    rows = [{"study_id": identity, "key": key, "value_json": json.dumps(value)} for key, value in attrs.items()]
    connection.execute(insert(table), rows)


def find_trials(connection: Connection, identity: int, numbers: Iterable[int]) -> dict[int, int]:
    """number → id of those of these trials that are stored."""
    query = select(TRIALS.c.number, TRIALS.c.trial_id).where(
        TRIALS.c.study_id == identity, TRIALS.c.number.in_(list(numbers))
    )
    return {row.number: row.trial_id for row in connection.execute(query)}


def insert_trial(connection: Connection, identity: int, trial: FrozenTrial) -> int:
    """Write a trial's own row; returns its id."""
    row = connection.execute(insert(TRIALS).values(study_id=identity, number=trial.number, **_columns(trial)))
    assert row.inserted_primary_key is not None
    return int(row.inserted_primary_key[0])


def update_trial(connection: Connection, stored: int, trial: FrozenTrial, replaced: Touched) -> None:
    """Write the own row of the trial whose id is `stored`, and remove those of its parts that are to be replaced."""
    connection.execute(update(TRIALS).where(TRIALS.c.trial_id == stored).values(**_columns(trial)))
    for table, names in ((PARAMS, replaced.params), (USER, replaced.user), (SYSTEM, replaced.system)):
        if names:
            column = table.c.param_name if table is PARAMS else table.c.key
            connection.execute(delete(table).where(table.c.trial_id == stored, column.in_(list(names))))
    if replaced.values:
        connection.execute(delete(VALUES).where(VALUES.c.trial_id == stored))


def add_parts(connection: Connection, stored: int, trial: FrozenTrial, touched: Touched) -> None:
    """Write parts of the trial whose id is `stored`, none of which it has yet."""
    parts = _Parts()
    parts.add(stored, trial, touched)
    parts.insert(connection)


@dataclass(slots=True)
class _Parts:
    """The rows of trials besides their own, by table."""

    rows: dict[Table, list[dict[str, Any]]] = field(
        default_factory=lambda: {table: [] for table in (PARAMS, USER, SYSTEM, VALUES)}
    )

    def add(self, stored: int, trial: FrozenTrial, touched: Touched) -> None:
        for name in (name for name in trial.params if name in touched.params):
            kind = trial.distributions[name]
            value = kind.to_internal_repr(trial.params[name])
            row = {
                "trial_id": stored,
                "param_name": name,
                "param_value": value,
                "distribution_json": distribution_to_json(kind),
            }
            self.rows[PARAMS].append(row)
        for table, attrs, names in (
            (USER, trial.user_attrs, touched.user),
            (SYSTEM, trial.system_attrs, touched.system),
        ):
            for key in (key for key in attrs if key in names):
                self.rows[table].append({"trial_id": stored, "key": key, "value_json": json.dumps(attrs[key])})
        for objective, value in enumerate(trial.values or () if touched.values else ()):
            kept, kind_of = _Value.value_to_stored_repr(value)
            row = {"trial_id": stored, "objective": objective, "value": kept, "value_type": kind_of}
            self.rows[VALUES].append(row)

    def insert(self, connection: Connection) -> None:
        for table, rows in self.rows.items():
            if rows:
                connection.execute(insert(table), rows)


def _write_whole(connection: Connection, identity: int, trials: Sequence[FrozenTrial]) -> None:
    rows = [{"study_id": identity, "number": trial.number, **_columns(trial)} for trial in trials]
    connection.execute(insert(TRIALS), rows)
    ids = find_trials(connection, identity, [trial.number for trial in trials])
    parts = _Parts()
    for trial in trials:
        parts.add(ids[trial.number], trial, everything(trial))
    parts.insert(connection)


def _columns(trial: FrozenTrial) -> dict[str, Any]:
    return {
        "state": trial.state,
        "datetime_start": _as_utc(trial.datetime_start),
        "datetime_complete": _as_utc(trial.datetime_complete),
    }


def _read_trials(connection: Connection, identity: int) -> Iterator[FrozenTrial]:
    rows = connection.execute(
        select(TRIALS.c.trial_id, TRIALS.c.number, TRIALS.c.state, TRIALS.c.datetime_start, TRIALS.c.datetime_complete)
        .where(TRIALS.c.study_id == identity)
        .order_by(TRIALS.c.number)
    ).all()
    for start in range(0, len(rows), _PIECE):
        piece = rows[start : start + _PIECE]
        ids = [row.trial_id for row in piece]
        user, system = (_by_trial(connection, table, ids) for table in (USER, SYSTEM))
        settings, kinds = _settings(connection, ids)
        values = _values(connection, ids)
        for row in piece:
            yield FrozenTrial(
                trial_id=row.trial_id,
                number=row.number,
                state=row.state,
                value=None,
                values=values.get(row.trial_id),
                datetime_start=_as_local(row.datetime_start),
                datetime_complete=_as_local(row.datetime_complete),
                params=settings.get(row.trial_id, {}),
                distributions=kinds.get(row.trial_id, {}),
                user_attrs=user.get(row.trial_id, {}),
                system_attrs=system.get(row.trial_id, {}),
                intermediate_values={},
            )


def _by_trial(connection: Connection, table: Table, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    order = next(iter(table.primary_key.columns))
    query = select(table.c.trial_id, table.c.key, table.c.value_json).where(table.c.trial_id.in_(ids)).order_by(order)
    found: dict[int, dict[str, Any]] = {}
    for trial, key, value in connection.execute(query):
        found.setdefault(trial, {})[key] = json.loads(value)
    return found


def _settings(
    connection: Connection, ids: Sequence[int]
) -> tuple[dict[int, dict[str, Any]], dict[int, dict[str, BaseDistribution]]]:
    query = (
        select(PARAMS.c.trial_id, PARAMS.c.param_name, PARAMS.c.param_value, PARAMS.c.distribution_json)
        .where(PARAMS.c.trial_id.in_(ids))
        .order_by(PARAMS.c.param_id)
    )
    settings: dict[int, dict[str, Any]] = {}
    kinds: dict[int, dict[str, BaseDistribution]] = {}
    for trial, name, value, text in connection.execute(query):
        kind = _kind(text)
        settings.setdefault(trial, {})[name] = kind.to_external_repr(value)
        kinds.setdefault(trial, {})[name] = kind
    return settings, kinds


def _values(connection: Connection, ids: Sequence[int]) -> dict[int, list[float]]:
    query = (
        select(VALUES.c.trial_id, VALUES.c.value, VALUES.c.value_type)
        .where(VALUES.c.trial_id.in_(ids))
        .order_by(VALUES.c.trial_id, VALUES.c.objective)
    )
    found: dict[int, list[float]] = {}
    for trial, value, kind in connection.execute(query):
        found.setdefault(trial, []).append(_Value.stored_repr_to_value(value, kind))
    return found


def _attributes(connection: Connection, table: Table, identity: int) -> dict[str, Any]:
    order = next(iter(table.primary_key.columns))
    query = select(table.c.key, table.c.value_json).where(table.c.study_id == identity).order_by(order)
    return {key: json.loads(value) for key, value in connection.execute(query)}


@lru_cache(maxsize=4096)
def _kind(text: str) -> BaseDistribution:
    return json_to_distribution(text)


def _as_utc(moment: datetime | None) -> datetime | None:
    """Optuna keeps times in UTC without a zone, and shows them in local time without one."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment else None


def _as_local(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC).astimezone().replace(tzinfo=None) if moment else None
