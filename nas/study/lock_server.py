"""The lock of a study on PostgreSQL: an advisory lock held by a session of its own, whose name says who drives.

The server ends the session, and so frees the lock, when the driver dies or its machine falls silent.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from threading import Timer
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from nas.study.server import engine_options, notice_silence, with_driver
from nas.study.storage import LockLostError, StudyError, masked, no_driver, unreachable

_CONNECT_S = 5
_ANSWER_S = 5.0  # seconds for an answer; then the connection counts as dead
_CREATE_S = 60  # seconds for another process to create the tables
_TRIES = 10  # a driver that just died, or our own session being ended, is gone in a moment
_PAUSE_S = 0.2
_NAME_BYTES = 63  # PostgreSQL cuts longer names
_HOLDERS = text("""
  SELECT l.pid, coalesce(a.application_name, ''), l.pid = pg_backend_pid()
  FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
  WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.classid::bigint = :high AND l.objid::bigint = :low
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")


class ServerLock:
    """The lock of one study in one database."""

    def __init__(self, url: str, study: str) -> None:
        self._url, self._study, self._key = url, study, _key(f"driver {study}")
        self._name = _session_name()
        self._engine = _engine(url, self._name)
        self._session: Connection | None = None
        self._errors: tuple[type[Exception], ...] = _errors(self._engine)

    def take(self) -> None:
        """Hold the lock. Raises: StudyError with the holder's pid and host, or where the server does not answer."""
        try:
            other = self._try()
        except self._errors as error:
            raise unreachable(self._url, error) from None
        if other:
            raise StudyError(self._driven_by(other), "wait for it or stop it; a search may take another --study")

    def check(self) -> bool:
        """Whether the lock is held, taking it again where the server or the network lost it; False while the server
        gives it no session.

        Raises: LockLostError when someone else has it.
        """
        if self._alive():
            return True
        self.release()
        try:
            other = self._try()
        except self._errors:
            return False
        if other:
            raise LockLostError(
                f"{self._driven_by(other)}: it began while the server was away", "follow that one, or stop it first"
            )
        return True

    def release(self) -> None:
        """Let go of the lock by ending its session."""
        if self._session is not None:
            _end(self._session)
            self._session = None

    def _driven_by(self, other: str) -> str:
        return f"study '{self._study}' at {masked(self._url)} is being driven by {other}"

    def _alive(self) -> bool:
        if self._session is None:
            return False
        try:
            with _answering(self._session):
                return any(mine for _, _, mine in self._session.execute(_HOLDERS, _halves(self._key)))
        except self._errors:
            return False

    def _try(self) -> str:
        """Lock on a new session; who holds it, where that fails. What we left on the server ourselves is ended."""
        session = self._engine.connect()
        try:
            with _answering(session):
                for _ in range(_TRIES):
                    if session.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key}).scalar():
                        self._session = session
                        return ""
                    found = session.execute(_HOLDERS, _halves(self._key)).all()
                    for pid, name, _ in found:
                        if name == self._name:
                            session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
                    time.sleep(_PAUSE_S)
            return _shown(*found[0][:2]) if found else "another session"
        finally:
            if self._session is not session:
                _end(session)


def server_holder(url: str, study: str) -> str:
    """Who drives the study now; empty when nobody does. Raises: StudyError where the server does not answer."""
    engine = _engine(url, "nas")
    try:
        session = engine.connect()
        try:
            with _answering(session):
                found = session.execute(_HOLDERS, _halves(_key(f"driver {study}"))).first()
        finally:
            _end(session)
    except _errors(engine) as error:
        raise unreachable(url, error) from None
    return _shown(*found[:2]) if found else ""


@contextmanager
def alone(url: str) -> Iterator[None]:
    """Be the one process that creates tables in this database."""
    engine = _engine(url, _session_name())
    try:
        session = engine.connect()
    except _errors(engine) as error:
        raise unreachable(url, error) from None
    try:
        try:
            session.execute(text("SELECT set_config('lock_timeout', :limit, false)"), {"limit": f"{_CREATE_S}s"})
            session.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _key("tables")})
        except _errors(engine) as error:
            raise unreachable(url, error) from None
        yield
    finally:
        _end(session)


def _engine(url: str, name: str) -> Engine:
    """Where every connection is a session of its own under this name, and every statement a transaction."""
    server = with_driver(url)
    options = engine_options(server, _CONNECT_S)
    options["connect_args"]["application_name"] = name
    try:
        engine = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT", **options)
    except ImportError as error:
        raise no_driver(url, error) from None
    notice_silence(engine)
    return engine


def _errors(engine: Engine) -> tuple[type[Exception], ...]:
    return (SQLAlchemyError, engine.dialect.loaded_dbapi.Error, OSError)


@contextmanager
def _answering(session: Connection) -> Iterator[None]:
    """Statements that are answered in time, or fail: TCP alone lets them wait for most of a minute."""
    raw: Any = session.connection.driver_connection
    if not hasattr(raw, "fileno"):
        yield
        return
    with socket.socket(fileno=os.dup(raw.fileno())) as twin:
        timer = Timer(_ANSWER_S, _hang_up, (twin,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _hang_up(twin: socket.socket) -> None:
    with contextlib.suppress(OSError):
        twin.shutdown(socket.SHUT_RDWR)


def _end(session: Connection) -> None:
    with contextlib.suppress(Exception):  # it may be dead already
        session.invalidate()
    with contextlib.suppress(Exception):
        session.close()


def _session_name() -> str:
    """Unique, so that a driver knows a session that it left behind from that of another."""
    tag = f" #{secrets.token_hex(4)}"
    who = f"nas: pid {os.getpid()} on {socket.gethostname()}".encode("ascii", "replace").decode()
    return who[: _NAME_BYTES - len(tag)] + tag


def _shown(pid: int, name: str) -> str:
    """`pid 123 on host`, or what can be said of a session that is none of ours."""
    ours = re.fullmatch(r"nas: (pid .*) #[0-9a-f]{8}", name)
    return ours[1] if ours else f"session {pid} of the server" + (f", {name}" if name else "")


def _key(what: str) -> int:
    """A signed 64-bit number for PostgreSQL, which keeps those of each database apart."""
    return int.from_bytes(sha256(f"nas {what}".encode()).digest()[:8], "big", signed=True)


def _halves(key: int) -> dict[str, int]:
    """How pg_locks shows a key."""
    return {"high": (key >> 32) & 0xFFFF_FFFF, "low": key & 0xFFFF_FFFF}
