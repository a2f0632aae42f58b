"""The README and figures of the measured compound grid, from its records alone.

nas grid --recipe compound-grid --measure                # the experiment
python benchmarks/compound_grid.py runs/compound-grid    # its records into studies/compound-grid, README and figures
python benchmarks/compound_grid.py                       # README and figures again, from the committed records
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from nas.arch import parse
from nas.choice import Answer, Candidate, Choice, choose
from nas.cli.grid_measure import Wanted, settle_grid
from nas.grid import PAPER
from nas.measured_grid import measured, seed_noise
from nas.recipe import Recipe
from nas.record import Record, read_records, write_records
from nas.report.choice import same_network, step_words, verdict
from nas.report.choice_page import as_markdown, figure
from nas.report.papers.figure import Figure
from nas.report.papers.static import to_svg

NAME = "compound-grid"
FOLDER = Path(__file__).parent.parent / "studies" / NAME
PILOTS = """\
The settings were chosen after pilots, of one to three seeds each, on the base, the paper's triple and each dimension
scaled alone; no other triple of the grid was trained before the experiment. They ran on the same machine with the same
versions; no records of them were kept, and nothing above rests on them. Sizes were not rounded in them (the paper's was
46 px, not 48). In percent of held-out images; `images` are classes × training images of each:

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
    facts, options, base = one.environment, recipe.grid, parse(one.arch)
    assert options is not None
    hardware = facts.get("gpu") or f"{facts['cores']} cores of an {facts['cpu']} CPU"
    failed = sum(record.state == "failed" for record in records)
    answers = "\n".join(f"- {sentence}" for answer in choice.answers for sentence in _answer(answer))
    figures = "\n".join(f"![{shown.title}]({shown.name}.svg)" for shown in _figures(choice))
    epochs = f"{top['epochs']} epochs"
    return f"""# {recipe.question}

The grid behind EfficientNet's α, β, γ (arXiv:1905.11946, section 4) was never published. This is a small one, measured.

## The answer

{answers}
- {_worth(choice)}

It is a statement about one small base, {epochs} and this machine, not about ImageNet.

{figures}

Each mark is a network: its mean accuracy over {recipe.repeats} seeds ± twice its standard error. The line through
the leader is the one along which accuracies are moved to the target; it spans the band of candidates. The base, at 1 ×,
is left of both figures. The leader and the paper's network have their (α, β, γ) beside them.

## What was done

    nas grid --recipe {recipe.name} --measure
    python benchmarks/compound_grid.py runs/{recipe.name}

- Base: EfficientNet-B0's stages{_narrowed(base.stages[-1].channels)} at {base.resolution} px, {base.classes} classes,
  {one.readings["flops"].value / 1e6:.2f} M multiply-adds: `{one.arch}`.
- Grid: all (α, β, γ) from {options.range[0]:g} to {options.range[1]:g} by {options.step:g} whose built network costs
  {options.target:g} ± {options.tolerance:g} times the base, each distinct network once, with the base and the paper's
  (1.2, 1.1, 1.15): {len(choice.networks)} networks. Channels are rounded to 8, pixels to {options.pixels}, layers up.
- Accuracy: each network as it is, at its own width and resolution, trained with {recipe.repeats} seeds: {epochs} over
  {top["train_images"]:,} built-in fractals, judged on {top["held_out_images"]:,} others; {top["optimizer"]}, batch
  {top["batch"]}, {top["precision"]}. All of it: `studies/{recipe.name}.yaml`.
- Step time: forward, loss, backward and optimizer at batch {timed["batch"]} and the network's own resolution,
  {timed["precision"]}, timed {recipe.repeats} times between the trainings.
- Order: drawn from the seed, so that what drifts on the machine follows none of the three factors.
- Time: {_minutes(records):.0f} minutes on {hardware} with {timed["threads"]} threads, torch {facts["torch"]}, Python
  {facts["python"]}, nas {facts["nas"]}; {failed} trials failed.

`records.jsonl` holds every reading with its training curve and conditions.

## What was found, and how sure it is

{as_markdown(choice).rstrip()}

## What it does not say

- Nothing about ImageNet, nor about networks of ordinary size. {_sizes(choice)} In {epochs} what learns fast looks best.
- The seeds draw initial weights and the order of the images. The images are the same for all: other fractals, or
  photographs, may prefer other triples, and the intervals do not cover that.
- All networks share one recipe, tuned for none of them. Another optimizer or more epochs may prefer others.
- {_halves(choice)}
- *Behind* is the interval of that one pair, though the leader was picked for standing highest; only *may be best*
  reckons with all comparisons.
- Step times hold for this processor; on another, the command above answers anew.

## Pilots

{PILOTS}

README and figures by `python benchmarks/compound_grid.py`.
"""


