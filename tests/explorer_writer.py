"""A search that is driven from outside, for tests that watch a study being written: the real engine, no measuring.

As a process (`python -m tests.explorer_writer URL …`) it answers every trial at a set pace, or when told to: each line
on its standard input is one answer: `tell`, `fail`, `again` (asks for a network that is known); `go SECONDS` answers
at that pace from then on, `stop` ends. Each trial that is told is a line of JSON: number, state, time of its commit.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna

from nas.arch import parse
from nas.record import Record
from nas.study.engine import Search
from nas.study.executors import Result, Spec
from nas.study.lifecycle import open_or_create, resolve_baselines
from nas.study.lock import driver_lock
from nas.study.storage import open_storage
from tests.explorer_readings import ENVIRONMENT, accuracy, counted, timing
from tests.explorer_studies import recipe, space

ROOT = Path(__file__).parent.parent


def answer(spec: Spec) -> dict[str, Any]:
    """Readings that follow from the network, as a worker would send them."""
    arch, repeats = parse(spec.architecture), int(spec.settings["repeats"])
    return {
        "flops": counted(arch).to_json(),
        "top1_pct": accuracy(arch, arch.id, repeats=repeats).to_json(),
        "train_images_per_s": timing(arch, arch.id, repeats=repeats).to_json(),
    }


@dataclass
class Commanded:
    """An executor whose every answer is asked for."""

    pace: float | None  # seconds an answer; None waits for commands
    search: Search | None = None
    width: int = 1
    pending: deque[Spec] = field(default_factory=deque)
    asked: deque[str] = field(default_factory=deque)
    due: float = 0.0

    @property
    def capacity(self) -> int:
        return self.width - len(self.pending)

    def submit(self, spec: Spec) -> None:
        self.pending.append(spec)
        self.due = time.monotonic() + (self.pace or 0)

    def wait(self, timeout: float) -> Sequence[Result]:
        if self.pace is not None and (left := min(timeout, self.due - time.monotonic())) > 0:
            time.sleep(left)
        self._read(timeout if self.pace is None and not self.asked else 0)
        if not self.pending or not (self.asked or (self.pace is not None and time.monotonic() >= self.due)):
            return []
        word = self.asked.popleft() if self.asked else "tell"
        spec = self.pending.popleft()
        error = "out of memory at batch 8, at 4 too" if word == "fail" else ""
        return [Result(spec.job, {} if error else answer(spec), ENVIRONMENT, seconds=1.0, error=error)]

    def _read(self, timeout: float) -> None:
        if not select.select([sys.stdin], [], [], timeout)[0]:
            return
        heard = os.read(sys.stdin.fileno(), 65_536).decode()
        for line in heard.splitlines() or ["stop"]:  # nothing to read: whoever commands is gone
            word, _, rest = line.partition(" ")
            if word == "stop":
                self.search.stop = "interrupted"
                self.asked.extend(["tell"] * len(self.pending))
            elif word == "go":
                self.pace = float(rest)
            elif word == "again":
                done = next(trial for trial in self.search.study.get_trials(deepcopy=False) if trial.values)
                self.search.study.enqueue_trial(dict(done.params))
            else:
                self.asked.append(word)

    def age(self, job: int) -> float:
        return 0.0

    def cancel(self, job: int, reason: str) -> None: ...

    def close(self) -> None: ...


class Crier:
    """Says when each trial was told: the line is written right after the commit."""

    def told(self, record: Record) -> None:
        at = time.time()
        print(json.dumps({"trial": record.trial, "state": record.state, "reused": record.reused, "at": at}), flush=True)

    def tick(self) -> None: ...

    def note(self, text: str) -> None: ...


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--name", default="live")
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--pace", type=float)
    parser.add_argument("--width", type=int, default=1)
    parser.add_argument("--limit", default="flops<=30G")
    parser.add_argument("--changes", type=json.loads, default={}, help="other fields of the recipe, as JSON")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    known = recipe(options.name, options.trials, limits=(options.limit,), **options.changes)
    with driver_lock(options.url, options.name):
        storage = open_storage(options.url, create=True)
        study = open_or_create(storage, known, space(), "cpu", "nas search --space efficientnetv2", ENVIRONMENT).study
        executor = Commanded(options.pace, width=options.width)
        baselines = resolve_baselines(known, space())
        search = Search(study, known, space(), executor, "cpu", baselines, listeners=[Crier()])
        executor.search = search
        search.run()


class Writer:
    """A process that writes a study, held by a test."""

    def __init__(self, path: Path, *words: str, pace: float | None = None) -> None:
        self.path, self.url = path, f"sqlite:///{path}"
        self.said: list[Mapping[str, Any]] = []
        command = [sys.executable, "-m", "tests.explorer_writer", self.url, *words]
        command += [] if pace is None else ["--pace", str(pace)]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def send(self, word: str) -> None:
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def next(self, state: str | None = None) -> Mapping[str, Any]:
        """The next trial that it tells, or the next of this state."""
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(f"the writer ended with status {self.process.wait()}")
            self.said.append(json.loads(line))
            if state in (None, self.said[-1]["state"]):
                return self.said[-1]

    def tell(self, word: str = "tell") -> Mapping[str, Any]:
        """Has one network answered; what was told of it. Networks over the limit come in between."""
        self.send(word)
        return self.next("failed" if word == "fail" else "complete")

    def close(self) -> None:
        if self.process.poll() is None:
            self.send("stop")
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.stdin.close()
        self.process.stdout.close()


if __name__ == "__main__":
    main()
