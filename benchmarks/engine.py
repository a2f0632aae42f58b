"""What a trial costs besides measuring: our engine against a bare Optuna ask/tell loop, trial by trial in one run.

Both sides have the same sampler, space, objectives, limits and kind of storage (SQLite, WAL, synchronous=NORMAL), each
a file of its own filled with the same number of random trials. They take turns: while our engine waits for the result
of a trial, the bare loop does one of its own. Every network goes to a worker process and back, as JSON through pipes;
its work is not counted. Usage: python benchmarks/engine.py
"""

from __future__ import annotations

import argparse
import json
import os
import select
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna

from nas.arch import parse
from nas.cost import cost
from nas.environment import environment
from nas.recipe import Recipe
from nas.record import Record
from nas.space import SearchSpace
from nas.space_file import load_space
from nas.study.engine import Search
from nas.study.executors import Pool, Result, Spec
from nas.study.executors.local import LocalExecutor
from nas.study.lifecycle import open_or_create
from nas.study.samplers import make_sampler
from nas.study.storage import open_storage

SPACE = load_space("efficientnetv2")
LIMITS = ("flops<=1e12", "params<=1e12")  # met by all: every trial is told with its values


def readings(notation: str) -> dict[str, float]:
    spent = cost(parse(notation))
    return {
        "flops": float(spent.flops),
        "top1_pct": 100 * spent.params / (spent.params + 2e7),
        "train_images_per_s": 1e10 / spent.activations,
    }


def evaluate(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """What the worker process runs."""
    return {key: {"value": value} for key, value in readings(architecture).items()}


@dataclass
class Bare:
    """The loop a user of Optuna would write."""

    study: optuna.Study
    space: SearchSpace = SPACE

    def step(self) -> None:
        trial = self.study.ask()
        values = readings(str(self.space.suggest(trial)))
        for limit in LIMITS:
            trial.set_constraint(limit, -1.0)
        self.study.tell(trial, [values["top1_pct"], values["flops"], values["train_images_per_s"]])


@dataclass
class Clock:
    wall: float
    cpu: float

    @classmethod
    def now(cls) -> Clock:
        return cls(time.perf_counter(), time.process_time())

    def since(self, start: Clock) -> tuple[float, float]:
        return 1e3 * (self.wall - start.wall), 1e3 * (self.cpu - start.cpu)


@dataclass
class TurnTaking:
    """An executor that answers at once, and lets the bare loop take its turn before it does."""

    bare: Bare
    ours: list[tuple[float, float]] = field(default_factory=list)
    theirs: list[tuple[float, float]] = field(default_factory=list)
    pending: Spec | None = None
    worker: LocalExecutor | None = None  # a real process, to be handed every spec
    last: Clock = field(default_factory=Clock.now)
    told_since: int = 0

    def told(self, record: Record) -> None:
        self.told_since += 1

    def tick(self) -> None: ...

    def note(self, text: str) -> None: ...

    @property
    def capacity(self) -> int:
        return 0 if self.pending else 1

    def submit(self, spec: Spec) -> None:
        self.pending = spec
        if self.worker is not None:
            self.worker.submit(spec)

    def wait(self, timeout: float) -> list[Result]:
        assert self.pending is not None
        spec, self.pending = self.pending, None
        # A network that is known is told and asked again: the time since the last turn may be that of several trials.
        wall, cpu = Clock.now().since(self.last)
        self.ours.append((wall / max(1, self.told_since), cpu / max(1, self.told_since)))
        self.told_since = 0
        answer = self.answer(spec)
        start = Clock.now()
        self.bare.step()
        end = Clock.now()
        self.theirs.append(end.since(start))
        self.last = Clock.now()
        return [Result(spec.job, answer)]

    def answer(self, spec: Spec) -> dict[str, Any]:
        """The worker's readings; reading them from its pipe is ours, waiting for it is not."""
        if self.worker is None:
            return {key: {"value": value} for key, value in readings(spec.architecture).items()}
        results: list[Result] = []
        while not results:
            select.select([worker.stdout for worker in self.worker._workers.values()], [], [])
            before = Clock.now()
            results = self.worker.wait(0)
            wall, cpu = Clock.now().since(before)
            self.ours[-1] = (self.ours[-1][0] + wall, self.ours[-1][1] + cpu)
        return dict(results[0].readings)

    def age(self, job: int) -> float:
        return 0.0

    def cancel(self, job: int, reason: str) -> None: ...

    def close(self) -> None: ...


def prepare(folder: Path, finished: int) -> tuple[Recipe, Any, Any]:
    """Both studies with `finished` random trials."""
    recipe = Recipe(
        name="ours", space="efficientnetv2", trials=finished, sampler="random", limits=LIMITS, measure=("top1_pct",)
    )
    ours = open_storage(f"sqlite:///{folder}/ours.db", create=True)
    bare = open_storage(f"sqlite:///{folder}/bare.db", create=True)
    study = open_or_create(ours, recipe, SPACE, "cpu", "", {}).study
    goals = [objective.goal for objective in recipe.parsed_objectives]
    other = optuna.create_study(
        study_name="bare", storage=bare, directions=goals, sampler=make_sampler("random", SPACE, 0)
    )
    Search(study, recipe, SPACE, TurnTaking(Bare(other)), "cpu").run()
    return recipe, study, other


def compare(folder: Path, sampler: str, finished: int, steps: int) -> dict[str, Any]:
    folder.mkdir()
    recipe, study, other = prepare(folder, finished)
    study.sampler, other.sampler = make_sampler(sampler, SPACE, 1), make_sampler(sampler, SPACE, 1)
    more = recipe.model_copy(update={"trials": finished + steps + 1})
    worker = LocalExecutor(Pool(1, folder, evaluate="engine:evaluate"))
    executor = TurnTaking(Bare(other), worker=worker)
    Search(study, more, SPACE, executor, "cpu", listeners=[executor]).run()
    worker.close()
    row: dict[str, Any] = {"sampler": sampler, "finished": finished, "trials": steps}
    for column, name in enumerate(("wall", "cpu")):
        ours = [pair[column] for pair in executor.ours[1:]]  # the first includes the start-up
        bare = [pair[column] for pair in executor.theirs[1:]]
        ratios = sorted(a / b for a, b in zip(ours, bare, strict=True))
        row[f"{name}_ms_ours"] = round(statistics.median(ours), 2)
        row[f"{name}_ms_bare"] = round(statistics.median(bare), 2)
        row[f"{name}_ratio"] = round(sum(ours) / sum(bare), 3)
        row[f"{name}_ratio_of_pairs"] = [round(ratios[len(ratios) * q // 100], 3) for q in (5, 50, 95)]
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--finished", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--samplers", nargs="+", default=["random", "tpe", "nsga2"])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "engine.json")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # where the worker finds `engine:evaluate`
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rows = []
    print("| sampler | finished trials | ours, ms | bare, ms | ratio, wall | ratio, CPU |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for sampler in options.samplers:
            for finished in options.finished:
                row = compare(Path(scratch) / f"{sampler}-{finished}", sampler, finished, options.trials)
                rows.append(row)
                print(
                    f"| {sampler} | {finished:,} | {row['wall_ms_ours']} | {row['wall_ms_bare']} "
                    f"| {row['wall_ratio']} | {row['cpu_ratio']} |",
                    flush=True,
                )
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(
        json.dumps({"environment": environment("cpu"), "load": os.getloadavg(), "rows": rows}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
