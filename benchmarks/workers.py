"""Whether several workers on one CPU leave each other's timings alone, and what a second worker is worth.

The same networks go through the local engine in turns: with one worker; with two, which time one after the other on the
whole machine while nothing else of the study runs; and, for comparison, with two that are only kept on cores of their
own and time at once, against one of them alone. Every trial times training steps and then trains, as a search does.
Usage: python benchmarks/workers.py
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from nas.environment import environment
from nas.recipe import load_recipe
from nas.space_file import load_architecture, load_space
from nas.study.executors import Pool, Spec
from nas.study.executors.local import LocalExecutor

RECIPE = load_recipe("default-cpu")
KEY = "train_images_per_s"


def settings() -> dict[str, Any]:
    return {
        "measure": [KEY, "top1_pct"],
        "timing": {**RECIPE.timing.model_dump(mode="json"), "time_cap": 6.0},
        "training": {**RECIPE.training.model_dump(mode="json"), "epochs": 1},
        "device": "cpu",
        "repeats": 1,
    }


class Side:
    """An engine with its workers warm: each has trained a network before anything is compared."""

    def __init__(self, folder: Path, workers: int, *, timed: bool) -> None:
        folder.mkdir()
        self.executor = LocalExecutor(Pool(workers, folder, timed=timed))
        self.job = 0
        self.run([str(load_architecture("efficientnet-b0"))] * workers)

    def run(self, notations: list[str]) -> tuple[dict[str, list[dict[str, Any]]], float]:
        """(readings by network, seconds): as many at a time as there are workers."""
        waiting, running, found = list(notations), {}, {notation: [] for notation in notations}
        began = time.monotonic()
        while waiting or running:
            while waiting and self.executor.capacity:
                self.job += 1
                running[self.job] = waiting.pop(0)
                self.executor.submit(Spec(running[self.job], settings(), 0, self.job))
            for result in self.executor.wait(0.2):
                assert not result.error, result.error
                found[running.pop(result.job)].append(dict(result.readings[KEY]))
        return found, time.monotonic() - began


def value(readings: dict[str, list[dict[str, Any]]], notation: str) -> float:
    return statistics.median(reading["value"] for reading in readings[notation])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--networks", type=int, default=4)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "workers.json")
    options = parser.parse_args()
    networks = [str(arch) for arch in load_space("efficientnet").samples(options.networks, seed=3)]
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        one, two = Side(place / "one", 1, timed=True), Side(place / "two", 2, timed=True)
        pinned = Side(place / "pinned", 2, timed=False)
        for number in range(options.rounds):
            single, seconds = one.run(networks)
            turns, seconds_of_two = two.run(networks)
            for notation in networks:
                alone, _ = pinned.run([notation])
                both, _ = pinned.run([notation, notation])
                rows.append(
                    {
                        "round": number,
                        "network": notation,
                        "one": value(single, notation),
                        "two": value(turns, notation),
                        "pinned_alone": value(alone, notation),
                        "pinned_both": value(both, notation),
                        "spread": single[notation][0]["spread"] / value(single, notation),
                    }
                )
            rows[-1] |= {"seconds_one": seconds, "seconds_two": seconds_of_two}
            print(f"round {number + 1} of {options.rounds}", flush=True)
        for side in (one, two, pinned):
            side.executor.close()
    sides = {"two workers, one timing at a time": ("two", "one"), "two at once": ("pinned_both", "pinned_alone")}
    print("\n| | median ratio | lowest | highest |\n|---|---|---|---|")
    summary: dict[str, Any] = {}
    for name, (upper, lower) in sides.items():
        ratios = sorted(row[upper] / row[lower] for row in rows)
        summary[name] = [statistics.median(ratios), ratios[0], ratios[-1]]
        print(f"| {name} | {statistics.median(ratios):.3f} | {ratios[0]:.3f} | {ratios[-1]:.3f} |")
    again = [
        a["one"] / b["one"] for a in rows for b in rows if a["network"] == b["network"] and a["round"] < b["round"]
    ]
    summary["one worker against itself, other rounds"] = [statistics.median(again), min(again), max(again)]
    print(f"| one worker, round against round | {statistics.median(again):.3f} | {min(again):.3f} | {max(again):.3f} |")
    gain = [row["seconds_one"] / row["seconds_two"] for row in rows if "seconds_one" in row]
    summary["trials a second, two workers over one"] = [statistics.median(gain), min(gain), max(gain)]
    print(f"\n{len(networks)} trials: two workers are {statistics.median(gain):.2f} times as fast as one")
    document = {"environment": environment("cpu"), "load": os.getloadavg(), "summary": summary, "rows": rows}
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
