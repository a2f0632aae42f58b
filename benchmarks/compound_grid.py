"""The README of the measured compound grid, from its records alone.

nas grid --recipe compound-grid --measure                # the experiment
python benchmarks/compound_grid.py runs/compound-grid    # its records into studies/compound-grid, and the README
python benchmarks/compound_grid.py                       # the README again, from the committed records
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from nas.choice import Choice, choose
from nas.measured_grid import measured
from nas.recipe import Recipe, load_recipe
from nas.record import Record, read_records, write_records
from nas.report.choice import verdict
from nas.report.choice_page import as_markdown

FOLDER = Path(__file__).parent.parent / "studies" / "compound-grid"
PILOTS = """\
The settings were chosen after pilots, of one to three seeds each, on the base, the paper's triple and each dimension
scaled alone; no other triple of the grid was trained before the experiment. Sizes were not rounded in them (the paper's
was 46 px, not 48). In percent of held-out images; `images` are classes × training images of each:

| px | images | batch | epochs | optimizer, rate | base | paper's | α = 2 | β = 1.4 | γ = 1.4 |
|---|---|---|---|---|---|---|---|---|---|
| 32 | 64 × 64 | 64 | 3 | muon .015 | 91.0 | 95.6 | 87.7 | 90.7 | 96.9 |
| 48 | 64 × 32 | 64 | 3 | muon .015 | 86.5 | 89.4 | 75.2 | 84.9 | 90.9 |
| 48 | 96 × 32 | 96 | 3 | muon .015 | 90.7 | 91.5 | – | – | – |
| 48 | 128 × 32 | 128 | 3 | muon .015 | 81.9 | 92.9 | 87.8 | – | – |
| 40 | 64 × 64 | 64 | 2 | muon .015 | 91.0 | 91.4 | 88.1 | 92.4 | 94.8 |
| 40 | 128 × 32 | 64 | 2 | muon .015 | 67.5 | 82.4 | 75.8 | 81.8 | 84.3 |
| **40** | **128 × 32** | **64** | **2** | **muon .03** | 74.4, 77.8, 76.3 | 82.7, 84.3, 83.4 | 79.6 | – | 86.1 |

With 64 classes the base is near its ceiling, and depth costs accuracy within so few steps; with 128 classes every
dimension gains. At 32 px the last stages see one pixel, and one pixel more doubles their cost: no grid by real cost
holds many networks there. At 40 px, with sizes in multiples of 8, the paper's triple itself costs close to 2 ×."""


def page(records: Sequence[Record], choice: Choice, recipe: Recipe) -> str:
    """The README: question, answer, how sure, how it was measured, what was tried before."""
    one = next(record for record in records if record.baseline == "base")
    top, timed = one.readings["top1_pct"].conditions, one.readings["train_images_per_s"].conditions
    facts, busy = one.environment, sum(record.seconds or 0 for record in records)
    options = recipe.grid
    assert options is not None
    answers = "\n".join(f"- at {_at(answer.question)}: **{verdict(answer)}**" for answer in choice.answers)
    hardware = facts.get("gpu") or f"{facts['cores']}-core {facts['cpu']}"
    failed = sum(record.state == "failed" for record in records)
    return f"""# {recipe.question}

The grid behind EfficientNet's α, β, γ was never published. This is a small one, measured:

{answers}

It is a statement about one small base, two epochs and this machine, not about ImageNet.

## The experiment

`nas grid --recipe {recipe.name} --measure`

Base: `{one.arch}`,
{one.readings["flops"].value / 1e6:.2f} M multiply-adds: EfficientNet-B0 at half its width and {top["resolution"]} px.

The grid: all (α, β, γ) from {options.range[0]:g} to {options.range[1]:g} by {options.step:g} whose built network costs
{options.target:g} ± {options.tolerance:g} times the base, each distinct network once, with the base and the paper's
(1.2, 1.1, 1.15): {len(choice.networks)} networks. Each is trained as it is, at its own width and resolution, with
{recipe.repeats} seeds: {top["epochs"]} epochs over {top["train_images"]:,} built-in fractals of
{one.arch.rsplit("y", 1)[-1]} classes, judged on {top["held_out_images"]:,} others, by `studies/{recipe.name}.yaml`. Its
training step is timed {recipe.repeats} times, between the trainings, at batch {timed["batch"]} and its own resolution.
The networks came in an order drawn from the seed.

Made in {busy / 60:.0f} minutes on a {hardware}, torch {facts["torch"]}, Python {facts["python"]};
{failed} trials failed.
`records.jsonl` holds every reading with its curve and conditions.

## What was found, and how sure it is

{as_markdown(choice).rstrip()}

## What it does not say

The seeds draw initial weights and the order of the images. The images are the same for all, and other fractals, more
epochs, another optimizer, or photographs may prefer other triples: short training favours what learns fast. All
networks share one recipe, tuned for none of them. They are few and rounded (channels to 8, pixels to {options.pixels},
layers up), so that neighbours in α, β, γ are often the same network, which is then listed once. Step times hold for
this processor; on another, `nas grid --recipe {recipe.name} --measure` answers.

## Pilots

{PILOTS}

README by `python benchmarks/compound_grid.py`.
"""


def _at(question: str) -> str:
    return {"flops": "equal FLOPs", "step": "equal measured step time"}[question]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", nargs="?", type=Path, help="folder of the study's report; its records are copied")
    options = parser.parse_args()
    recipe = load_recipe("compound-grid")
    if options.report:
        records = list(read_records(options.report / "data" / "records.jsonl"))
        stored = json.loads((options.report / "provenance.json").read_text(encoding="utf-8"))["recipe"]
        if Recipe.model_validate_json(json.dumps(stored)).training != recipe.training:
            raise SystemExit(f"{options.report}: measured by another recipe than studies/compound-grid.yaml")
        FOLDER.mkdir(exist_ok=True)
        write_records(FOLDER / "records.jsonl", records)
    records = list(read_records(FOLDER / "records.jsonl"))
    assert recipe.grid is not None
    choice = choose(measured(records), target=recipe.grid.target, band=recipe.grid.band)
    text = page(records, choice, recipe)
    (FOLDER / "README.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
