"""The share of this machine that a worker has: cores of its own for most of a trial, and all of it, alone, to time.

Two workers that time at once disturb each other even on cores of their own: they share caches, memory and clock. So
timings take turns under a lock, with all cores, and read the same whatever the number of workers; the rest of a trial
runs side by side.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nas.files import append_private


def cores() -> list[int]:
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def shares(workers: int) -> list[list[int]]:
    """Cores of each worker: disjoint as long as there are as many cores as workers."""
    all_cores = cores()
    if workers >= len(all_cores):
        return [[all_cores[number % len(all_cores)]] for number in range(workers)]
    ends = [len(all_cores) * number // workers for number in range(workers + 1)]
    return [all_cores[start:end] for start, end in itertools.pairwise(ends)]


@dataclass
class _Tell:
    """Who is told when this process begins, and ends, to wait for its turn."""

    waiting: Callable[[bool], None] = lambda _: None


_TELL = _Tell()


def tell_of_waiting(told: Callable[[bool], None]) -> None:
    """Have `told` called with True when this process begins to wait for its turn to time, and False when it has it."""
    _TELL.waiting = told


@dataclass(frozen=True)
class Share:
    """A worker's share. Without cores the machine is all its own; without a lock nobody else times on it."""

    cores: Sequence[int] = ()
    lock: str = ""

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Share:
        """The share that the driver put into a spec's settings."""
        return cls(**settings.get("share", {}))

    @contextlib.contextmanager
    def own(self) -> Iterator[None]:
        """While others do the same: on the worker's own cores, with a thread for each."""
        if not self.cores:
            yield
            return
        threads = _whole()[1]  # asked before it is narrowed
        with self._locked(fcntl.LOCK_SH), _running_on(self.cores, min(threads, len(self.cores))):
            yield

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """While no other worker measures or trains: on all cores, with the threads of a worker that has no others."""
        if not self.cores:
            yield
            return
        everything, threads = _whole() if self.lock else (self.cores, min(_whole()[1], len(self.cores)))
        with self._locked(fcntl.LOCK_EX), _running_on(everything, threads):
            yield

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        if not self.lock:
            yield
            return
        with append_private(Path(self.lock)) as file:  # closing it, or dying, gives the lock back
            _TELL.waiting(True)
            fcntl.flock(file, how)
            _TELL.waiting(False)
            yield


@cache
def _whole() -> tuple[Sequence[int], int]:
    """(all cores, torch's threads on them) as this process began."""
    import torch

    return tuple(cores()), torch.get_num_threads()


@contextlib.contextmanager
def _running_on(wanted: Sequence[int], threads: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    _move(wanted)
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        _move(_whole()[0])


def _move(wanted: Sequence[int]) -> None:
    """Every thread of this process onto these cores: those that a library started earlier too."""
    if not hasattr(os, "sched_setaffinity"):
        return
    for thread in os.listdir("/proc/self/task"):  # noqa: PTH208
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread), wanted)
