"""Does each of depth, width and resolution raise held-out accuracy on the built-in fractals? Three rungs, five seeds.

python benchmarks/ladder.py            # trains, then writes studies/ladder/records.jsonl and README.md
python benchmarks/ladder.py --draw     # writes README.md again from the records
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import torch

from nas.arch import Architecture, parse
from nas.cost import cost
from nas.data import load_data
from nas.document import read_yaml, validate
from nas.environment import environment
from nas.record import Reading, Record, read_records, write_records
from nas.scaling import scale
from nas.training import proxy, train
from nas.training_recipe import Training

FOLDER = Path(__file__).parent.parent / "studies" / "ladder"
BASE = parse("r32 s64 m1k3s1c32n1se0.25 m4k3s2c48n1se0.25 m4k3s2c80n1se0.25 m4k3s2c160n1se0.25 h320")
SEEDS = (0, 1, 2, 3, 4)
# What each dimension climbs; all start from BASE under recipe.yaml, which is the middle of none of them.
RUNGS: dict[str, tuple[float, ...]] = {"depth": (1, 2, 4), "width": (0.25, 0.5, 1.0), "resolution": (16, 24, 32)}


def rungs(recipe: Training) -> Iterator[tuple[str, float, Architecture, Training]]:
    """(dimension, rung, network, its training); the recipe's own point stands once in each dimension."""
    for dimension, values in RUNGS.items():
        for value in values:
            if dimension == "depth":
                yield dimension, value, scale(BASE, depth=value), recipe
            elif dimension == "width":
                yield dimension, value, BASE, recipe.model_copy(update={"width": value})
            else:
                yield dimension, value, BASE, recipe.model_copy(update={"resolution": int(value)})


def measure(recipe: Training) -> list[Record]:
    """One record a network and seed. Seeds are the outer loop, so that a drift of the machine spreads over all."""
    facts = environment("cpu")
    done: dict[tuple[str, int], Record] = {}
    records = []
    for seed in SEEDS:
        for dimension, value, arch, training in rungs(recipe):
            data = load_data(training.data, resolution=training.resolution)
            key = (str(proxy(arch, training, data.classes)), seed)
            known = done.get(key)
            if known is None:
                known = one(arch, training, seed, facts)
                done[key] = known
            settings = {"dimension": dimension, "rung": value}
            records.append(Record(**{**fields(known), "trial": len(records), "settings": settings}))
            print(f"seed {seed} {dimension} {value:g}: {known.value('top1_pct'):.2f} %", flush=True)
    return records


def fields(record: Record) -> dict[str, object]:
    return {name: getattr(record, name) for name in Record.__dataclass_fields__}


def one(arch: Architecture, training: Training, seed: int, facts: dict[str, object]) -> Record:
    data = load_data(training.data, resolution=training.resolution)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    began, busy = time.perf_counter(), time.process_time()
    made = proxy(arch, training, data.classes)
    result = train(made, data, training, seed=seed)
    conditions = {
        **training.model_dump(mode="json"),
        "device": "cpu",
        "torch": torch.__version__,
        "train_images": len(data.train),
        "held_images": len(data.held),
        "classes": data.classes,
        "cpu_seconds": round(time.process_time() - busy, 1),
    }
    curve = [
        [epoch.epoch, round(epoch.loss, 4), round(epoch.train_pct, 2), round(epoch.held_pct, 2)]
        for epoch in result.curve
    ]
    return Record(
        study="ladder",
        trial=None,
        state="complete",
        arch=str(made),
        id=made.id,
        readings={
            "top1_pct": Reading(result.top1_pct, conditions=conditions, detail={"curve": curve, "steps": result.steps}),
            "params": Reading(cost(made).params),
            "flops": Reading(cost(made).flops),
        },
        seed=seed,
        started=started,
        seconds=round(time.perf_counter() - began, 1),
        environment=facts,
    )


def table(records: list[Record]) -> str:
    """Markdown: a row a rung, with the gain over the rung below in standard errors of the difference."""
    accuracy: dict[tuple[str, float], list[float]] = defaultdict(list)
    first: dict[tuple[str, float], Record] = {}
    for record in records:
        key = (str(record.settings["dimension"]), float(record.settings["rung"]))
        accuracy[key].append(float(record.value("top1_pct") or 0.0))
        first.setdefault(key, record)
    lines = [
        "| dimension | rung | params | MFLOPs | held-out top-1 %, by seed | mean | deviation | gain | gain / error |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    below: list[float] = []
    for (dimension, value), scores in accuracy.items():
        if value == RUNGS[dimension][0]:
            below = []
        gain = statistics.mean(scores) - statistics.mean(below) if below else None
        record = first[dimension, value]
        cells = [
            dimension,
            f"{value:g}" + (" px" if dimension == "resolution" else " ×"),
            f"{record.value('params') or 0:,.0f}",
            f"{(record.value('flops') or 0) / 1e6:.2f}",
            " ".join(f"{score:.1f}" for score in scores),
            f"{statistics.mean(scores):.1f}",
            f"{statistics.stdev(scores):.1f}",
            "" if gain is None else f"{gain:+.1f}",
            "" if gain is None else f"{gain / error(below, scores):.1f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
        below = scores
    return "\n".join(lines)


def error(below: list[float], above: list[float]) -> float:
    """Standard error of the difference of two means, in percentage points; at least 0.1."""
    parts = [statistics.variance(scores) / len(scores) for scores in (below, above)]
    return max(0.1, sum(parts) ** 0.5)


def page(records: list[Record]) -> str:
    top = records[0].readings["top1_pct"].conditions
    facts = records[0].environment
    seconds = sum({(record.arch, record.seed): record.seconds or 0 for record in records}.values())
    return f"""# Depth, width and resolution each raise accuracy on the built-in fractals

One small MBConv network at width {top["width"]:g}, one dimension at a time, everything else as in `recipe.yaml`:
{top["epochs"]} epochs over {top["train_images"]:,} images of {top["classes"]} classes, judged on
{top["held_images"]:,} images it never saw. At width 1 it is

    {BASE}

{table(records)}

`gain` is over the rung below, in percentage points; `gain / error` is that gain in standard errors of the difference of
two means of {len(SEEDS)} seeds: above about 3 it is not seed noise. Images, classes and the held-out set are the same
for all seeds, which draw the initial weights and the order of the images: another set of fractals would give other
numbers, and how far the order of networks carries over to photographs was not measured here.

The number of epochs was chosen after seeing others. At four epochs the means stood in the same order in every
dimension, but nearer to the ceiling (depth 93.8, 95.2, 96.5), and the two steps of depth were 1.7 and 2.2 errors: depth
is the weakest of the three here, width the strongest.

Made by `python benchmarks/ladder.py` in {seconds / 60:.0f} minutes of training (on {top["threads"]} thread of a shared
{facts["cores"]}-core {facts["cpu"]}, torch {facts["torch"]}, Python {facts["python"]}). `records.jsonl` holds every
run with its curve and conditions. Another processor or torch version rounds differently, and moves single numbers by
about as much as another seed does.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draw", action="store_true", help="only write README.md again")
    options = parser.parse_args()
    if not options.draw:
        recipe = validate(Training, read_yaml(FOLDER / "recipe.yaml"), "recipe.yaml")
        write_records(FOLDER / "records.jsonl", measure(recipe))
    text = page(list(read_records(FOLDER / "records.jsonl")))
    (FOLDER / "README.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
