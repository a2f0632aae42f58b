"""One driver for a study: a second one is refused with the pid and the host of the first.

A SQLite file is locked whole, by an flock beside it: it holds for the processes of one machine, and on a network file
system for others only where that carries flock. PostgreSQL is locked study by study, by a session of the server, from
any machine. Both end with their process, however it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from sqlalchemy.engine import make_url

from nas.study.lock_file import FileLock, file_holder
from nas.study.lock_server import ServerLock, alone, server_holder
from nas.study.storage import LockLostError, masked, sqlite_path

__all__ = ["DriverLock", "LockLostError", "creating", "driver_lock", "holder"]


class DriverLock(Protocol):
    """What a driver holds while it drives."""

    def check(self) -> bool:
        """Whether the study is held, taking the lock again where a server lost it; False while that cannot be done, as
        when the server is away. Back within half a minute.

        Raises: LockLostError naming the driver that has it now.
        """
        ...


class _NoLock:
    def check(self) -> bool:
        return True


def _silent(text: str) -> None:
    del text


@contextmanager
def driver_lock(url: str, study: str, say: Callable[[str], None] = _silent) -> Iterator[DriverLock]:
    """Hold the study as its one driver. `say` is told where the storage's kind cannot be locked.

    Raises: StudyError with the holder's pid and host.
    """
    lock: FileLock | ServerLock
    path = sqlite_path(url)
    if path is not None:
        lock = FileLock(path, url, study)
    elif _is_postgresql(url):
        lock = ServerLock(url, study)
    else:
        say(f"{masked(url)} cannot be locked: see to it yourself that nothing else drives study '{study}'")
        yield _NoLock()
        return
    lock.take()
    try:
        yield lock
    finally:
        lock.release()


def holder(url: str, study: str) -> str:
    """`pid 123 on host`: who drives the study now; empty when nobody does. Creates nothing, and does not wait for it.

    Raises: StudyError where a server does not answer.
    """
    path = sqlite_path(url)
    if path is not None:
        return file_holder(path, study)
    return server_holder(url, study) if _is_postgresql(url) else ""


@contextmanager
def creating(url: str) -> Iterator[None]:
    """Create a storage's tables here: on PostgreSQL one process at a time, elsewhere as it comes.

    Raises: StudyError where the server does not answer, or another process does not get done.
    """
    if sqlite_path(url) is None and _is_postgresql(url):
        with alone(url):
            yield
    else:
        yield


def _is_postgresql(url: str) -> bool:
    return make_url(url).get_backend_name() == "postgresql"
