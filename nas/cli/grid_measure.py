"""`nas grid --measure`: the networks of a grid as a study, and which triple is best."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cli import console
from nas.errors import NasError

if TYPE_CHECKING:
    import optuna

    from nas.choice import Choice
    from nas.cli.plan import Running
    from nas.recipe import GridOptions, Recipe
    from nas.study.grid_space import GridSpace

_REPEATS = 3  # of a study without a recipe: an answer needs the noise between seeds
_AS_IT_IS = {"width": 1.0, "resolution_scale": 1.0}  # of its own channels, of its own pixels
_SETTLED = ("baselines", "budget", "limits", "sampler", "trials")  # a grid measures its marked networks and all others


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for. `given`: the grid's options that stand on it, by their names in a recipe."""

    given: dict[str, Any]
    recipe: str | None
    study: str | None
    storage: str
    device: str
    data: str | None
    running: Running
    out: Path | None
    most: int
    as_stored: bool  # nothing but the study's name is given, and a band


def options_of(given: dict[str, Any], recipe: str | None) -> GridOptions:
    """The options of a grid: those given, else the recipe's, else the defaults. Raises: NasError in one line."""
    from nas.document import validate
    from nas.recipe import GridOptions, load_recipe

    stated = load_recipe(recipe).grid if recipe else None
    before = stated.model_dump(mode="json") if stated else {}
    return validate(GridOptions, {**before, **given}, "grid")


def measure_grid(wanted: Wanted, dry_run: bool, json_output: bool) -> int:
    """Run or go on with the study of a grid, print which triple is best, and return the exit code."""
    from nas.cli.options import pick_device
    from nas.cli.plan import Plan, print_plan
    from nas.cli.run import run_plan
    from nas.cli.search import command_line

    device = pick_device(wanted.device, here=wanted.running.engine.name == "local")
    stored = _stored(wanted)
    recipe, space = stored or settle_grid(wanted, device)
    out = wanted.out or Path("runs") / recipe.name
    plan = Plan(recipe, space, wanted.storage, device, wanted.running, out, command_line(wanted.storage))
    plan.check()
    if not stored and not _has_grid(wanted):
        console.say(f"note   {_as_they_are(space, device)}")
    if alone := _nobody_compared(recipe, space):
        console.say(f"note   {alone}")
    if dry_run:
        print_plan(plan, json_output)
        return 0
    return run_plan(plan, json_output)


def choice_of(study: optuna.Study) -> Choice | None:
    """Which triple of a measured grid is best; None for another study.

    Raises: ChoiceError where the base is not measured yet, or the noise cannot be known.
    """
    from nas.choice import choose
    from nas.measured_grid import measured
    from nas.study.storage import recipe_of, records

    options = recipe_of(study).grid
    if options is None:
        return None
    return choose(measured(records(study), options), target=options.target, band=options.band)


def answer_document(study: optuna.Study) -> dict[str, Any]:
    """{"choice": the answer of a measured grid}, or {"no_choice": why there is none yet}; empty for another study."""
    from nas.measured_grid import ChoiceError
    from nas.report.choice import document

    try:
        choice = choice_of(study)
    except ChoiceError as error:
        return {"no_choice": str(error)}
    return {"choice": document(choice)} if choice is not None else {}


def print_answer(study: optuna.Study) -> None:
    """The candidates at each cost, and what was found; or why there is no answer yet."""
    from nas.measured_grid import ChoiceError
    from nas.report.choice import sentences
    from nas.report.choice_tables import candidates_table

    try:
        choice = choice_of(study)
    except ChoiceError as error:
        console.say("; ".join(filter(None, (f"no answer yet: {error}", error.hint))))
        return
    if choice is None:
        return
    for answer in choice.answers:
        table = candidates_table(choice, answer)
        console.show(console.as_rich(table, table.caption))
    for sentence in sentences(choice):
        console.result().print(sentence, soft_wrap=True, markup=False)


def _stored(wanted: Wanted) -> tuple[Recipe, GridSpace] | None:
    """The stored study of that name, where nothing but its name is given."""
    from nas.document import validate
    from nas.recipe import GridOptions
    from nas.study.grid_space import GridSpace
    from nas.study.storage import NoStudiesError, open_storage, open_study, recipe_of, space_of, study_names

    if wanted.study is None or not wanted.as_stored:
        return None
    try:
        storage = open_storage(wanted.storage)
    except NoStudiesError:
        return None
    if wanted.study not in study_names(storage):
        return None
    study = open_study(storage, wanted.study)
    space, recipe = space_of(study), recipe_of(study)
    if not isinstance(space, GridSpace) or recipe.grid is None:
        return None
    options = validate(GridOptions, {**recipe.grid.model_dump(mode="json"), **wanted.given}, "grid")
    return recipe.model_copy(update={"grid": options}), space


