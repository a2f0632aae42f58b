"""What the workers of a search under faults run. CHAOS_* variables say what is to go wrong, and how often.

Places in CHAOS_FOLDER are taken with O_EXCL, so that a fault strikes once, whatever happens to who struck it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nas.arch import parse
from nas.cost import cost

if "FAKETIME_TIMESTAMP_FILE" in os.environ:  # libfaketime 0.9.10 refuses the sleep of a clock that it leaves alone
    time.sleep = lambda seconds: select.select((), (), (), seconds)

PHASES = ("build", "warm-up", "timing", "training", "reporting")


def readings(architecture: str) -> dict[str, Any]:
    """Readings that follow from the architecture alone."""
    spent = cost(parse(architecture))
    return {"flops": {"value": spent.flops}, "peak_memory_mib": {"value": spent.activations / 2**10}}


def quick(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Takes CHAOS_SECONDS."""
    time.sleep(float(os.environ.get("CHAOS_SECONDS", "0.05")))
    return readings(architecture)


def first_is_slow(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """The first evaluation of the folder takes for ever, all others CHAOS_SECONDS."""
    if _take("slow") == 0:
        time.sleep(600)
    return quick(architecture, settings, seed)


def dies(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """The real evaluation, killed in the phases that CHAOS_PHASES lists, each network once, at a step that is drawn."""
    from nas.study.worker import evaluate

    phases = os.environ["CHAOS_PHASES"].split(",")
    if _once(parse(architecture).id) and (number := _take("death")) < len(phases):
        _arm(phases[number], random.Random(f"{os.environ['CHAOS_SEED']} {number}"))
    return evaluate(architecture, settings, seed)


def misbehaves(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """The first networks do what CHAOS_WAYS lists, one each; the rest is quick."""
    ways = os.environ["CHAOS_WAYS"].split(",")
    own = _assigned(parse(architecture).id)
    return _WAYS[ways[own]](architecture) if own < len(ways) else quick(architecture, settings, seed)


def runs_out_of_memory(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Takes what the machine has in the first CHAOS_TIMES networks: more than RLIMIT_AS or a control group lets it."""
    if _assigned(parse(architecture).id) < int(os.environ["CHAOS_TIMES"]):
        _limit_memory()
        hog = [bytearray(os.urandom(1) * (16 << 20)) for _ in range(64)]
        return {"flops": {"value": len(hog)}}
    return quick(architecture, settings, seed)


def device_runs_out(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """The real evaluation on a device that holds CHAOS_FITS images of a training step; 0 holds none."""
    import torch

    from nas.meters import throughput
    from nas.study.worker import evaluate

    real, fits = throughput.train_step, int(os.environ["CHAOS_FITS"])

    def train_step(net: Any, bench: Any, batch: int) -> Any:
        if batch > fits:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return real(net, bench, batch)

    throughput.train_step = train_step  # type: ignore[assignment]
    try:
        return evaluate(architecture, settings, seed)
    finally:
        throughput.train_step = real


# Ways to answer that are none.


def _garbage(architecture: str) -> dict[str, Any]:
    """Writes into the pipe of the replies itself."""
    os.write(_replies(), b"\x00\xff{not json \xfe]\n")
    return _hangs(architecture)


def _replies() -> int:
    """The pipe of the replies."""
    for handle in range(3, 64):
        with contextlib.suppress(OSError):
            if "pipe" in os.readlink(f"/proc/self/fd/{handle}"):  # noqa: PTH115
                return handle
    raise AssertionError("there is no pipe")


def _answers(value: Any) -> Callable[[str], dict[str, Any]]:
    return lambda architecture: {**readings(architecture), "peak_memory_mib": {"value": value}}


def _hangs(_: str) -> dict[str, Any]:
    time.sleep(600)
    raise AssertionError


def _hangs_deaf(architecture: str) -> dict[str, Any]:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return _hangs(architecture)


_WAYS: dict[str, Callable[[str], dict[str, Any]]] = {
    "hang": _hangs,
    "deaf": _hangs_deaf,
    "garbage": _garbage,
    "nan": _answers(float("nan")),
    "inf": _answers(float("inf")),
    "negative": _answers(-4.0),
    "text": _answers("high"),
    "nothing": lambda _: {},
    "percent": lambda architecture: {**readings(architecture), "top1_pct": {"value": 4321.0}},
}


# Once, and in which phase.


def _folder() -> Path:
    return Path(os.environ["CHAOS_FOLDER"])


def _once(name: str) -> bool:
    try:
        os.close(os.open(_folder() / f"once-{name}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    return True


def _take(name: str) -> int:
    """0 for who comes first, then 1, 2, …"""
    return next(number for number in range(100_000) if _once(f"{name}-{number}"))


def _assigned(identity: str) -> int:
    """The network's place in the order in which networks came; the same when it comes again."""
    file = _folder() / f"place-{identity}"
    if not file.exists():
        file.write_text(str(_take("place")))
    return int(file.read_text())


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(10)


def _after(steps: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, which kills the process when it is called once more than `steps` times."""
    left = [steps]

    def counted(*given: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            _die()
        return function(*given, **named)

    return counted


def _arm(phase: str, dice: random.Random) -> None:
    """Patch what the phase runs, so that it dies in it."""
    from nas import nets
    from nas.meters import median
    from nas.training import loop

    with (_folder() / "deaths").open("a") as file:
        file.write(f"{phase}\n")
    if phase == "build":
        nets.build = _after(dice.randrange(2), nets.build)
    elif phase == "warm-up":
        warm_up = median._warm_up
        median._warm_up = lambda step, *rest: warm_up(_after(dice.randrange(4), step), *rest)
    elif phase == "timing":
        warm_up = median._warm_up
        median._warm_up = lambda step, clock, *rest: _then_dies(clock, dice, warm_up(step, clock, *rest))
    elif phase == "training":
        loop.set_rate = _after(dice.randrange(3), loop.set_rate)
    else:
        sys.modules["__main__"].json = _Json(dice)  # type: ignore[attr-defined]


def _then_dies(clock: Any, dice: random.Random, result: Any) -> Any:
    time_steps = clock.time
    clock.time = lambda step, count: time_steps(_after(dice.randrange(4), step), count)
    return result


class _Json:
    """Stands in for `json` where a worker writes its reply: some of that, at most all but its end, and dies."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice

    loads = staticmethod(json.loads)

    def dumps(self, value: Any, **options: Any) -> str:
        line = json.dumps(value, **options)
        if "job" in value:  # the whole reply
            os.write(_replies(), line[: self._dice.choice((0, 1, len(line) // 2, len(line)))].encode())
            _die()
        return line


def _limit_memory() -> None:
    """To 256 MiB more than now: by the control group in CHAOS_CGROUP, which kills, else by RLIMIT_AS, which refuses."""
    import resource

    if group := os.environ.get("CHAOS_CGROUP"):
        Path(group, "cgroup.procs").write_text(str(os.getpid()))
        return
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (256 << 20), resource.RLIM_INFINITY))
