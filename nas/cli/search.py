"""`nas search`: run a study, or go on with it, and write its report."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli import console
from nas.cli.options import (
    DEFAULT_STORAGE,
    AllowCode,
    Device,
    EngineName,
    Json,
    LogJson,
    MetricsPort,
    RayAddress,
    RayOpen,
    SlurmParameter,
    Storage,
    pick_device,
)
from nas.cli.plan import Plan, Running, engine_of, print_plan
from nas.cli.run import run_plan
from nas.errors import NasError

if TYPE_CHECKING:
    from nas.recipe import Recipe
    from nas.study.space import Space


def search(  # noqa: PLR0913, PLR0917
    context: typer.Context,
    space: Annotated[
        str | None, typer.Option(help="A shipped space or network, or a YAML file (see: nas spaces).")
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="A study recipe, shipped or a YAML file.")] = None,
    study: Annotated[str | None, typer.Option(help="Name of the study; otherwise that of the space or recipe.")] = None,
    storage: Storage = DEFAULT_STORAGE,
    trials: Annotated[int | None, typer.Option("--trials", "-n", help="Total of the study; again to resume.")] = None,
    timeout: Annotated[str | None, typer.Option(metavar="90s|4h", help="Start no trial after this long.")] = None,
    sampler: Annotated[str | None, typer.Option(help="tpe, nsga2, nsga3, gp, random or grid.")] = None,
    objective: Annotated[
        list[str] | None, typer.Option(help="A metric, or a reward such as top1_pct*(flops/4G)^-0.07. Repeat.")
    ] = None,
    limit: Annotated[list[str] | None, typer.Option(help="For example flops<=4G. Repeat.")] = None,
    data: Annotated[
        str | None, typer.Option(envvar="NAS_DATA", help="fractals, digits, folder:PATH, cifar10:ROOT, …")
    ] = None,
    device: Device = "auto",
    seed: Annotated[
        int | None, typer.Option(help="The same seed and readings: the same networks in the same order.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Networks measured at a time.")] = 1,
    engine: EngineName = "local",
    ray_address: RayAddress = None,
    ray_open: RayOpen = False,
    slurm: SlurmParameter = None,
    out: Annotated[Path | None, typer.Option(help="Folder of report and logs; otherwise runs/STUDY.")] = None,
    log_json: LogJson = None,
    metrics_port: MetricsPort = None,
    allow_code: AllowCode = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and do nothing.")] = False,
    json_output: Json = False,
) -> None:
    """Search a space for networks that are accurate, cheap and fast on this machine, and write a Pareto report.

    The same command again goes on where it stopped. Ctrl-C ends it cleanly.

    Examples:

      nas search --space efficientnetv2

      nas search --space efficientnetv2 -n 400 --limit 'flops<=10G' --objective top1_pct --objective train_images_per_s

      nas search --recipe mystudy.yaml --storage postgresql://user@host/nas
    """
    overrides: dict[str, Any] = {"trials": trials, "timeout": timeout, "sampler": sampler, "seed": seed}
    overrides |= {"objectives": objective, "limits": limit}
    if space is None and recipe is None and study is None:
        raise NasError("search what?", "nas search --space efficientnetv2   (nas spaces lists them)")
    chosen_engine = engine_of(context, engine, ray_address, ray_open, slurm)
    where = pick_device(device, here=engine == "local")
    chosen, found = _recipe_and_space(space, recipe, study, storage, where)
    given = {key: value for key, value in overrides.items() if value not in (None, [])}
    given |= {"name": study if study is not None else chosen.name if space is None else found.name}
    given |= {"budget": None} if "limits" in given else {}
    given |= {"measure": []} if "objectives" in given and recipe is None else {}  # only what they need
    if data is not None:
        given["training"] = {**chosen.model_dump(mode="json")["training"], "data": data}
    whole = settle(chosen, given, found)
    folder = out or Path("runs") / whole.name
    running = Running(workers, chosen_engine, log_json, metrics_port, allow_code=allow_code)
    plan = Plan(whole, found, storage, where, running, folder, command_line(storage))
    plan.check()
    if dry_run:
        print_plan(plan, json_output)
        return
    raise typer.Exit(run_plan(plan, json_output))


def command_line(storage: str) -> str:
    """The command as it was given, without the storage's password."""
    from nas.study.storage import masked

    return shlex.join(["nas", *(word.replace(storage, masked(storage)) for word in sys.argv[1:])])


def _recipe_and_space(
    space: str | None, recipe: str | None, study: str | None, storage: str, device: str
) -> tuple[Recipe, Space]:
    """What to search by which recipe: the ones named, the default for the device, or those of a stored study."""
    from nas.recipe import load_recipe
    from nas.space_file import load_space
    from nas.study.training_space import with_training

    if space is None and recipe is None:
        return _stored(storage, str(study))
    named = load_recipe(recipe) if recipe else None
    if named and named.grid:
        raise NasError(f"recipe '{recipe}' is that of a grid", f"nas grid --recipe {recipe} --measure")
    found = load_space(space or named.space if named else str(space))
    if named is None:
        named = load_recipe("default-gpu" if device.startswith("cuda") else "default-cpu")
    return named.model_copy(update={"space": found.name}), with_training(found, named)


def settle(recipe: Recipe, given: dict[str, Any], space: Space) -> Recipe:
    """The whole recipe, validated with what the command line gave, its limits possible in this space."""
    from nas.document import validate
    from nas.recipe import Recipe
    from nas.study.lifecycle import check_limits, check_training, resolve

    whole = resolve(validate(Recipe, {**recipe.model_dump(mode="json"), **given}, "search"), space)
    if warning := check_limits(space, whole.parsed_limits):
        console.say(f"note   {warning}")
    check_training(whole, space)
    return whole


def _stored(storage: str, study: str) -> tuple[Recipe, Space]:
    from nas.study.storage import open_storage, open_study, recipe_of, space_of

    opened = open_study(open_storage(storage), study)
    return recipe_of(opened), space_of(opened)
