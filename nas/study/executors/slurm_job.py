"""What runs inside a Slurm job: one evaluation, from a spec file to a reply file, with a heartbeat beside them."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from nas.files import write_whole

BEAT_S = 2.0
DRIVER_PATIENCE_S = 120.0  # a job whose driver was killed ends after this long: nobody would read its reply


@dataclass(frozen=True, slots=True)
class Place:
    """Where driver and job meet: a folder that both see, and in it the files of one job."""

    folder: Path
    job: int

    @property
    def spec(self) -> Path:
        """Written by the driver; a job whose spec is gone is cancelled."""
        return self.folder / f"{self.job}.spec.json"

    @property
    def reply(self) -> Path:
        return self.folder / f"{self.job}.reply.json"

    @property
    def beat(self) -> Path:
        return self.folder / f"{self.job}.beat"

    @property
    def driver(self) -> Path:
        """The driver's own heartbeat."""
        return self.folder / "driver.beat"


@dataclass(slots=True)
class Pulse:
    """A heartbeat as seen from outside. It counts by content and by our own monotonic clock: neither a clock of another
    machine nor a file system that caches times can make it seem to stop."""

    path: Path
    seen: str = ""
    changed: float = 0.0  # monotonic

    @property
    def begun(self) -> bool:
        return self.seen != ""

    def look(self) -> float:
        """Seconds since it last changed; 0 before its first beat."""
        try:
            now = self.path.read_text(encoding="ascii")  # opened each time: NFS then asks its server
        except OSError:
            now = self.seen
        if now != self.seen:
            self.seen, self.changed = now, time.monotonic()
        return time.monotonic() - self.changed if self.begun else 0.0


def keep_beating(path: Path, stop: threading.Event) -> None:
    """Count up in the file `path` until `stop` is set. A full disk stops the count, not the process."""
    number = 0
    while True:
        number += 1
        try:
            with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
                file.write(str(number))
        except OSError as error:
            print(f"heartbeat {path}: {error}", file=sys.stderr)
        if stop.wait(BEAT_S):
            return


def run(folder: str, job: int, evaluate: str) -> NoReturn:
    """Evaluate the spec of `job` and end the process. Called by submitit; its own result file is never needed."""
    from nas.study.worker import answer, load

    place = Place(Path(folder), job)
    began = time.monotonic()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):  # submitit's handlers would requeue the job
        signal.signal(number, lambda received, _: _end(place, began, signal.Signals(received).name))
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if cores := os.environ.get("SLURM_CPUS_PER_TASK"):
        os.environ.setdefault("OMP_NUM_THREADS", cores)
    function = load(evaluate)
    spec = json.loads(place.spec.read_text(encoding="utf-8"))
    threading.Thread(target=keep_beating, args=(place.beat, threading.Event()), daemon=True).start()
    threading.Thread(target=_end_when_unwanted, args=(place,), daemon=True).start()
    _leave(place, answer(spec, function))


def _end(place: Place, began: float, name: str) -> NoReturn:
    why = f"Slurm ended the job by {name}: its time limit (time=MINUTES), preemption, or scancel"
    _leave(place, {"job": place.job, "lost": why, "seconds": round(time.monotonic() - began, 3)}, code=1)


def _leave(place: Place, reply: dict[str, Any], code: int = 0) -> NoReturn:
    try:
        write_whole(place.reply, json.dumps(reply).encode(), 0o600)
    except OSError as error:
        print(f"the reply cannot be written: {error}", file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _end_when_unwanted(place: Place) -> None:
    """End a job that was cancelled, or whose driver is gone."""
    driver, missing = Pulse(place.driver), 0
    while missing < 2 and driver.look() < DRIVER_PATIENCE_S:
        time.sleep(BEAT_S)
        missing = 0 if place.spec.exists() else missing + 1
    print("nobody waits for this job any more", file=sys.stderr)
    sys.stderr.flush()
    os._exit(1)
