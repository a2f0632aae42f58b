"""Studies of one Optuna storage, read while a search writes into it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from nas.errors import nearest
from nas.record import Record
from nas.study import feed_sql as sql
from nas.study.feed_changes import Changes, FeedState, Place, Snapshot
from nas.study.feed_study import RewrittenError, StudyReader
from nas.study.storage import StudyError, masked, open_storage, sqlite_path

_ANYHOW = 5.0  # seconds after which a file is read though it looks unchanged
_SETTLED_NS = 100_000_000  # how old a file's time must be: a second write within the clock's tick would look the same
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 5.0  # seconds between attempts at a storage that is away
_CONNECT_S = 2  # for a server that does not answer: other places wait for it
_PATIENCE_MS = 1_000  # for a writer that holds the whole file, as it does where the journal is of the older kind

_Signature = tuple[tuple[int, int, int] | None, ...]


class StorageSource:
    """The studies called `names` in a storage, or all of them and new ones as they appear.

    A SQLite file is looked at (its size and time), and opened only where it changed: a connection kept open would keep
    the last writer from folding its log into the file. Raises: StudyError, at the start only.
    """

    def __init__(self, url: str, names: Sequence[str] = (), option: str = "") -> None:
        self.url, self.names, self.place, self._option = url, tuple(names), masked(url), option
        self._path = sqlite_path(url)
        self._engine: Engine | None = None
        self._readers: dict[str, StudyReader] = {}
        self._seen: _Signature | None = None
        self._inode: int | None = None
        self._read_at = self._try_at = float("-inf")
        self._wait = _FIRST_WAIT
        self._check_names()

    def poll(self) -> Iterator[Changes]:
        """What changed since the last poll, at first everything."""
        moment = time.monotonic()
        if moment < self._try_at:
            return
        try:
            signature = self._signature()
            if signature is not None and signature == self._seen and moment < self._read_at + _ANYHOW:
                return
            with self._connected() as connection:
                yield from self._read(connection)
        except (SQLAlchemyError, sqlite3.Error, StudyError, OSError) as error:
            if not _is_busy(error):
                yield from self._away(_reason(error))
            return
        self._seen, self._read_at, self._wait = signature, moment, _FIRST_WAIT

    def snapshot(self, identity: str) -> Snapshot:
        """One study, whole. Raises: StudyError where it cannot be read now."""
        with self._reading(identity) as (reader, connection):
            records = [record for piece in reader.read(connection, settings=True) for record in piece]
        return Snapshot(reader.head, tuple(records), reader.unread)

    def snapshots(self) -> list[Snapshot]:
        """Every study, whole. Raises: StudyError where any cannot be read now."""
        with self._asked() as connection:
            names = [one.name for one in sql.studies(connection) if one.facts]
        return [self.snapshot(f"{self.place}#{name}") for name in names if not self.names or name in self.names]

    def settings(self, identity: str) -> dict[Place, Mapping[str, Any]]:
        """The settings of one study's trials. Raises: StudyError where it cannot be read now."""
        with self._reading(identity) as (reader, connection):
            return reader.settings(connection)

    @contextmanager
    def _reading(self, identity: str) -> Iterator[tuple[StudyReader, Connection]]:
        """A reader of its own for one study, as any thread may have."""
        name = identity.removeprefix(f"{self.place}#")
        with self._asked() as connection:
            listed = next((one for one in sql.studies(connection) if one.name == name and one.facts), None)
            if listed is None:
                raise StudyError(f"study '{name}' is not in {self.place} any more")
            yield StudyReader(listed, self.place, self._option), connection

    @contextmanager
    def _asked(self) -> Iterator[Connection]:
        """A connection to answer somebody who waits. Raises: StudyError where it cannot be had, or breaks."""
        try:
            with self._connected() as connection:
                yield connection
        except (SQLAlchemyError, sqlite3.Error, OSError, RewrittenError) as error:
            hint = "a writer holds it: ask again" if _is_busy(error) else ""
            raise StudyError(f"storage {self.place}: {_reason(error)}", hint) from None

    # The place.

    def _signature(self) -> _Signature | None:
        """What changes with every write into a SQLite file; None where only the storage itself can say.

        Raises: StudyError for a file that is not there.
        """
        if self._path is None:
            return None
        file, log = _stat(self._path), _stat(self._path.with_name(self._path.name + "-wal"))
        if file is None:
            raise StudyError(f"{self._path} is not there any more")
        if self._inode not in (None, file[0]):  # another file under the same name
            self._close()
            self._readers = {name: reader.renewed() for name, reader in self._readers.items()}
        self._inode = file[0]
        newest = max(file[2], log[2] if log else 0)
        return (file, log) if time.time_ns() - newest > _SETTLED_NS else (file, log, None)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection on which every statement is a transaction of its own."""
        engine = self._engine
        if engine is None:
            engine = self._engine = open_storage(self.url, connect_s=_CONNECT_S).engine
            if self._path is not None:
                engine.dispose()  # of what was opened to look at the schema
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if self._path is not None:
                connection.detach()  # closed with the block, not kept for later
                connection.exec_driver_sql(f"PRAGMA busy_timeout={_PATIENCE_MS}")
            yield connection

    def _close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
        self._engine = self._seen = None

    def _away(self, reason: str) -> Iterator[Changes]:
        self._close()
        self._try_at = time.monotonic() + self._wait
        self._wait = min(self._wait * 1.5, _LONGEST_WAIT)
        for reader in self._readers.values():
            if reader.last[0] != "gone":
                yield from self._told(reader, "unreachable", reason)

    # The studies.

    def _check_names(self) -> None:
        with self._asked() as connection:
            listed = sql.studies(connection)
        ours = [one.name for one in listed if one.facts]
        for name in self.names:
            if name not in ours:
                raise StudyError(f"unknown study '{name}' in {self.place}", nearest(name, ours))
        if not ours:
            foreign = f"; not written by nas: {', '.join(one.name for one in listed)}" if listed else ""
            raise StudyError(f"no studies in {self.place}{foreign}", "start one: nas search --space efficientnetv2")
        for one in listed:
            if one.name in self.names:
                StudyReader(one, self.place, self._option)  # raises where it does not read

    def _read(self, connection: Connection) -> Iterator[Changes]:
        listed = sql.studies(connection)
        self._try_at = float("-inf")
        here = {one.name: one for one in listed if one.facts and (not self.names or one.name in self.names)}
        for name, reader in self._readers.items():
            if name not in here:
                yield from self._told(reader, "gone", "the study was deleted")
        skipped = [] if self.names else [f"'{one.name}': not written by nas" for one in listed if not one.facts]
        for one in list(here.values()):
            try:
                self._take(one)
            except (ValueError, KeyError, AttributeError) as error:  # facts that do not read
                skipped.append(f"'{one.name}': {error}")
                del here[one.name]
        note = f"not shown: {'; '.join(skipped)}" if skipped else ""
        for place, name in enumerate(here):
            yield from self._read_study(connection, self._readers[name], note if place == 0 else "")

    def _take(self, listed: sql.Listed) -> None:
        """Make a reader of a study that is new, or tell its reader what it says of itself now."""
        reader = self._readers.get(listed.name)
        if reader is None or not reader.is_same(listed):
            self._readers[listed.name] = StudyReader(listed, self.place, self._option)
            self._readers[listed.name].fresh = reader is not None
        elif reader.listed != listed:
            reader.update(listed)

    def _read_study(self, connection: Connection, reader: StudyReader, note: str) -> Iterator[Changes]:
        try:
            for records in reader.read(connection):
                if records or reader.fresh:
                    yield self._changes(reader, tuple(records), "ok", reader.last[1])
        except RewrittenError:
            reader = self._readers[reader.listed.name] = reader.renewed()
            yield from self._read_study(connection, reader, note)
            return
        yield from self._told(reader, "ok", "; ".join(filter(None, (reader.unread, note))))

    def _told(self, reader: StudyReader, state: FeedState, note: str) -> Iterator[Changes]:
        """The study's state, where it is news."""
        if reader.head_due or reader.last != (state, note):
            yield self._changes(reader, (), state, note)

    def _changes(self, reader: StudyReader, records: tuple[Record, ...], state: FeedState, note: str) -> Changes:
        head, fresh = reader.head if reader.head_due else None, reader.fresh
        reader.head_due, reader.fresh, reader.last = False, False, (state, note)
        return Changes(f"{self.place}#{reader.listed.name}", head, records, fresh, state, note)


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _is_busy(error: Exception) -> bool:
    """Whether a writer holds the file: no news, the next poll asks again."""
    cause = getattr(error, "orig", error)
    return isinstance(cause, sqlite3.OperationalError) and ("locked" in str(cause) or "busy" in str(cause))


def _reason(error: Exception) -> str:
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
