"""The engines by name. Each is imported when it is asked for: Ray and submitit are extras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nas.errors import nearest
from nas.study.executors import EngineError, Executor, Pool

Device = tuple[str, int | None]  # name of a device and, of a CPU, the threads that times were taken with


@dataclass(frozen=True, slots=True)
class Engine:
    """Which engine, and what only it is asked: `ray_address` HOST:PORT, auto, or None for a Ray of one's own;
    `ray_open`, to join a cluster that asks for no token; `slurm`, parameters of its jobs."""

    name: str = "local"
    ray_address: str | None = None
    ray_open: bool = False
    slurm: Mapping[str, str] = field(default_factory=dict)


def open_executor(engine: Engine, pool: Pool, only: Device | None) -> Executor:
    """The engine, started. `only`: the device of the study's earlier times.

    Raises: EngineError where it cannot be used here.
    """
    return ENGINES[check_engine(engine.name)](engine, pool, only)


def check_engine(name: str) -> str:
    """`name`, if there is such an engine. Raises: EngineError with the nearest."""
    if name not in ENGINES:
        raise EngineError(f"unknown engine '{name}'", nearest(name, ENGINES))
    return name


def _local(_: Engine, pool: Pool, only: Device | None) -> Executor:
    from nas.study.executors.local import LocalExecutor, check_device

    if pool.timed and only is not None:
        check_device(pool.device, only)
    return LocalExecutor(pool)


def _ray(engine: Engine, pool: Pool, only: Device | None) -> Executor:
    from nas.study.executors.ray import RayExecutor

    return RayExecutor(pool, engine.ray_address, allow_open=engine.ray_open, only=only)


def _slurm(engine: Engine, pool: Pool, _: Device | None) -> Executor:
    from nas.study.executors.slurm import SlurmExecutor

    return SlurmExecutor(pool, engine.slurm)


ENGINES: dict[str, Callable[[Engine, Pool, Device | None], Executor]] = {
    "local": _local,
    "ray": _ray,
    "slurm": _slurm,
}
