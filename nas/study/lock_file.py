"""The lock of a SQLite file: an flock on `<file>.lock`, which names its holder. A dead process holds none."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from pathlib import Path

from nas.study.storage import LockLostError, StudyError, check_place

_TRIES = 6  # `file_holder` locks for an instant to see whether it can: that is nobody's lock
_PAUSE_S = 0.1


class FileLock:
    """The exclusive lock of one SQLite file."""

    def __init__(self, path: Path, url: str, study: str) -> None:
        self._database, self._path, self._url, self._study = path, _beside(path), url, study
        self._held: int | None = None  # an open file

    def take(self) -> None:
        """Hold the lock. Raises: StudyError with the holder's pid and host, or where the file cannot be written."""
        check_place(self._database, self._url)
        try:
            other = self._try()
        except OSError as error:
            raise StudyError(f"storage {self._url}: cannot be written: {error.strerror}", "name another file") from None
        if other:
            raise StudyError(
                f"{self._url} is being written by {other}",
                "wait for it or stop it; a search may take another --storage",
            )

    def check(self) -> bool:
        """Whether the lock is held, taking it again where its file was removed; False where no file can be made.

        Raises: LockLostError when someone else has it.
        """
        if self._held is None or _same(self._held, self._path):
            return self._held is not None
        try:
            other = self._try()
        except OSError:  # the folder went too, or the disk is full: the database will tell
            return False
        if other:
            raise LockLostError(
                f"{self._url} is being written by {other}: the lock file was removed", "stop one of the two drivers"
            )
        return True

    def release(self) -> None:
        """Let go of the lock."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _try(self) -> str:
        """Lock the file that lies at the path; who holds it, where that fails."""
        other = "another process"
        for _ in range(_TRIES):
            file = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
            if _locks(file, fcntl.LOCK_EX) and _same(file, self._path):
                self.release()
                self._held = file
                _sign(file, self._study)
                return ""
            other, _ = _signature(file)
            os.close(file)
            time.sleep(_PAUSE_S)
        return other


def file_holder(path: Path, study: str) -> str:
    """Who drives this study of the SQLite file now; empty when nobody does."""
    try:
        file = os.open(_beside(path), os.O_RDONLY)
    except OSError:
        return ""
    try:
        if _locks(file, fcntl.LOCK_SH):
            return ""
        holder, driven = _signature(file)
        return holder if driven in (study, "") else ""
    finally:
        os.close(file)


def _beside(path: Path) -> Path:
    path = path.resolve()  # one file has one lock, whatever link it is named by
    return path.with_name(path.name + ".lock")


def _locks(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _same(file: int, path: Path) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(file), path.stat())
    return False


def _sign(file: int, study: str) -> None:
    with contextlib.suppress(OSError):  # a full disk: held all the same, without a name
        text = f"pid {os.getpid()} on {socket.gethostname()}\n{study}".encode()
        os.pwrite(file, text, 0)
        os.ftruncate(file, len(text))


def _signature(file: int) -> tuple[str, str]:
    """Who signed, and the study that it drives; empty where it is not known."""
    holder, _, study = os.pread(file, 2000, 0).decode(errors="replace").partition("\n")
    return holder.strip() or "another process", study
