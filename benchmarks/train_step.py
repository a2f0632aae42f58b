"""Our train step against torchvision's and timm's same networks, on a CPU, in one interleaved run.

    python benchmarks/train_step.py            # about five minutes; writes benchmarks/results/train_step.json

Absolute figures depend on what else the machine does; ratios of steps that took turns do not. Each side runs in the
faster of its two memory formats, found in the same way just before. Regularisation is off on every side (dropout 0,
stochastic depth 0); the optimizer, loss, images and number of threads are the same.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Spinning threads make a shared machine measure its neighbours: two spinning processes slowed a step thirty-fold.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import timm
import torch
import torchvision
from torch import nn

from nas import nets
from nas.arch import Architecture, parse
from nas.cost import cost
from nas.meters.bench import Bench
from nas.meters.conditions import device_name
from nas.meters.steps import LOSS, OPTIMIZER, train_step
from nas.recipe import Timing

B0 = (
    "r224 s32 m1k3s1c16n1se0.25 m6k3s2c24n2se0.25 m6k5s2c40n2se0.25 m6k3s2c80n3se0.25 m6k5s1c112n3se0.25 "
    "m6k5s2c192n4se0.25 m6k3s1c320n1se0.25 h1280"
)
V2_S = "r384 s24 f1k3s1c24n2 f4k3s2c48n4 f4k3s2c64n4 m4k3s2c128n6se0.25 m6k3s1c160n9se0.25 m6k3s2c256n15se0.25 h1280"
SIDES = ("nas", "torchvision", "timm")
FORMATS = ("contiguous", "channels_last")
WARM_UP = 3


@dataclass(frozen=True)
class Case:
    name: str
    arch: Architecture
    build: dict[str, Callable[[], nn.Module]]


def cases() -> list[Case]:
    off = {"dropout": 0.0, "stochastic_depth_prob": 0.0}
    b0, v2_s = parse(B0), parse(V2_S)
    return [
        Case("efficientnet_b0", b0, {
            "nas": lambda: nets.build(b0),
            "torchvision": lambda: torchvision.models.efficientnet_b0(**off),
            "timm": lambda: timm.create_model("efficientnet_b0", drop_rate=0.0, drop_path_rate=0.0),
        }),
        Case("efficientnet_v2_s", v2_s, {
            "nas": lambda: nets.build(v2_s),
            "torchvision": lambda: torchvision.models.efficientnet_v2_s(**off),
            "timm": lambda: timm.create_model("efficientnetv2_s", drop_rate=0.0, drop_path_rate=0.0),
        }),
    ]  # fmt: skip


def prepare(case: Case, side: str, memory_format: str, batch: int, pixels: int) -> Callable[[], object]:
    """A warm training step of one side."""
    net = case.build[side]()
    params = sum(parameter.numel() for parameter in net.parameters())
    if params != cost(case.arch).params:
        raise SystemExit(f"{side} {case.name} has {params:,} parameters, ours {cost(case.arch).params:,}")
    timing = Timing(resolution_scale=pixels / case.arch.resolution, memory_format=memory_format, precision="fp32")
    bench = Bench(case.arch, timing, torch.device("cpu"))
    step = train_step(bench.ready(net, train=True), bench, batch)
    for _ in range(WARM_UP):
        step()
    return step


def take_turns(steps: dict[str, Callable[[], object]], rounds: int, cap: float) -> dict[str, list[float]]:
    """Seconds of each step: A B C, then B C A, …, until `rounds` are full or `cap` seconds have passed."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    order, start = list(steps), time.perf_counter()
    for _ in range(rounds):
        for name in order:
            begin = time.perf_counter()
            steps[name]()
            seconds[name].append(time.perf_counter() - begin)
        order = order[1:] + order[:1]
        if time.perf_counter() - start > cap:
            break
    return seconds


