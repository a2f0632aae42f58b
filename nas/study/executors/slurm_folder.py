"""The folder in which a driver and its Slurm jobs meet, and what an earlier driver left in its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO

from nas.study.executors import EngineError

_KEPT = (".out", ".err")  # the logs


class RunFolder:
    """A new folder of mode 0700 inside LOGS/slurm, which the nodes must see too; it is this driver's while it lives.

    Specs that a killed driver left are removed, and with them its jobs: they end when they miss them.
    Raises: EngineError where it cannot be written.
    """

    def __init__(self, logs: Path) -> None:
        place = logs.absolute() / "slurm"
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            for left in place.glob("run-*"):
                _give_up(left)
            self.path = Path(tempfile.mkdtemp(prefix="run-", dir=place))
            self._lock = _open(self.path)
            with contextlib.suppress(OSError):  # a file system without locks: then nobody takes it for dead
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise EngineError(
                f"engine slurm: {place}: cannot be written: {error.strerror}", "name another --out"
            ) from None

    def close(self) -> None:
        """Remove it but for the logs in it."""
        _sweep(self.path)
        self._lock.close()
        with contextlib.suppress(OSError):
            self.path.rmdir()


def _open(folder: Path) -> IO[bytes]:
    return os.fdopen(os.open(folder / "driver.lock", os.O_CREAT | os.O_RDWR, 0o600), "r+b")


def _give_up(folder: Path) -> None:
    """Sweep the folder of a driver that is dead."""
    if not (folder / "driver.lock").exists():
        return
    with contextlib.suppress(OSError), _open(folder) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _sweep(folder)


def _sweep(folder: Path) -> None:
    for path in folder.iterdir():
        if not path.name.endswith(_KEPT):
            path.unlink(missing_ok=True)
