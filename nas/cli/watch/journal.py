"""What happens in a search as JSON, one object a line: `event` is start, trial, note, waiting or stop."""

from __future__ import annotations

import json
import math
import os
import select
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cli.output import spare
from nas.errors import NasError
from nas.study.outcome import now

if TYPE_CHECKING:
    from nas.record import Record
    from nas.study.engine import Search

_IDLE_S = 60.0  # that nothing runs before the log says so
_START = b'{"time": "'  # of every line
_LONGEST = 1_000  # characters of a text in a line


class Journal:
    """Adds lines to the file at `target`, made with mode 0600; `-` is standard output. Each is one write.

    `say` is told, once, of a line that could not be written. Raises: NasError where the file cannot be opened.
    """

    def __init__(self, search: Search, target: str, say: Callable[[str], None]) -> None:
        self._search, self._target, self._say = search, target, say
        self._file = _open(target)
        self._torn = self._failing = False
        self._busy = time.monotonic()
        self._waiting = False
        place = {"pid": os.getpid(), "host": socket.gethostname(), "workers": search.workers}
        self._write("start", **place, done=search.done, total=search.recipe.trials)

    def told(self, record: Record) -> None:
        """A line for a trial that ended."""
        facts: dict[str, Any] = {"trial": record.trial, "state": record.state, "id": record.id, "arch": record.arch}
        optional = {"baseline": record.baseline, "reused": record.reused, "retry_of": record.retry_of}
        facts |= {key: value for key, value in optional.items() if value not in (None, "")}
        facts["values"] = {key: value for key, value in record.values.items() if math.isfinite(value)}
        facts |= {"seconds": record.seconds, "reason": record.reason}
        self._write("trial", **facts, done=self._search.done, total=self._search.recipe.trials)

    def tick(self) -> None:
        """A line when nothing has been measured for a minute, as while a cluster has no node."""
        moment = time.monotonic()
        if self._search.running:
            self._busy, self._waiting = moment, False
        elif not self._waiting and moment > self._busy + _IDLE_S:
            self._waiting = True
            self._write("waiting", seconds=round(moment - self._busy), done=self._search.done)

    def note(self, text: str) -> None:
        """A line for what is no trial."""
        self._write("note", text=text)

    def close(self, how: str) -> None:
        """The last line: how the search stopped."""
        counts = dict(self._search.ledger.counts)
        self._write("stop", reason=how, done=self._search.done, total=self._search.recipe.trials, trials=counts)
        if self._target != "-":
            os.close(self._file)

    def _write(self, event: str, **facts: Any) -> None:
        line = {"time": now("milliseconds"), "event": event, "study": self._search.study.study_name}
        line |= {key: value[:_LONGEST] if isinstance(value, str) else value for key, value in facts.items()}
        content = (json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n").encode(errors="replace")
        content = b"\n" + content if self._torn else content  # a line cut short by a full disk stays alone
        try:
            if self._target == "-":
                sys.stdout.flush()
            poll = select.poll()
            poll.register(self._file, select.POLLOUT)
            if not poll.poll(0):
                raise OSError(0, "its reader does not read")
            done = os.write(self._file, content)
            self._torn = done < len(content)
            if self._torn:
                raise OSError(0, "no space for a whole line")
            self._failing = False
        except OSError as error:
            if not self._failing:
                self._say(f"note   --log-json {self._target}: {error.strerror}; the search goes on, lines are missing")
            self._failing = True


def _open(target: str) -> int:
    if target == "-":
        return sys.stdout.fileno()
    spare("--log-json", Path(target), _read_start, "log of a search")
    try:
        # O_NONBLOCK: a pipe that nobody reads is an error, and does not hold up the search
        return os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise NasError(f"--log-json {target}: cannot be written: {error.strerror}", "name another file") from None


def _read_start(path: Path) -> None:
    """Raises: NasError where a file begins as no log does."""
    with path.open("rb") as file:
        if not _START.startswith(file.read(len(_START)).lstrip()):  # a full disk may have cut the first line short
            raise NasError(f"{path}: no log of a search")