def settle_grid(wanted: Wanted, device: str) -> tuple[Recipe, GridSpace]:
    """The recipe with its grid settled, and the networks of that grid.

    Raises: NasError for a recipe that states what a grid settles, or that could give no answer.
    """
    from nas.cli.grid import closed_grid
    from nas.cli.search import settle
    from nas.recipe import load_recipe
    from nas.study.grid_space import GridSpace

    fallback = "default-gpu" if device.startswith("cuda") else "default-cpu"
    recipe = load_recipe(wanted.recipe or fallback)
    if wanted.recipe is not None:
        _check(recipe, wanted.recipe)
    options = options_of(wanted.given, wanted.recipe)
    found = closed_grid(
        options.base,
        wanted.storage,
        options.target,
        options.step,
        options.tolerance,
        options.constraint,
        "{!r}:{!r}".format(*options.range),
        options.pixels,
        wanted.most,
    )
    name = wanted.study or (recipe.name if wanted.recipe else _name(options.base))
    space = GridSpace.of(found, f"grid of {options.base}" if " " not in options.base else "grid")
    given: dict[str, Any] = {
        "name": name,
        "space": space.name,
        "grid": options.model_dump(mode="json"),
        "trials": space.size,
        "sampler": "random",  # never asked: the networks are a list
        "baselines": list(space.marked),
        "budget": None,
        "limits": [],
    }
    training, timing = recipe.training.model_dump(mode="json"), recipe.timing.model_dump(mode="json")
    if not _has_grid(wanted):  # proxies are for what a recipe's author chose: they may hide what a factor does
        training |= {**_AS_IT_IS, "pixels": 1}
        timing["resolution_scale"] = 1.0
    if wanted.recipe is None:
        question = "Which (α, β, γ) is best at equal FLOPs, and which at equal measured step time?"
        timing["batch"] = recipe.training.batch  # one for all networks
        given |= {"repeats": _REPEATS, "question": question}
    if wanted.data is not None:
        training["data"] = wanted.data
    given |= {"training": training, "timing": timing}
    return settle(recipe, given, space), space


def _has_grid(wanted: Wanted) -> bool:
    """Whether there is a recipe that says how a grid is measured."""
    from nas.recipe import load_recipe

    return wanted.recipe is not None and load_recipe(wanted.recipe).grid is not None


def _as_they_are(space: GridSpace, device: str) -> str:
    """What is run where no recipe of a grid says otherwise."""
    from nas.cost import cost
    from nas.metric import si

    archs = list(space.samples(space.size))
    sides, flops = sorted(arch.resolution for arch in archs), sorted(cost(arch).flops for arch in archs)
    small = "; on a CPU, nas grid --recipe compound-grid --measure is a small one" if device == "cpu" else ""
    return (
        f"the {space.size} networks are trained and timed as they are, at {sides[0]} to {sides[-1]} px and "
        f"{si(flops[0])} to {si(flops[-1])} FLOPs an image{small}"
    )


def _nobody_compared(recipe: Recipe, space: GridSpace) -> str:
    """That no network will lie at equal FLOPs, by those of what is trained; nothing where one does."""
    from nas.choice import empty_band
    from nas.cost import cost
    from nas.training.proxy import proxy

    options, training = recipe.grid, recipe.training
    assert options is not None
    archs = (space.base, *space.samples(space.size))
    base, *others = (cost(proxy(arch, training, arch.classes)).flops for arch in archs)
    off = [abs(flops / (options.target * base) - 1) for flops in others]
    if min(off) <= options.band:
        return ""
    of_classes = f"{options.target:g} × the base's FLOPs, counted with {space.base.classes} classes"
    return "; ".join(empty_band(off, options.band, of_classes))


def _check(recipe: Recipe, reference: str) -> None:
    stated = [name for name in _SETTLED if name in recipe.model_fields_set]
    if stated:
        raise NasError(
            f"recipe '{reference}': {', '.join(stated)}: not for a grid, which measures each of its networks",
            "leave it out of the recipe",
        )
    if max(recipe.repeats, recipe.baseline_repeats) < 2:
        raise NasError(
            f"recipe '{reference}': repeats: with one seed a network the noise of an accuracy stays unknown",
            "repeats: 2 or more",
        )
    if recipe.timing.batch == "auto" and "train_images_per_s" in recipe.measured:
        raise NasError(
            f"recipe '{reference}': timing.batch: a grid compares step times at one batch; expected a number; got auto",
            f"for example {recipe.training.batch}, the batch of the training",
        )


def _name(base: str) -> str:
    return f"grid-{base}" if re.fullmatch(r"[A-Za-z0-9._-]{1,80}", base) else "grid"
