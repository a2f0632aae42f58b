"""Where evaluations run: one interface, and the engines behind it, a file each.

A job's number is its handle. `wait` hands over each job's one result, so that no result can be asked for twice or be
forgotten; a result is readings, an error of the network (`error`), or a fault of what it ran on (`error` and `lost`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nas.errors import NasError

EVALUATE = "nas.study.worker:evaluate"


@dataclass(frozen=True, slots=True)
class Spec:
    """One evaluation: everything a worker needs to know, as JSON values."""

    architecture: str
    settings: Mapping[str, Any]
    seed: int
    job: int


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it: readings, or an error. `lost`: the worker died or was stopped.

    `cancelled`: it was stopped because the driver asked, for the reason that `error` gives; then it is lost too.
    """

    job: int
    readings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    error: str = ""
    lost: bool = False
    cancelled: bool = False


class ExecutorError(RuntimeError):
    """Workers that cannot start at all: no trial's fault, and no use to go on."""


class Executor(Protocol):
    """An engine. A job is submitted only where `capacity` was above 0; each job has exactly one result.

    Between the two a worker may die: the engine replaces it, or the job's result is lost.
    """

    @property
    def capacity(self) -> int:
        """Jobs that can start at once now; it may change as nodes come and go."""
        ...

    def submit(self, spec: Spec) -> None: ...

    def wait(self, timeout: float) -> Sequence[Result]:
        """Results that came within `timeout` seconds; empty when none did. Raises: ExecutorError."""
        ...

    def age(self, job: int) -> float:
        """Seconds that a job has been running, less those in which it waited for a place or its turn; 0 for one that
        has ended."""
        ...

    def cancel(self, job: int, reason: str) -> None:
        """Stop a running job; its result is lost, with this reason. Nothing for a job that has ended."""
        ...

    def close(self) -> None:
        """Stop everything that runs, and leave no process behind."""
        ...


@dataclass(frozen=True, slots=True)
class Pool:
    """What an engine is asked for, the same for each of them.

    `workers`: jobs at a time, at most. `device`: cpu, cuda or cuda:N. `timed`: whether trials time anything on it; then
    a device (a node, where it is a CPU) runs one trial at a time, or times one at a time. `say`: shows a line to the
    user, such as that a node was lost.
    """

    workers: int
    logs: Path
    device: str = "cpu"
    timed: bool = False
    evaluate: str = EVALUATE  # MODULE:FUNCTION, called with architecture, settings and seed
    say: Callable[[str], None] = lambda _: None


class EngineError(NasError):
    """An engine that cannot be used here: not installed, not reachable, or not safe to join."""


__all__ = ["EVALUATE", "EngineError", "Executor", "ExecutorError", "Pool", "Result", "Spec"]
