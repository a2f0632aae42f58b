"""Evaluations for tests: what a worker process can be asked to run instead of measuring."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from nas.arch import parse
from nas.cost import cost


def quick(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Deterministic readings in no time: accuracy rises with params, speed falls with activations."""
    spent = cost(parse(architecture))
    values = {
        "flops": spent.flops,
        "top1_pct": 100 * spent.params / (spent.params + 5e6),
        "train_images_per_s": 1e10 / spent.activations,
    }
    return {key: {"value": value} for key, value in values.items() if key == "flops" or key in settings["measure"]}


def slow(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    time.sleep(0.3)
    return quick(architecture, settings, seed)


def hang(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    time.sleep(600)
    raise AssertionError


def third_fails(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Every network whose id ends in an even digit dies in one of the ways in which networks die."""
    number = int(parse(architecture).id, 16)
    if number % 2:
        return quick(architecture, settings, seed)
    kind = number // 2 % 4
    if kind == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == 1:
        raise MemoryError("cannot allocate 12 GiB")
    if kind == 2:
        os._exit(3)
    raise RuntimeError("a layer exploded")


def not_a_number(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    return {**quick(architecture, settings, seed), "top1_pct": {"value": float("nan")}}


def nothing(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    return {}


def nonsense(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    return {"top1_pct": "high", "flops": {"value": 1}}


def words(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    return {"top1_pct": {"value": "high"}, "flops": {"value": 1}}


def chatty(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    print("a library that prints to standard output")
    os.write(1, b"{not json}\n")
    sys.stderr.write("and to standard error\n")
    return quick(architecture, settings, seed)


def pid(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    return {"top1_pct": {"value": float(os.getpid())}}


def says_where(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Writes its process into `file` and hangs; without one it is quick."""
    if "file" not in settings:
        return quick(architecture, settings, seed)
    Path(settings["file"]).write_text(str(os.getpid()))
    return hang(architecture, settings, seed)


def dies_with_words(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    sys.stderr.write("the bus is on fire\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError
