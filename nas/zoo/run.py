"""Measure the zoo, one network after the other: each becomes a record at once, and a stopped run goes on.

The machine's drift is met by rounds. The networks whose times are compared come first and as a whole come again, so
two of a pair are measured minutes apart at most, and both early and late; what the machine did meanwhile widens the
spread of both instead of faking a ratio. Every round stands in its reading's detail.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from nas.errors import raised
from nas.foreign import Foreign
from nas.meters import measure, resolve_device
from nas.meters.conditions import device_name
from nas.recipe import Timing
from nas.record import Reading, Record, read_records, write_records
from nas.zoo.plan import Plan
from nas.zoo.rounds import differences, merged, rounds_of

FILE = "records.jsonl"


@dataclass(frozen=True, slots=True)
class Done:
    """One network was measured, or could not be: what there is to say about it."""

    record: Record
    round: int
    number: int  # of all measurings of this run
    total: int
    seconds: float
    left: float  # seconds the rest is expected to take, or the budget has


@dataclass(frozen=True, slots=True)
class Job:
    """A network in a round."""

    plan: Plan
    round: int


def folder_name(device: str) -> str:
    """`nvidia-h200`, `cpu-2-cores`: the folder of a device's records."""
    where = resolve_device(device)
    if where.type == "cpu":
        count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return f"cpu-{count}-core{'s' if count > 1 else ''}"
    return re.sub(r"[^a-z0-9]+", "-", device_name(where).lower()).strip("-")


def missing_library(plan: Plan) -> str:
    """The library that would make this network and is not installed here; empty where all is there."""
    lacks = isinstance(plan.arch, Foreign) and importlib.util.find_spec(plan.arch.source) is None
    return plan.arch.source if lacks and isinstance(plan.arch, Foreign) else ""


class Run:
    """A run over the plans of a set, and the records in its file.

    `skipped`: library missing here by name. `anew`: by name, what changed since a record that no longer counts.
    """

    def __init__(
        self, plans: Sequence[Plan], path: Path, device: str, conditions: Mapping[str, Any], budget: float | None = None
    ) -> None:
        self.path, self.device, self.conditions, self.budget = path, device, conditions, budget
        self.records = {record.baseline: record for record in read_records(path)} if path.exists() else {}
        self.skipped = {plan.name: library for plan in plans if (library := missing_library(plan))}
        self.anew: dict[str, list[str]] = {}
        for plan in plans:
            before = self.records.get(plan.name)
            if before and plan.name not in self.skipped and (changed := differences(before, plan.settings, conditions)):
                self.anew[plan.name] = changed
        self.jobs = self._jobs([plan for plan in plans if plan.name not in self.skipped])

    def _jobs(self, plans: Sequence[Plan]) -> list[Job]:
        """What is still to do: the networks of most rounds, round after round; then those of fewer."""
        had = {plan.name: self._had(plan) for plan in plans}
        return [
            Job(plan, number)
            for rounds in sorted({plan.rounds for plan in plans}, reverse=True)
            for number in range(1, rounds + 1)
            for plan in plans
            if plan.rounds == rounds and number > had[plan.name]
        ]

    def _had(self, plan: Plan) -> int:
        """Rounds that count already: those that every metric asked for has."""
        kept = self._kept(plan)
        return min(rounds_of(kept, key) for key in plan.what) if kept else 0

    def _kept(self, plan: Plan) -> Record | None:
        """What is known of the network under the same conditions."""
        return None if plan.name in self.anew else self.records.get(plan.name)

    def measure(self) -> Iterator[Done]:
        """Measure job after job while the budget lasts; every record is on the disk before the next begins."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        began, slowest, total, number = time.monotonic(), 0.0, len(self.jobs), 0
        while self.jobs:
            job, spent = self.jobs[0], time.monotonic() - began
            if self.budget is not None and spent and spent + slowest > self.budget:
                return
            start = time.monotonic()
            record = self._take(job)
            self.records[record.baseline] = merged(self._kept(job.plan), record)
            self.anew.pop(record.baseline, None)
            write_records(self.path, self.records.values())
            failed = record.state == "failed"  # its other rounds would fail like it; the next run tries again
            self.jobs = [other for other in self.jobs[1:] if not (failed and other.plan.name == job.plan.name)]
            seconds, spent, number = time.monotonic() - start, time.monotonic() - began, number + 1
            slowest, left = max(slowest, seconds), spent / number * len(self.jobs)
            if self.budget is not None:
                left = min(left, max(0.0, self.budget - spent))
            yield Done(record, job.round, number, total, seconds, left)

    def _take(self, job: Job) -> Record:
        """Measure what the network lacks for this round, and no more."""
        plan, kept = job.plan, self._kept(job.plan)
        begin, readings, reasons = time.monotonic(), dict[str, Reading](), list[str]()
        for step in plan.steps:
            failed = len(reasons)
            what = [key for key in step.what if kept is None or rounds_of(kept, key) < job.round]
            try:
                taken = measure(step.arch, what, _timing(kept, what, step.timing), device=self.device) if what else {}
                readings |= taken
                reasons += [f"{key}: not measurable here" for key in what if key not in taken]
            except Exception as error:  # one network that fails must not end the others
                reasons.append(f"{', '.join(what)}: {raised(error)}")
            if len(reasons) > failed:
                _release()
        return self._record(plan, readings, "; ".join(reasons), time.monotonic() - begin)

    def _record(self, plan: Plan, readings: dict[str, Reading], reason: str, seconds: float) -> Record:
        return Record(
            study="zoo",
            trial=None,
            state="complete" if readings else "failed",
            arch=str(plan.arch),
            id=plan.arch.id,
            readings=readings,
            baseline=plan.name,
            settings=plan.settings,
            reason=reason,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=round(seconds, 2),
            environment=self.conditions,
        )


def _timing(kept: Record | None, what: Sequence[str], timing: Timing) -> Timing:
    """The step's timing; at the batch that fitted in an earlier round."""
    if kept is None or timing.batch == "auto":
        return timing
    timed = [key for key in what if key != "latency_ms" and key in kept.readings]
    fitted = [kept.readings[key].conditions["batch"] for key in timed]
    return timing.model_copy(update={"batch": min(fitted)}) if fitted else timing


def _release() -> None:
    """Give back what a failed network held; outside its `except`, where the traceback would keep it alive."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
