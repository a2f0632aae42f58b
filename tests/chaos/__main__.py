"""The long run: python -m tests.chaos --seed 0. At least 200 faults; prints the tally, exit 1 where anything broke."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.chaos import disks, drivers, files, outages, workers

WAYS = ("hang", "deaf", "garbage", "nan", "inf", "negative", "text", "nothing", "percent")


@dataclass(frozen=True)
class Case:
    """A fault of the table: how it is done, so many times a round, and in how many rounds."""

    name: str
    fault: Callable[..., Any]
    arguments: tuple[Any, ...]
    faults: int
    rounds: int = 1


CASES = (
    Case("worker killed in build, warm-up, timing, training, reporting", workers.killed_in_each_phase, (10,), 10, 3),
    Case("worker killed at any time, two workers", workers.killed_at_any_time, (25,), 25, 2),
    Case("driver killed at any time", drivers.killed, (25,), 25),
    Case("worker hangs, answers garbage, NaN, inf, nonsense", workers.misbehaving, (WAYS,), 9, 2),
    Case("memory refused to a worker", workers.out_of_memory, (3,), 3),
    Case("worker killed by the kernel for its memory", workers.killed_for_memory, (2,), 4),
    Case("device out of memory above 4 images (simulated)", workers.device_out_of_memory, (4,), 1),
    Case("device out of memory at 1 image (simulated)", workers.device_out_of_memory, (0,), 1),
    Case("SIGINT", drivers.interrupted, (signal.SIGINT,), 1, 2),
    Case("SIGTERM", drivers.interrupted, (signal.SIGTERM,), 1, 2),
    Case("SIGHUP", drivers.interrupted, (signal.SIGHUP,), 1, 2),
    Case("SIGTERM while a trial does not end", drivers.stuck_worker, (), 1),
    Case("terminal closed", drivers.terminal_closed, (), 1, 2),
    Case("standard error full and never read, then SIGINT", drivers.nobody_reads, ("stderr", signal.SIGINT), 1),
    Case("standard error full and never read, then SIGTERM", drivers.nobody_reads, ("stderr", signal.SIGTERM), 1),
    Case("standard output full and never read, then SIGINT", drivers.nobody_reads, ("stdout", signal.SIGINT), 1),
    Case("standard output full and never read, then SIGTERM", drivers.nobody_reads, ("stdout", signal.SIGTERM), 1),
    Case("reader of standard error gone", drivers.reader_gone, ("stderr",), 1),
    Case("reader of standard output gone", drivers.reader_gone, ("stdout",), 1),
    Case("second driver", drivers.two_drivers, (3,), 3),
    Case("clock jumps by a day, forwards and back", drivers.clock_jumps, ((1, -1),), 2),
    Case("driver and workers suspended", drivers.suspended, (6.0,), 1, 2),
    Case("disk full under the storage", disks.under_the_storage, (), 1, 3),
    Case("disk full under the study's folder", disks.under_the_folder, (), 1, 2),
    Case("disk full under the cache", disks.under_the_cache, (), 1, 2),
    Case("disk full under the log", disks.under_the_log, (), 1, 2),
    Case("disk full under an export", disks.under_an_export, (), 1),
    Case("study file spoilt in eight ways", files.spoilt, (tuple(files.SPOILT) * 5,), 40),
    Case("PostgreSQL stopped, killed", outages.restarted, (("stop", "kill"),), 2, 2),
    Case("network to PostgreSQL cut for 30 s", outages.cut_off, (30.0,), 1),
)


@dataclass
class Row:
    """What came of a case."""

    case: Case
    held: int = 0
    done: int = 0
    seconds: float = 0.0
    slowest_stop: float | None = None
    skipped: str = ""
    broken: str = ""


def run(case: Case, seed: int, place: Path, deadline: float) -> Row:
    """Its rounds, each from a seed of its own, as long as there is time."""
    row = Row(case)
    began = time.monotonic()
    for number in range(case.rounds):
        if time.monotonic() > deadline:
            row.skipped = row.skipped or "no time was left"
            break
        folder = place / f"{CASES.index(case)}-{number}"
        folder.mkdir()
        try:
            took = case.fault(folder, Random(f"{seed} {case.name} {number}"), *case.arguments)
        except pytest.skip.Exception as skipped:
            row.skipped = str(skipped)
            break
        except Exception as error:
            row.broken = row.broken or f"{type(error).__name__}: {error}"
        else:
            row.held += case.faults
            if isinstance(took, float):
                row.slowest_stop = max(took, row.slowest_stop or 0.0)
        row.done += case.faults
    row.seconds = time.monotonic() - began
    return row


def line(row: Row) -> str:
    """One line of the tally."""
    note = " ".join((row.broken or row.skipped).split())[:300].replace("|", "/")
    if row.slowest_stop is not None and not note:
        note = f"stopped within {row.slowest_stop:.1f} s"
    return f"| {row.case.name} | {row.done} | {row.held} | {row.seconds:.0f} s | {note} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=28.0)
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    options = parser.parse_args()
    deadline = time.monotonic() + 60 * options.minutes
    print("| fault | injected | held | time | |\n|---|--:|--:|--:|---|", flush=True)
    rows = []
    with tempfile.TemporaryDirectory(prefix="nas-chaos-", ignore_cleanup_errors=True) as folder:
        for case in CASES:
            if options.only in case.name:
                rows.append(run(case, options.seed, Path(folder), deadline))
                print(line(rows[-1]), flush=True)
    done, held = sum(row.done for row in rows), sum(row.held for row in rows)
    print(f"\nseed {options.seed}: {done} faults, {held} held, {sum(row.seconds for row in rows) / 60:.0f} minutes")
    return int(any(row.broken for row in rows))


if __name__ == "__main__":
    sys.exit(main())
