"""One study of a storage, read piece by piece: what is new, and what was still running."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection

from nas.errors import NasError, raised
from nas.recipe import Recipe
from nas.record import Record
from nas.study import feed_sql as sql
from nas.study.feed_changes import FeedState, Head, Place
from nas.study.grid_space import parse_any_space
from nas.study.storage import STUDY_SCHEMA, StudyError


class RewrittenError(Exception):
    """Trials that were read are gone: this is another study under the same name."""


class StudyReader:
    """What was read of a study so far. Raises: StudyError, ValueError for facts that do not read."""

    def __init__(self, listed: sql.Listed, source: str, option: str) -> None:
        self.id, self.listed, self._place = listed.id, listed, (source, option)
        self.head, self.space = _head(listed, source, option)
        self.head_due = True  # until someone was told
        self.fresh = False  # what was read before is void
        self.last: tuple[FeedState, str] = ("ok", "")
        self.broken: dict[str, str] = {}  # trial or baseline → why it does not read
        self._known: set[int] = set()
        self._open: set[int] = set()  # trials not in a final state
        self._shown: dict[int, Record] = {}  # what was told of those
        self._outside: dict[str, str] = {}
        self._settings = sql.SettingsReader()

    def is_same(self, listed: sql.Listed) -> bool:
        """Whether this is the study that was read, not a new one of that name."""
        if listed.id != self.id or listed.facts == self.listed.facts:
            return listed.id == self.id
        now, before = _head(listed, *self._place)[0], self.head
        if now.recipe is None or before.recipe is None or now.recipe.identity() != before.recipe.identity():
            return False
        return {**now.facts, "recipe": None} == {**before.facts, "recipe": None}  # a resumed search has another budget

    def renewed(self) -> StudyReader:
        """The same study with nothing read yet."""
        again = StudyReader(self.listed, *self._place)
        again.fresh = True
        return again

    def update(self, listed: sql.Listed) -> None:
        """Take what the study says of itself now: a resumed search has another total."""
        self.head, self.space = _head(listed, *self._place)
        self.listed, self.head_due = listed, True

    def read(self, connection: Connection, settings: bool = False) -> Iterator[list[Record]]:
        """Records that are new or changed, a piece at a time; with the settings of all of them if asked for, otherwise
        of none. Raises: RewrittenError."""
        ids = sql.unseen(connection, self.id, self._known)
        if ids is None:
            raise RewrittenError
        yield self._read_outside(connection)
        self._open.update(ids)
        self._known.update(ids)
        for piece in sql.trials(connection, sorted(self._open)):
            asked = [trial.id for trial in piece if settings or trial.state == "RUNNING"]
            found = self._settings.read(connection, asked)
            yield [record for trial in piece if (record := self._take(trial, found.get(trial.id, {}), settings))]

    def settings(self, connection: Connection) -> dict[Place, Mapping[str, Any]]:
        """The settings of all trials."""
        ids = sql.unseen(connection, self.id, set()) or []
        numbers = sql.numbers(connection, ids)
        found = self._settings.read(connection, ids)
        return {(numbers[number], ""): settings for number, settings in found.items() if number in numbers}

    @property
    def unread(self) -> str:
        """What does not read, in words; empty where all does."""
        said = []
        if self.broken:
            name, reason = next(iter(self.broken.items()))
            said.append(f"{len(self.broken)} not shown, for they do not read: {name}: {reason}")
        if self._settings.broken:
            name, reason = next(iter(self._settings.broken.items()))
            said.append(f"settings that do not read: {name}: {reason}")
        return "; ".join(said)

    def _read_outside(self, connection: Connection) -> list[Record]:
        found = []
        for key, value in sql.outside(connection, self.id).items():
            if self._outside.get(key) == value:
                continue
            self._outside[key] = value
            try:
                found.append(Record.from_json(json.loads(value)))
            except (ValueError, TypeError, RecursionError) as error:
                self.broken[key] = str(error)
        return found

    def _take(self, trial: sql.Trial, settings: Mapping[str, Any], keep: bool) -> Record | None:
        """The trial's record where it says anything new."""
        if trial.state in sql.FINAL:
            self._open.discard(trial.id)
        try:
            record = sql.record(self.listed.name, trial, self.space, settings, keep)
        except (ValueError, TypeError, RecursionError) as error:
            self.broken[f"#{trial.number}"] = str(error)
            return None
        before = self._shown.pop(trial.id, None)
        if record is not None and trial.id in self._open:
            self._shown[trial.id] = record
        return None if record == before else record


def _head(listed: sql.Listed, source: str, option: str) -> tuple[Head, Any]:
    hint = "open it with the version of nas that wrote it"
    try:
        facts = json.loads(listed.facts)
        schema = facts.get("schema")
        if schema == STUDY_SCHEMA:
            recipe = Recipe.model_validate_json(json.dumps(facts["recipe"]))
            space = parse_any_space(facts["space"], f"study '{listed.name}'")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "recipe"
        raise StudyError(f"study '{listed.name}': its recipe does not read: {where}: {first['msg']}", hint) from None
    except NasError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StudyError(f"study '{listed.name}' does not read: {raised(error)}", hint) from None
    if schema != STUDY_SCHEMA:
        raise StudyError(f"study '{listed.name}' has schema {schema!r}; this version reads schema {STUDY_SCHEMA}", hint)
    return Head(listed.name, source, option, recipe, facts), space
