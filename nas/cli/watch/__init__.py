"""Watching a long search from outside: a log of JSON lines, a heartbeat file, metrics for Prometheus.

Each is a listener of the search. None of them may end it: what cannot be written is said once, and left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nas.cli import console
from nas.errors import raised

if TYPE_CHECKING:
    from nas.record import Record
    from nas.study.engine import Search


class _Watcher(Protocol):
    def told(self, record: Record) -> None: ...
    def tick(self) -> None: ...
    def note(self, text: str) -> None: ...
    def close(self, how: str) -> None: ...


@contextmanager
def watched(search: Search, folder: Path, *, log_json: str = "", metrics_port: int | None = None) -> Iterator[None]:
    """Watch `search` while it runs.

    `folder`: where heartbeat.json goes. `log_json`: a file, or - for standard output. `metrics_port`: of 127.0.0.1; 0
    takes a free one. Raises: NasError for a file that cannot be opened, or a port that is taken.
    """
    from nas.cli.watch.heartbeat import Heartbeat
    from nas.cli.watch.journal import Journal

    listeners: list[_Watcher] = []
    with ExitStack() as opened:
        if metrics_port is not None:
            from nas.cli.watch.metrics import Metrics

            metrics = Metrics(search, metrics_port)
            opened.callback(metrics.close)
            console.say(f"metrics http://127.0.0.1:{metrics.port}/metrics")
            listeners.append(metrics)
        if log_json:
            listeners.append(Journal(search, log_json, console.say))
        listeners.append(Heartbeat(search, folder / "heartbeat.json", console.say))
        search.listeners += listeners
        how = ""
        try:
            yield
        except BaseException as error:
            how = raised(error)
            raise
        finally:
            for listener in listeners:
                search.listeners.remove(listener)
                listener.close(how or search.stop or "done")
