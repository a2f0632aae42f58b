"""Evaluations that say what a Ray task sees of its node."""

from __future__ import annotations

import os
import time
from typing import Any


def surroundings(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """The GPUs that are visible, -1 for all; the threads; when it ran; and the process."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = [] if visible == "" else [-1] if visible is None else [int(number) for number in visible.split(",")]
    began = time.time()
    time.sleep(seed / 10)
    return {
        "top1_pct": {
            "value": 1.0,
            "gpus": gpus,
            "threads": int(os.environ["OMP_NUM_THREADS"]),
            "began": began,
            "ended": time.time(),
            "pid": os.getpid(),
        }
    }


def glutton(architecture: str, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Takes memory, 128 MiB at a time and at most `seed` GiB, until it is stopped."""
    taken = []
    for _ in range(8 * seed):
        taken.append(bytearray(os.urandom(1) * (128 << 20)))
        time.sleep(0.1)
    return {"top1_pct": {"value": float(len(taken))}}
