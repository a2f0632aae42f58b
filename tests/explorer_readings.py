"""Readings of about the size and in the terms that `nas search` leaves on a CPU, from the network alone."""

from __future__ import annotations

import math
import random

from nas.arch import Architecture
from nas.cost import cost
from nas.record import Reading


def timing(arch: Architecture, seed: str, device: str = "AMD EPYC", repeats: int = 1) -> Reading:
    """Images per second of a training step, slower with FLOPs and activations, with the noise of a busy machine."""
    spent, draw = cost(arch), random.Random(f"time {seed}")
    middle = 6e10 / (spent.flops**0.55 * spent.activations**0.45) * draw.uniform(0.85, 1.15)
    runs = [middle * draw.gauss(1, 0.015) for _ in range(repeats)]
    conditions = {
        "batch": 8, "batch_rule": "asked for", "compile": False, "device": device, "loss": "cross-entropy",
        "memory_format": "channels_last", "mode": "train", "omp_wait_policy": "PASSIVE",
        "optimizer": "SGD, momentum 0.9, weight decay 1e-5", "precision": "fp32", "repeats": repeats,
        "resolution": 95, "stopped_by": "tolerance", "threads": 2, "torch": "2.15.0+cu132",
    }  # fmt: skip
    detail = {
        "interval_step_s": [7.9 / middle, 8.1 / middle], "median_step_s": 8 / middle, "settled": True,
        "warm_up_rule": "medians of the last two windows of 3 steps agree within 5%; at most a third of the cap",
        "warm_up_steps": 7, **({"repeats": runs} if repeats > 1 else {}),
    }  # fmt: skip
    value = sorted(runs)[repeats // 2]
    return Reading(value, value * (0.04 if repeats > 1 else 0.008), 20 * repeats, conditions, detail)


def accuracy(arch: Architecture, seed: str, device: str = "AMD EPYC", repeats: int = 1) -> Reading:
    """Top-1 of a short training of a narrowed network: it rises with size, and seeds move it."""
    spent, draw = cost(arch), random.Random(f"train {seed}")
    middle = 40 + 12 * math.tanh(math.log10(spent.flops / 1e9)) + 9 * math.log10(spent.params / 4e6)
    runs = [min(99.0, middle + draw.gauss(0, 0.8)) for _ in range(repeats)]
    conditions = {
        "augment": "none", "batch": 64, "data": "fractals", "device": device, "drop_path": 0.0, "dropout": 0.0,
        "epochs": 2, "held_out_images": 2048, "label_smoothing": 0.0, "learning_rate": 0.015,
        "memory_format": "channels_last", "omp_wait_policy": "PASSIVE", "optimizer": "muon", "precision": "fp32",
        "recalibrate": 8, "repeats": repeats, "resolution": 32, "resolution_scale": None, "seed": 0,
        "skipped_images": 0, "threads": 1, "torch": "2.15.0+cu132", "train_images": 4096, "warmup": 0.2,
        "weight_decay": 0.05, "width": 0.25, "zero_init": True,
    }  # fmt: skip
    curve = [
        {"epoch": epoch, "held_images": 1024 * epoch, "held_pct": runs[0] * epoch / 2, "loss": 3.0 / epoch,
         "seconds": 5.568044171999645 * epoch, "train_pct": runs[0] * epoch / 2.2}
        for epoch in (1, 2)
    ]  # fmt: skip
    detail = {"curve": curve, "seconds": 11.63, "steps": 128, "trained": f"r32 {str(arch).partition(' ')[2]}"}
    if repeats > 1:
        detail["repeats"] = runs
    return Reading(sorted(runs)[repeats // 2], 1.6 if repeats > 1 else None, repeats, conditions, detail)


def counted(arch: Architecture) -> Reading:
    """FLOPs as the counter reports them, with what it saw."""
    flops = cost(arch).flops
    conditions = {"batch": 1, "mode": "eval", "operators": "conv + linear", "resolution": arch.resolution,
                  "tool": "fvcore 0.1.5.post20221221"}  # fmt: skip
    operators = {"batch_norm": flops // 45, "conv": flops - 1_281_000, "linear": 1_281_000}
    calls = {"aten::add": 25, "aten::dropout_": 1, "aten::mean": 33, "aten::mul": 32, "aten::silu_": 96}
    return Reading(flops, 0.0, 1, conditions, {"by_operator": operators, "uncounted_calls": calls})


ENVIRONMENT = {
    "cores": 2, "cpu": "AMD EPYC", "device": "cpu", "fvcore": "0.1.5.post20221221", "nas": "0.1.0", "numpy": "2.4.6",
    "optuna": "5.0.0", "platform": "Linux x86_64", "python": "3.11.7", "threads": 2, "torch": "2.15.0", "workers": 1,
}  # fmt: skip
