"""Whether one driver keeps many workers busy: processes that sleep for a second where others would measure.

Asking the sampler, closed-form screening, every write to SQLite, handing networks to processes through pipes and
reading their results: all is real but the measuring. Utilisation is the share of the workers' time in which they slept
their second, from the moment at which each of them had a network, or three seconds after the first had one.
Usage: python benchmarks/dispatch.py
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import sleeper

from nas.environment import environment
from nas.recipe import Recipe
from nas.record import Record
from nas.space_file import load_space
from nas.study.engine import Search
from nas.study.executors import Pool, Result, Spec
from nas.study.executors.local import LocalExecutor
from nas.study.lifecycle import open_or_create
from nas.study.samplers import make_sampler
from nas.study.storage import open_storage

SPACE = load_space("efficientnetv2")
_FILLING = 3.0  # seconds after which workers that still have no network are idle
_SHOWN = ("utilisation", "trials_per_s", "driver_cpu_ms_a_trial", "suggestion_ms")


@dataclass
class Watched:
    """A local executor that keeps the books of its workers' time."""

    inner: LocalExecutor
    workers: int
    began: float = 0.0
    full_since: float = 0.0
    busy: float = 0.0  # worker-seconds since then
    running: dict[int, float] = field(default_factory=dict)
    last: float = 0.0

    @property
    def capacity(self) -> int:
        return self.inner.capacity

    def submit(self, spec: Spec) -> None:
        self._account()
        self.inner.submit(spec)
        self.running[spec.job] = time.monotonic() + sleeper.SECONDS  # when its worker has nothing more to do
        self.began = self.began or time.monotonic()
        late = time.monotonic() > self.began + _FILLING
        if not self.full_since and (late or len(self.running) == self.workers):
            self.full_since = self.last = time.monotonic()

    def wait(self, timeout: float) -> list[Result]:
        results = self.inner.wait(timeout)
        self._account()
        for result in results:
            self.running.pop(result.job)
        return results

    def _account(self) -> None:
        """Add the time since the last look in which workers slept their second; a result that lies in a pipe is idle
        time."""
        now = time.monotonic()
        if self.full_since:
            self.busy += sum(
                max(0.0, min(now, end) - max(self.last, end - sleeper.SECONDS)) for end in self.running.values()
            )
        self.last = now

    def age(self, job: int) -> float:
        return self.inner.age(job)

    def cancel(self, job: int, reason: str) -> None:
        self.inner.cancel(job, reason)

    def close(self) -> None:
        self.inner.close()

    @property
    def utilisation(self) -> float:
        return self.busy / (self.workers * (self.last - self.full_since))


@dataclass
class Quit:
    """Ends the search when a number of trials were told, or time is up."""

    search: Search
    trials: int
    deadline: float
    told_trials: int = 0
    notes: list[str] = field(default_factory=list)

    def told(self, record: Record) -> None:
        self.told_trials += record.state == "complete" and record.reused is None
        if self.told_trials >= self.trials:
            self.search.stop = "done"

    def tick(self) -> None:
        if time.monotonic() > self.deadline:
            self.search.stop = "done"

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class Answering:
    """An executor that answers at once, to fill a study."""

    pending: list[Spec] = field(default_factory=list)
    capacity: int = 1

    def submit(self, spec: Spec) -> None:
        self.pending.append(spec)

    def wait(self, timeout: float) -> list[Result]:
        specs, self.pending = self.pending, []
        return [Result(spec.job, sleeper.readings(spec.architecture)) for spec in specs]

    def age(self, job: int) -> float:
        return 0.0

    def cancel(self, job: int, reason: str) -> None: ...

    def close(self) -> None: ...


def run(folder: Path, sampler: str, finished: int, workers: int, seconds: float) -> dict[str, Any]:
    """One row: a study of `finished` random trials, then `seconds` of a search with all workers."""
    folder.mkdir()
    url = f"sqlite:///{folder}/nas.db"
    recipe = Recipe(name="dispatch", space="efficientnetv2", trials=max(1, finished), sampler="random")
    if finished:
        study = open_or_create(open_storage(url, create=True), recipe, SPACE, "cpu", "", {}).study
        Search(study, recipe, SPACE, Answering(), "cpu").run()
    study = open_or_create(open_storage(url, create=True), recipe, SPACE, "cpu", "", {}).study
    study.sampler = make_sampler(sampler, SPACE, 1)
    more = recipe.model_copy(update={"trials": 1_000_000, "sampler": sampler})
    executor = Watched(LocalExecutor(Pool(workers, folder, evaluate="sleeper:evaluate")), workers)
    while not all(worker.ready for worker in executor.inner._workers.values()):
        executor.inner.wait(0.1)
    search = Search(study, more, SPACE, executor, "cpu")
    quit_ = Quit(search, 1_000_000, time.monotonic() + seconds)
    search.listeners.append(quit_)
    cpu, wall = time.process_time(), time.monotonic()
    search.run()
    spent = time.process_time() - cpu, time.monotonic() - wall
    executor.close()
    told = quit_.told_trials
    return {
        "sampler": sampler,
        "finished": finished,
        "workers": workers,
        "utilisation": round(executor.utilisation, 4),
        "trials": told,
        "trials_per_s": round(told / spent[1], 1),
        "driver_cpu_ms_a_trial": round(1e3 * spent[0] / max(1, told), 2),
        "driver_cpu_share": round(spent[0] / spent[1], 2),
        "suggestion_ms": round(1e3 * search.pace.asking, 1),
        "notes": quit_.notes,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--cases", nargs="+", default=["nsga2:0", "nsga2:1000", "random:1000", "tpe:0", "tpe:1000", "nsga2:10000"]
    )
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "dispatch.json")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # where workers find `sleeper:evaluate`
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    import torch  # noqa: F401  (the environment names it)

    rows = []
    print("| sampler | finished | utilisation | trials/s | driver CPU, ms a trial | a suggestion, ms |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for case in options.cases:
            sampler, _, finished = case.partition(":")
            found = [
                run(
                    Path(scratch) / f"{sampler}-{finished}-{n}",
                    sampler,
                    int(finished),
                    options.workers,
                    options.seconds,
                )
                for n in range(options.repeats)
            ]
            rows += found
            mid = {key: statistics.median(row[key] for row in found) for key in _SHOWN}
            spread = f"{min(r['utilisation'] for r in found):.1%} to {max(r['utilisation'] for r in found):.1%}"
            print(
                f"| {sampler} | {int(finished):,} | {mid['utilisation']:.1%} ({spread}) "
                f"| {mid['trials_per_s']:.1f} | {mid['driver_cpu_ms_a_trial']:.1f} | {mid['suggestion_ms']:.1f} |",
                flush=True,
            )
    document = {
        "environment": environment("cpu"),
        "load": os.getloadavg(),
        "seconds_a_trial": sleeper.SECONDS,
        "rows": rows,
    }
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