def ratio_interval(ours: list[float], theirs: list[float], draws: int = 4000) -> tuple[float, float, float]:
    """(their median step / our median step, and its 95 % bootstrap interval): above 1 we are faster.

    Rounds are resampled whole, so that what slowed a whole round slows both sides of it.
    """
    rng, count = random.Random(0), len(ours)
    found = []
    for _ in range(draws):
        chosen = [rng.randrange(count) for _ in range(count)]
        found.append(statistics.median(theirs[i] for i in chosen) / statistics.median(ours[i] for i in chosen))
    found.sort()
    ratio = statistics.median(theirs) / statistics.median(ours)
    return ratio, found[int(0.025 * draws)], found[int(0.975 * draws)]


def run(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Choose each side's memory format, then let the three take turns."""
    torch.manual_seed(0)
    ready = {
        (side, form): prepare(case, side, form, options.batch, options.pixels) for side in SIDES for form in FORMATS
    }
    tried = take_turns(
        {f"{side} {form}": step for (side, form), step in ready.items()}, options.trials, options.cap / 3
    )
    medians = {name: statistics.median(values) for name, values in tried.items()}
    best = {side: min(FORMATS, key=lambda form, side=side: medians[f"{side} {form}"]) for side in SIDES}
    seconds = take_turns({side: ready[side, best[side]] for side in SIDES}, options.rounds, options.cap)
    result: dict[str, Any] = {
        "network": case.name,
        "params": cost(case.arch).params,
        "rounds": len(seconds["nas"]),
        "format_trial_median_s": medians,
        "sides": {
            side: {
                "memory_format": best[side],
                "median_step_s": statistics.median(seconds[side]),
                "images_per_s": options.batch / statistics.median(seconds[side]),
                "step_s": seconds[side],
            }
            for side in SIDES
        },
    }
    for side in SIDES[1:]:
        ratio, low, high = ratio_interval(seconds["nas"], seconds[side])
        result["sides"][side] |= {"nas_is_faster_by": ratio, "interval_95": [low, high]}
    fastest = min(SIDES[1:], key=lambda side: result["sides"][side]["median_step_s"])
    result["fastest_other"] = fastest
    result["as_fast_within_noise"] = result["sides"][fastest]["interval_95"][1] >= 1.0
    return result


def table(results: list[dict[str, Any]]) -> str:
    """The results as a Markdown table."""
    lines = [
        "| network | side | memory format | median step, ms | images/s | nas is faster by (95 % interval) |",
        "|---|---|---|---|---|---|",
    ]
    for result in results:
        for side, found in result["sides"].items():
            faster = "–"
            if "interval_95" in found:
                low, high = found["interval_95"]
                faster = f"{found['nas_is_faster_by']:.3f} × ({low:.3f} – {high:.3f})"
            cells = [result["network"], side, found["memory_format"], f"{1e3 * found['median_step_s']:.0f}"]
            lines.append("| " + " | ".join([*cells, f"{found['images_per_s']:.1f}", faster]) + " |")
    return "\n".join(lines)


def environment(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "device": device_name(torch.device("cpu")),
        "threads": torch.get_num_threads(),
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY"),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "timm": timm.__version__,
        "precision": "fp32",
        "batch": options.batch,
        "pixels": options.pixels,
        "optimizer": OPTIMIZER,
        "loss": LOSS,
        "regularisation": "dropout 0 and stochastic depth 0 on every side",
        "interval": "bootstrap of rounds, ratio of medians, 95 %",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--pixels", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=60, help="most rounds a network")
    parser.add_argument("--trials", type=int, default=6, help="most rounds of the choice of memory format")
    parser.add_argument("--cap", type=float, default=100.0, help="seconds a network, after the choice")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "train_step.json")
    options = parser.parse_args()
    before = environment(options)
    results = [run(case, options) for case in cases()]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    document = {"environment": before, "results": results}
    options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(table(results))
    for result in results:
        print(
            f"\n{result['network']}: {result['rounds']} rounds; the faster of the others is {result['fastest_other']};"
        )
        print(f"nas at least as fast within noise: {'yes' if result['as_fast_within_noise'] else 'NO'}")


if __name__ == "__main__":
    main()
