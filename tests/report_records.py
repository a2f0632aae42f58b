"""Records as a study would leave them, made without measuring anything: for the tests of what is drawn from records."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from nas.cost import cost
from nas.recipe import Recipe
from nas.record import Reading, Record
from nas.report import StudyReport
from nas.space_file import load_architecture, load_space

CONDITIONS = {"device": "test processor, 2 cores", "precision": "fp32", "memory_format": "contiguous", "threads": 2}


def recipe(name: str = "example", objectives: Sequence[str] = ("top1_pct", "flops", "train_images_per_s")) -> Recipe:
    return Recipe(
        name=name,
        question="Which network of the EfficientNetV2 space should be trained on two cores?",
        space="efficientnetv2",
        baselines=("efficientnetv2-s", "efficientnet-b4"),
        objectives=tuple(objectives),
        limits=("flops<=20G",),
        trials=40,
    )


def records(count: int = 40, seed: int = 0, study: str = "example") -> list[Record]:
    """`count` trials: two baselines, then samples of which some are infeasible, failed, repeated or still running."""
    draw = random.Random(seed)
    names = ["efficientnetv2-s", "efficientnet-b4"]
    space = load_space("efficientnetv2")
    made: list[Record] = []
    for trial in range(count):
        baseline = names[trial] if trial < 2 else ""
        arch = load_architecture(baseline) if baseline else space.sample(seed=1000 * seed + trial)
        spent = cost(arch)
        common = {"study": study, "trial": trial, "arch": str(arch), "id": arch.id, "baseline": baseline, "seed": seed}
        free = {
            "params": Reading(spent.params),
            "flops": Reading(spent.flops),
            "activations": Reading(spent.activations),
        }
        excess = {"flops<=20G": spent.flops / 20e9 - 1}
        if spent.flops > 20e9 and not baseline:
            made.append(Record(state="infeasible", readings=free, excess=excess, **common))
        elif trial % 13 == 12:
            made.append(Record(state="failed", readings=free, reason="out of memory at batch 64, at 32 too", **common))
        elif trial == count - 1 and count > 10:
            made.append(Record(state="running", **common))
        else:
            readings = {**free, **_measured(spent.flops, spent.params, spent.activations, bool(baseline), draw)}
            seconds = round(draw.uniform(8, 14), 2)
            made.append(
                Record(
                    state="complete",
                    readings=readings,
                    excess=excess,
                    started=f"2026-03-01T10:{trial % 60:02d}:00Z",
                    seconds=seconds,
                    environment={"torch": "2.10.0"},
                    **common,
                )
            )
    return made


def _measured(flops: int, params: int, activations: int, baseline: bool, draw: random.Random) -> dict[str, Reading]:
    top1 = 38 + 9 * math.log10(flops / 1e9) + 8 * math.log10(params / 1e6) + draw.gauss(0, 0.7)
    speed = 9e10 / (flops**0.55 * activations**0.45) * draw.uniform(0.85, 1.15)
    return {
        "train_images_per_s": Reading(
            speed,
            speed * (0.03 if baseline else 0.008),
            samples=3 if baseline else 30,
            conditions={**CONDITIONS, "batch": draw.choice([16, 32])},
            detail={"repeats": [speed * 0.985, speed, speed * 1.015]} if baseline else {},
        ),
        "top1_pct": Reading(
            top1,
            0.8 if baseline else None,
            samples=3 if baseline else 1,
            conditions={**CONDITIONS, "data": "fractals", "epochs": 8},
            detail={"repeats": [top1 - 0.4, top1, top1 + 0.4]} if baseline else {},
        ),
    }


def study(count: int = 40, seed: int = 0) -> StudyReport:
    return StudyReport(
        records=records(count, seed),
        recipe=recipe(),
        provenance={
            "command": "nas search --space efficientnetv2 -n 40",
            "device": "test processor, 2 cores",
            "versions": {"nas": "0.1.0", "python": "3.11.9", "torch": "2.10.0", "optuna": "5.0.0"},
            "started": "2026-03-01T10:00:00Z",
            "finished": "2026-03-01T10:07:21Z",
        },
        importance={
            "top1_pct": {f"stage {n} layers": round(0.4 / n, 3) for n in range(1, 8)},
            "train_images_per_s": {"stage 1 op": 0.51, "stage 2 expand": 0.22, "stage 4 layers": 0.1},
        },
    )
