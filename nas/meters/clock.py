"""Clocks that time successive steps: device events on a GPU, `perf_counter` on a CPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Protocol

import torch

Step = Callable[[], object]


class Clock(Protocol):
    """`now` is wall time in seconds, for budgets; `time` runs `count` steps and returns the seconds of each."""

    name: str

    def now(self) -> float: ...
    def time(self, step: Step, count: int) -> list[float]: ...


class CpuClock:
    """`perf_counter` around each step: on a CPU a step has ended when its call returns."""

    name = "perf_counter"

    def now(self) -> float:
        return time.perf_counter()

    def time(self, step: Step, count: int) -> list[float]:
        seconds = []
        for _ in range(count):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        return seconds


class CudaClock:
    """Device events between steps that follow each other without a wait, as in a training loop.

    `alone`: wait after each step instead, as a caller does who needs one answer before the next question (latency).
    """

    def __init__(self, device: torch.device, *, alone: bool = False) -> None:
        self.device = device
        self.alone = alone
        self.name = "cuda events, synchronized after each step" if alone else "cuda events"

    def now(self) -> float:
        torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def time(self, step: Step, count: int) -> list[float]:
        with torch.cuda.device(self.device):
            return self._alone(step, count) if self.alone else self._in_a_row(step, count)

    def _in_a_row(self, step: Step, count: int) -> list[float]:
        step()  # fills the queue: the launches of this one are not hidden behind a step before it
        marks = [_mark()]
        for _ in range(count):
            step()
            marks.append(_mark())
        marks[-1].synchronize()
        return [before.elapsed_time(after) / 1e3 for before, after in pairwise(marks)]

    def _alone(self, step: Step, count: int) -> list[float]:
        seconds = []
        for _ in range(count):
            torch.cuda.synchronize(self.device)
            before = _mark()
            step()
            after = _mark()
            after.synchronize()
            seconds.append(before.elapsed_time(after) / 1e3)
        return seconds


def _mark() -> Any:
    event: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    event.record()
    return event
