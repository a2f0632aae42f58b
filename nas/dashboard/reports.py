"""What takes seconds to make from a whole study: its settings, its report's sections, the page as a file."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import re
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from nas.dashboard.answers import packed
from nas.dashboard.hub import Hub, Packed, encode
from nas.dashboard.study import Shares, shares_of, whole_study
from nas.report.study import StudyReport
from nas.study.space import Space

_Answer = TypeVar("_Answer")


class Reports:
    """Answers made once for each state of a study. One at a time, for each holds all records of a study in memory, and
    in threads of their own, so that who waits for one keeps no other request waiting, nor the end of the server."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._lock = hub, threading.Lock()
        self._shares: dict[str, tuple[int, str, Shares]] = {}
        self._made: dict[tuple[str, str], tuple[str, Packed]] = {}  # (what, study) → version, answer

    async def made(self, make: Callable[[str], _Answer], key: str) -> _Answer:
        """What one of the methods below answers."""
        answer: Future[_Answer] = Future()
        threading.Thread(target=_work, args=(answer, make, key), name="reports", daemon=True).start()
        return await asyncio.wrap_future(answer)

    def settings(self, key: str) -> Packed:
        """The open cells of the space by row, or null. Raises: NasError where the study cannot be read."""
        return self._answer("settings", key, lambda _: _packed_json(self._settings(key)))

    def report(self, key: str) -> Packed:
        """The sections and figures around the explorer, and the version they are of. Raises: NasError where the study
        cannot be read."""
        made = self._answer("report", key, lambda stamp: Packed(encode(_sections(self._study(key))), b"", stamp))
        newest = self._hub.version  # read first: then the study, unchanged until after, is as it is in that version
        version = newest if self._hub.stamp(key) == made.tag else made.tag
        plain = made.plain[:-1] + b',"of":' + encode(version) + b"}"
        return Packed(plain, gzip.compress(plain, 4, mtime=0), version)

    def download(self, key: str) -> tuple[str, Packed]:
        """A file name without its end, and the study as one page. Raises: NasError where it cannot be read."""
        from nas.report.analysis import analyse
        from nas.report.page import render

        def make(_: str) -> Packed:
            study = self._study(key)
            return packed(render(study, analyse(study.records, study.recipe)), 1)  # the file is packed inside

        return _file_name(self._hub.name(key)), self._answer("download", key, make)

    def _answer(self, what: str, key: str, make: Callable[[str], Packed]) -> Packed:
        with self._lock:
            version = self._hub.stamp(key)
            known = self._made.get((what, key))
            if known is None or known[0] != version:
                known = self._made[what, key] = (version, make(version))
            return known[1]

    def _settings(self, key: str) -> dict[str, Any] | None:
        rows = self._hub.settings(key)
        names = list(dict.fromkeys(name for settings in rows for name in settings))
        if not names:
            return None
        return {"names": names, "columns": [[settings.get(name) for settings in rows] for name in names]}

    def _study(self, key: str) -> StudyReport:
        """What a report of this study is drawn from."""
        return whole_study(self._hub.snapshot(key), lambda study, space: self._importance(key, study, space))

    def _importance(self, key: str, study: StudyReport, space: Space) -> Shares:
        """Seconds to compute, and slow to change: made anew when there are a tenth more trials."""
        count = sum(record.state == "complete" for record in study.records)
        known = self._shares.get(key)
        if known is None or known[1] != space.hash or not known[0] <= count < 1.1 * known[0]:
            known = self._shares[key] = (count, space.hash, shares_of(study, space))
        return known[2]


def _work(answer: Future[_Answer], make: Callable[[str], _Answer], key: str) -> None:
    _give_way()
    answer.set_running_or_notify_cancel()
    try:
        answer.set_result(make(key))
    except Exception as error:  # the endpoint says it
        answer.set_exception(error)


def _give_way() -> None:
    """Lets a search on the same cores go first: Linux gives a thread a priority of its own."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


def _sections(study: StudyReport) -> dict[str, Any]:
    from nas.report.analysis import analyse
    from nas.report.page import figures, sections

    analysis = analyse(study.records, study.recipe)
    made = [{"anchor": anchor, "title": title, "html": html} for anchor, title, html in sections(study, analysis)]
    return {"sections": made, "figures": dict(figures(study, analysis))}


def _packed_json(document: Any) -> Packed:
    plain = encode(document)
    return Packed(plain, gzip.compress(plain, 4, mtime=0), f"{hash(plain):x}")


def _file_name(name: str) -> str:
    """The study's name in letters that every file system and every header takes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:80] or "study"
