"""A small search in a folder of its own, driven by the command line, and what must hold of it whatever happened."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nas.record import Record
from nas.study.ledger import Ledger
from nas.study.storage import open_storage, open_study, recipe_of, records
from tests.chaos.evaluations import readings
from tests.conftest import ROOT

SPACE = """\
resolution: 16
stem: 8
head: 16
stages:
  - {op: mbconv, kernel: [3, 5], stride: 1, channels: [8, 16, 24, 32, 40, 48], layers: [1, 2, 3], expand: [1, 2]}
  - {op: [mbconv, fused_mbconv], kernel: [3, 5], stride: 2, channels: {from: 8, to: 128, by: 8}, layers: 1}
"""
QUICK = {"objectives": ["peak_memory_mib", "flops"], "measure": ["peak_memory_mib"]}
REAL = {  # a trial of a second or two
    "objectives": ["top1_pct", "flops"],
    "measure": ["train_images_per_s", "top1_pct"],
    "timing": {"batch": 8, "tolerance": 0.5, "time_cap": 0.1, "threads": 1},
    "training": {"data": "fractals:4x32", "width": 1.0, "resolution": 16, "epochs": 1, "batch": 16, "threads": 1},
}
PATIENCE_S = 600  # for what takes seconds: others may be busy on the machine


@dataclass
class Search:
    """A folder with a space and a recipe. `words`: more of the command line. `env`: CHAOS_* of its workers."""

    folder: Path
    evaluate: str = "quick"
    trials: int = 12
    recipe: dict[str, Any] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    storage: str = ""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "marks").mkdir(exist_ok=True)
        (self.folder / "space.yaml").write_text(SPACE)
        document = {"name": "chaos", "space": "space.yaml", "trials": self.trials, "sampler": "random", "baselines": []}
        (self.folder / "study.yaml").write_text(json.dumps({**document, **QUICK, **self.recipe}))
        self.mark = uuid.uuid4().hex
        self.place, self.log = self.folder / "nas.db", self.folder / "log.jsonl"
        self.drivers: list[Driver] = []

    @property
    def url(self) -> str:
        """Of the storage."""
        return self.storage or f"sqlite:///{self.place}"

    @property
    def environment(self) -> dict[str, str]:
        """Of the driver, and so of its workers."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("NAS_")},
            "PYTHONPATH": str(ROOT),
            "NAS_CACHE": str(self.folder.parent / "cache"),
            "CHAOS_EVALUATE": "nas.study.worker:evaluate"
            if self.evaluate == "real"
            else f"tests.chaos.evaluations:{self.evaluate}",
            "CHAOS_FOLDER": str(self.folder / "marks"),
            "CHAOS_MARK": self.mark,
            **self.env,
        }

    def command(self, *more: str) -> list[str]:
        """Of the driver, the same each time."""
        words = ["search", "--recipe", "study.yaml", "--device", "cpu", "--storage", self.url]
        return [sys.executable, "-m", "tests.chaos.entry", *words, "--log-json", str(self.log), *self.words, *more]

    def start(self, *more: str, prefix: tuple[str, ...] = (), **popen: Any) -> Driver:
        """The driver, running. Its messages go to a file, so that no pipe fills up."""
        number = len(self.drivers)
        if "stderr" not in popen:
            popen["stderr"] = (self.folder / f"stderr-{number}").open("wb")
        if "stdout" not in popen:
            popen["stdout"] = (self.folder / f"stdout-{number}").open("wb")
        environment = {**self.environment, **popen.pop("env", {})}
        popen = {"stdin": subprocess.DEVNULL, "start_new_session": True, "preexec_fn": _hear_signals, **popen}
        process = subprocess.Popen([*prefix, *self.command(*more)], cwd=self.folder, env=environment, **popen)
        driver = Driver(process, self.folder / f"stderr-{number}", self)
        self.drivers.append(driver)
        return driver

    def finish(self, *more: str) -> Driver:
        """The same command, until the study is done."""
        driver = self.start(*more)
        code = driver.wait()
        assert code == 0, f"exit code {code}: {driver.said[-600:]}"
        return driver

    def nas(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Another command, at its end."""
        whole = [sys.executable, "-m", "nas", *words, "--storage", self.url]
        return subprocess.run(
            whole,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    def close(self) -> None:
        """End what still runs."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for driver in self.drivers:
            driver.process.wait()

    # What is running.

    def processes(self) -> list[int]:
        """Ids of all processes that descend from a driver of this search, by the mark in their environment."""
        found = []
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if folder.name.isdecimal() and self.mark.encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
        return found

    def workers(self) -> list[int]:
        """Ids of its worker processes."""
        found = []
        for pid in self.processes():
            with contextlib.suppress(OSError):
                if b"nas.study.worker\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found

    def wait_gone(self) -> None:
        """Until no process of the search is left."""
        eventually(lambda: not self.processes(), 30, "processes were left behind")

    # What is stored, and what was said of it.

    def events(self, kind: str = "trial") -> list[dict[str, Any]]:
        """Whole lines of the JSON log, over all runs."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines() if self.log.exists() else ():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return [event for event in found if event["event"] == kind]

    def told(self) -> int:
        """Trials that were told, as its log has them."""
        return len(self.events())

    def until(self, trials: int, driver: Driver) -> None:
        """Wait until so many were told; fails if the driver ends before."""
        eventually(lambda: self.told() >= trials or not driver.alive, what=f"{trials} trials were never told")
        assert driver.alive or self.told() >= trials, f"exit code {driver.wait()}: {driver.said[-600:]}"

    def records(self) -> list[Record]:
        """Every trial as it is stored."""
        return records(open_study(open_storage(self.url), "chaos"))

    def check(self, *, done: bool = True) -> list[Record]:
        """What must hold of the study after any fault; `done`: after the last run. Returns its records."""
        if not self.storage:
            with closing(sqlite3.connect(self.place)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        study = open_study(open_storage(self.url), "chaos")
        found = records(study)
        check_trials(found)
        attempts = {trial.number: trial.user_attrs.get("attempt", 0) for trial in study.get_trials(deepcopy=False)}
        if done:
            check_retries(found, attempts)
            repeats = [record.retry_of for record in found if record.retry_of is not None]
            ledger = Ledger.of(recipe_of(study).parsed_objectives, found, repeats)
            assert ledger.done == self.trials, f"{ledger.done} networks are done of {self.trials}"
            for member in ledger.front.members:
                assert all(math.isfinite(value) and value >= 0 for value in member.values()), member
        self._check_told(found)
        return found

    def _check_told(self, found: list[Record]) -> None:
        """Whatever the log said of a trial, at any time, is what is stored of it."""
        stored = {record.trial: record for record in found}
        for event in self.events():
            record = stored.get(event["trial"])
            assert record is not None, f"trial {event['trial']} was told, and is not there"
            assert (record.state, record.id) == (event["state"], event["id"]), f"trial {event['trial']} changed"
            values = {key: value for key, value in record.values.items() if math.isfinite(value)}
            assert values == event["values"], f"trial {event['trial']} has other readings than were told"
            started = f"trial {event['trial']}: {event['seconds']} s"
            assert event["seconds"] is None or event["seconds"] >= 0, started
        if "timing" not in self.recipe:  # then readings follow from the architecture
            for record in found:
                if record.state == "complete":
                    right = {key: value["value"] for key, value in readings(record.arch).items()}
                    assert {key: record.value(key) for key in right} == right, f"trial {record.trial} is wrong"


def check_trials(found: list[Record]) -> None:
    """Numbers are contiguous, nothing runs, and no network is measured twice but in a marked retry."""
    assert [record.trial for record in found] == list(range(len(found))), "numbers are not contiguous"
    running = [record.trial for record in found if record.state == "running"]
    assert not running, f"trials {running} are running still"
    first_of: dict[str, Record] = {}
    for record in found:
        if record.reused is None and record.id:
            twice = record.id in first_of and record.retry_of is None
            assert not twice, f"trial {record.trial} measures the network of trial {first_of[record.id].trial} again"
            first_of.setdefault(record.id, record)
        assert record.seconds is None or record.seconds >= 0, f"trial {record.trial}: {record.seconds} s"


def check_retries(found: list[Record], attempts: dict[int, int]) -> None:
    """A trial whose worker or driver was lost is retried, once, with the same network; no other is."""
    retries = Counter(record.retry_of for record in found if record.retry_of is not None)
    for record in found:
        assert record.trial is not None
        lost = record.state == "failed" and record.reused is None and is_lost(record)
        again = record.reason == "interrupted"  # costs the network no attempt
        due = lost and (again or attempts[record.trial] < 1)
        assert retries[record.trial] == due, f"trial {record.trial} ({record.reason}): {retries[record.trial]} retries"
        if record.retry_of is not None:
            before = found[record.retry_of]
            assert record.id == before.id, f"trial {record.trial} retries another network"


def is_lost(record: Record) -> bool:
    """Whether a failed trial says nothing of its network."""
    lost = ("the worker was", "the worker ended", "the worker answered nonsense", "its driver died", "interrupted")
    return record.reason.startswith(lost)


def _hear_signals() -> None:
    """A shell's background job ignores SIGINT, nohup's SIGHUP, and so would what it starts."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@dataclass
class Driver:
    """A driver process, and the file that its messages go to."""

    process: subprocess.Popen[bytes]
    messages: Path
    search: Search

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def said(self) -> str:
        """Its messages."""
        return self.messages.read_text(errors="replace") if self.messages.exists() else ""

    def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()
        self.process.wait()

    def signal(self, number: signal.Signals) -> float:
        """Send it a signal, and wait for its end; the seconds that took."""
        before = time.monotonic()
        self.process.send_signal(number)
        self.wait()
        return time.monotonic() - before

    def wait(self, seconds: float = PATIENCE_S) -> int:
        """Its exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the driver does not end: {self.said[-600:]}") from None


def eventually(holds: Callable[[], object], seconds: float = PATIENCE_S, what: str = "it did not come true") -> None:
    """Wait until it holds. Raises: AssertionError when it does not."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.05)
