"""What every open page shares: one thread that reads the studies, versions of what it read, patches between them."""

from __future__ import annotations

import gc
import gzip
import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nas.dashboard.board import Board
from nas.dashboard.study import own_name
from nas.errors import NasError
from nas.report import explore
from nas.report.drawing import FIELDS, drawing
from nas.study.feed import Changes, Head, Place, Snapshot, Source

_WATCHED, _UNWATCHED = 0.25, 2.0  # seconds between polls
_AFTER_FAILURE = 2.0  # seconds
_REST, _LONGEST_REST = 20, 1.0  # times what a poll took, at most so many seconds, before the next
_MEMORY = 60.0  # seconds for which a client counts as watching
_LEVEL = 6  # of gzip: with the next ones it takes twice the time to save a hundredth

logger = logging.getLogger(__name__)


class UnknownError(NasError):
    """A study or a row that is not there."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A body as it is, and as it travels."""

    plain: bytes
    zipped: bytes
    tag: str


class Hub:
    """Studies of some sources, and what changed in them since any version."""

    def __init__(self, sources: Sequence[Source], published: Sequence[dict[str, Any]] = (), note: str = "") -> None:
        self._sources, self._published, self._note = list(sources), list(published), note
        self._epoch, self._number, self._reload_at = secrets.token_hex(4), 0, 0
        self._boards: dict[str, Board] = {}  # by identity
        self._owners: dict[str, tuple[Board, Source, str]] = {}  # by key: with the identity there
        self._lock, self._building = threading.RLock(), threading.Lock()
        self._page: Packed | None = None
        self._patch: tuple[tuple[int, int], dict[str, Any]] | None = None
        self._listeners: set[Callable[[], None]] = set()
        self._wake, self._closing = threading.Event(), threading.Event()
        self._seen = float("-inf")
        self._thread = threading.Thread(target=self._run, name="studies", daemon=True)

    @property
    def version(self) -> str:
        return f"{self._epoch}.{self._number}"

    @property
    def closing(self) -> bool:
        return self._closing.is_set()

    # Reading.

    def start(self) -> None:
        """Read everything once, then go on reading in a thread."""
        self.poll()
        self.page()
        gc.collect()
        gc.freeze()  # what was read stays: collections need not walk over it again
        self._thread.start()

    def close(self) -> None:
        """End the thread, and every stream."""
        self._closing.set()
        self._wake.set()
        self._notify()

    def touch(self) -> None:
        """A client was seen: read soon, and often for a while."""
        moment = time.monotonic()
        idle, self._seen = moment - self._seen > _MEMORY, moment
        if idle:
            self._wake.set()

    def poll(self) -> None:
        """Read what changed, and give it a version when all of it is here. A source that breaks keeps no other, nor
        what was read of it before, from the pages."""
        version, changed, reload = self._number + 1, False, False
        for source in self._sources:
            try:
                for changes in source.poll():
                    changed = True
                    with self._lock:
                        reload |= self._take(source, changes, version)
            except Exception:
                logger.exception("reading the studies failed")
                self._closing.wait(_AFTER_FAILURE)
        if changed:
            with self._lock:
                self._number, self._reload_at = version, version if reload else self._reload_at
            self._notify()

    def _take(self, source: Source, changes: Changes, version: int) -> bool:
        """Apply changes. Whether pages must read everything anew."""
        changes = replace(changes, head=self._named(changes)) if changes.head else changes
        board, added = self._boards.get(changes.identity), False
        if board is None:
            if changes.head is None:
                return False
            board = self._boards[changes.identity] = Board(str(len(self._boards)), changes.head)
            self._owners[board.key] = (board, source, changes.identity)
            added = True
        return board.take(changes, version) or added

    def _named(self, changes: Changes) -> Head | None:
        """The head under a name that no other study here has. Commands then bring its networks by their notation."""
        head = changes.head
        if head is None:
            return None
        name = own_name(head.name, {board.feed.name for key, board in self._boards.items() if key != changes.identity})
        return head if name == head.name else replace(head, name=name, option=None)

    def _run(self) -> None:
        took = 0.0
        while not self._closing.is_set():
            watched = self._listeners or time.monotonic() - self._seen < _MEMORY
            rest = min(_REST * took, _LONGEST_REST)
            self._wake.wait(max(_WATCHED if watched else _UNWATCHED, rest))
            self._wake.clear()
            if self._closing.is_set():
                return
            start = time.thread_time()
            self.poll()
            took = time.thread_time() - start

    def _notify(self) -> None:
        for listener in tuple(self._listeners):
            listener()

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener`, from any thread, when there is a new version or the hub closes. Returns what ends that."""
        self.touch()
        self._listeners.add(listener)

        def end() -> None:
            self._listeners.discard(listener)

        return end

    # Answering.

    def page(self) -> Packed:
        """The page document as it is now."""
        with self._building:
            found = self._page
            if found is None or found.tag != self.version:
                with self._lock:
                    version = self.version
                    studies = [board.document() for board in self._boards.values()]
                document = explore.page_document(
                    studies, self._published, mode="live", version=version, note=self._note
                )
                plain = encode(document)
                found = self._page = Packed(plain, gzip.compress(plain, _LEVEL, mtime=0), version)
            return found

    def changes(self, since: str) -> dict[str, Any]:
        """The patch from the version `since`, of which it says the new version; `reload` where there is none."""
        number = self._parse(since)
        with self._lock:
            reload = number is None or number < self._reload_at
            patch = {"version": self.version, "now": round(time.time(), 3), "reload": reload, "studies": []}
            if number is None or reload or number == self._number:
                return patch
            if self._patch is None or self._patch[0] != (number, self._number):
                parts = [part for board in self._boards.values() if (part := board.patch(number))]
                self._patch = ((number, self._number), {**patch, "studies": parts})
            return {**self._patch[1], "now": patch["now"]}

    def network(self, key: str, row: int) -> dict[str, Any]:
        """What is inside the network of a row; no rows where that is not known. Raises: UnknownError."""
        rows = self._owned(key)[0].rows  # taken once: the study may be read anew meanwhile
        if not 0 <= row < len(rows):
            raise UnknownError(f"study {key} has no row {row}", f"rows: 0 to {len(rows) - 1}")
        return {"fields": list(FIELDS), "rows": drawing(rows[row].arch)}

    def snapshot(self, key: str) -> Snapshot:
        """A study whole, read for this. Raises: NasError."""
        _, source, identity = self._owned(key)
        return source.snapshot(identity)

    def settings(self, key: str) -> list[Mapping[str, Any]]:
        """The settings row by row, read for this; empty where there are none. Raises: NasError."""
        board, source, identity = self._owned(key)
        with self._lock:
            places: list[Place] = [(row.trial, row.id if row.trial is None else "") for row in board.rows]
        found = source.settings(identity)
        return [found.get(place, {}) for place in places]

    def stamp(self, key: str) -> str:
        """The version at which a study changed last. Raises: UnknownError."""
        return f"{self._epoch}.{self._owned(key)[0].stamp}"

    def name(self, key: str) -> str:
        """What a study is called. Raises: UnknownError."""
        return self._owned(key)[0].feed.name

    def _owned(self, key: str) -> tuple[Board, Source, str]:
        """A study, where it is read, and what it is called there. It waits for no lock: the event loop asks."""
        found = self._owners.get(key)
        if found is None:
            raise UnknownError(f"no study {key!r}", f"studies: {', '.join(tuple(self._owners))}")
        return found

    def _parse(self, version: str) -> int | None:
        """The number of a version of this server; None of another's."""
        epoch, _, number = version.partition(".")
        known = epoch == self._epoch and number.isascii() and number.isdigit() and len(number) < 12
        return int(number) if known and int(number) <= self._number else None


def encode(document: Any) -> bytes:
    """JSON as short as it gets. Text from a study may hold halves of characters: they become question marks."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "replace")