def _answer(answer: Answer) -> Iterable[str]:
    """The verdict of one question, the leader, the paper's triple, and what else may be best."""
    best, paper = answer.best, answer.paper
    where = {"flops": "equal FLOPs", "step": "equal measured step time"}[answer.question]
    same = same_network(best.measured)
    yield (
        f"At {where}: **{verdict(answer)}**. {best.measured.name} leads with {best.moved:.1f} %"
        + (f" (the network of {same})" if same else "")
        + (f"; the paper's {paper.measured.name} {_standing(answer, paper)}." if paper and paper is not best else ".")
    )
    others = ", ".join(one.measured.name for one in answer.contenders if one not in (best, paper))
    if others:
        yield f"What may be best besides, in the order of their standing: {others}. The others are excluded at 95 %."


def _standing(answer: Answer, paper: Candidate) -> str:
    return (
        f"has {paper.moved:.1f} %, {paper.behind:.1f} ± {paper.behind_error:.1f} points less, and is "
        + ("not excluded" if paper.contender else "excluded")
        + f" (place {answer.candidates.index(paper) + 1} of {len(answer.candidates)})"
    )


def _worth(choice: Choice) -> str:
    """What a doubling of FLOPs is worth by dimension."""
    if not choice.spending:
        return "There are too few networks to say what each dimension is worth."
    gained = ", ".join(
        f"{one.points:+.1f} ± {one.error:.1f} points by {one.dimension}"
        + (f" ({step_words(one.step, 1)})" if one.step else "")
        for one in choice.spending
    )
    return f"Fitted to all {len(choice.networks)} networks, twice the FLOPs gain {gained}."


def _sizes(choice: Choice) -> str:
    sides = [parse(one.arch).resolution for one in choice.networks]
    stride = parse(choice.base.arch).total_stride
    maps = " to ".join(dict.fromkeys(str(-(-side // stride)) for side in (min(sides), max(sides))))
    return (
        f"At {min(sides)} to {max(sides)} px and a total stride of {stride}, the last stages see maps of {maps} pixels "
        "a side, where more pixels may be worth more than elsewhere."
    )


def _halves(choice: Choice) -> str:
    """The seed deviation of the less and of the more accurate half: one pooled number stands for both."""
    order = sorted(choice.networks, key=lambda one: one.accuracy)
    low, high = (seed_noise(half).deviation for half in (order[: len(order) // 2], order[len(order) // 2 :]))
    return (
        f"One seed deviation is assumed for all, {choice.noise.deviation:.1f} points. It is {low:.1f} for the less "
        f"accurate half of the networks and {high:.1f} for the more accurate one, so that the intervals of the best "
        f"are {'wider' if high < low else 'narrower'} than their own seeds would make them."
    )


def _narrowed(channels: int) -> str:
    from nas.space_file import load_architecture

    share = channels / load_architecture("efficientnet-b0").stages[-1].channels
    return "" if share == 1 else f" with {share:g} × its channels"


def _minutes(records: Sequence[Record]) -> float:
    """From the start of the first trial to the end of the last."""
    starts = [datetime.fromisoformat(record.started).timestamp() for record in records]
    ends = [start + (record.seconds or 0) for start, record in zip(starts, records, strict=True)]
    return (max(ends) - min(starts)) / 60


def _figures(choice: Choice) -> Iterable[Figure]:
    """Accuracy over each cost, without the base; the leader and the paper's network have their triples beside them."""
    for answer in choice.answers:
        whole = figure(choice, answer)
        told = {answer.best.measured.name, f"{PAPER} paper"}
        series = tuple(
            dataclasses.replace(one, labels=tuple(label if label in told else "" for label in one.labels))
            for one in whole.series
            if one.name != "the base"
        )
        x = dataclasses.replace(whole.x, log=False)  # between the least and the largest lies no round number
        yield dataclasses.replace(whole, series=series, x=x, named=True)


def _copy(report: Path, recipe: Recipe) -> None:
    """The records of a study's report into FOLDER. Raises: SystemExit for those of another recipe."""
    stored = json.loads((report / "provenance.json").read_text(encoding="utf-8"))["recipe"]
    theirs, ours = Recipe.model_validate_json(json.dumps(stored)).identity(), recipe.identity()
    changed = [key for key in ours if theirs.get(key) != ours[key]]
    if changed:
        raise SystemExit(f"{report}: measured by another recipe than studies/{NAME}.yaml: {', '.join(changed)}")
    FOLDER.mkdir(exist_ok=True)
    write_records(FOLDER / "records.jsonl", read_records(report / "data" / "records.jsonl"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", nargs="?", type=Path, help="folder of the study's report; its records are copied")
    options = parser.parse_args()
    wanted = Wanted({}, NAME, None, "sqlite:///nas.db", "cpu", None, 1, None, 2_000_000, False)
    recipe, _ = settle_grid(wanted, "cpu")
    if options.report:
        _copy(options.report, recipe)
    assert recipe.grid is not None
    records = list(read_records(FOLDER / "records.jsonl"))
    choice = choose(measured(records, recipe.grid), target=recipe.grid.target, band=recipe.grid.band)
    for shown in _figures(choice):
        (FOLDER / f"{shown.name}.svg").write_text(to_svg(shown), encoding="utf-8")
    text = page(records, choice, recipe)
    (FOLDER / "README.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
