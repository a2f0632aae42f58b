"""A small file that says, every ten seconds, that the search lives and how far it is."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.files import write_whole
from nas.study.outcome import now

if TYPE_CHECKING:
    from nas.record import Record
    from nas.study.engine import Search

EVERY_S = 10.0


class Heartbeat:
    """Replaces the file at `path`, mode 0600, whole, while the driver's loop turns: a `time` older than a minute is a
    driver that hangs, or was killed. `state` is running or stopped; then `reason` says how.

    `say` is told, once, that it could not be written.
    """

    def __init__(self, search: Search, path: Path, say: Callable[[str], None]) -> None:
        self._search, self._path, self._say = search, path, say
        self._failing = False
        self._last: dict[str, Any] | None = None
        self._note: dict[str, str] | None = None
        self._written = 0.0
        self._write("running")

    def told(self, record: Record) -> None:
        """The last trial, in the next beat."""
        self._last = {"trial": record.trial, "state": record.state, "time": now("milliseconds")}
        self.tick()

    def tick(self) -> None:
        """A beat, where one is due."""
        if time.monotonic() > self._written + EVERY_S:
            self._write("running")

    def note(self, text: str) -> None:
        """A beat at once, with the note."""
        self._note = {"text": text, "time": now("milliseconds")}
        self._write("running")

    def close(self, how: str) -> None:
        """The last beat."""
        self._write("stopped", reason=how)

    def _write(self, state: str, **more: str) -> None:
        self._written = time.monotonic()
        search = self._search
        document = {
            "schema": 1,
            "time": now("milliseconds"),
            "state": state,
            **more,
            "study": search.study.study_name,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "done": search.done,
            "total": search.recipe.trials,
            "trials": dict(search.ledger.counts),
            "running": search.running,
            "front": len(search.ledger.front),
            "last": self._last,
            "note": self._note,
        }
        try:
            write_whole(self._path, (json.dumps(document) + "\n").encode(), 0o600)
            self._failing = False
        except OSError as error:
            if not self._failing:
                self._say(f"note   {self._path}: cannot be written: {error.strerror}; the search goes on without it")
            self._failing = True
