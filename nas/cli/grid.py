"""`nas grid`: every (α, β, γ) that costs what was asked, in closed form."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli import console
from nas.cli.options import (
    DEFAULT_STORAGE,
    NOTATION,
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
    is_typed,
)
from nas.cli.plan import Running, engine_of
from nas.errors import NasError

if TYPE_CHECKING:
    from nas.arch import Architecture
    from nas.grid import Grid

_OF_MEASURE = (
    "data", "device", "workers", "engine", "ray_address", "ray_open", "slurm", "log_json", "metrics_port", "allow_code",
)  # fmt: skip
_ROWS = 100  # networks printed; the files hold them all


def grid(  # noqa: PLR0913, PLR0917
    context: typer.Context,
    base: Annotated[str, typer.Option(help=f"The network to scale: {NOTATION}.")] = "efficientnet-b0",
    target: Annotated[float, typer.Option(help="FLOPs of the scaled network over the base's.")] = 2.0,
    step: Annotated[float, typer.Option(help="Between neighbouring values of α, β, γ.")] = 0.05,
    tolerance: Annotated[float, typer.Option(help="How far from the target is still inside.")] = 0.1,
    constraint: Annotated[
        str, typer.Option(help="nominal: α·β²·γ² meets the target; real: the built network's FLOPs do.")
    ] = "nominal",
    bounds: Annotated[str, typer.Option("--range", metavar="LOW:HIGH", help="Of α, β and γ alike.")] = "1:2",
    pixels: Annotated[int, typer.Option(help="Resolutions round to multiples of this; 1: to whole pixels.")] = 8,
    most: Annotated[int, typer.Option(help="Refuse more triples than this.")] = 2_000_000,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for page, tables, CSV; of --measure: runs/STUDY.")
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    measure: Annotated[bool, typer.Option("--measure", help="Run its networks as a study; again to resume.")] = False,
    recipe: Annotated[str | None, typer.Option(help="A study recipe with a grid; the options above win.")] = None,
    study: Annotated[str | None, typer.Option(help="Of --measure: name of the study.")] = None,
    data: Annotated[str | None, typer.Option(envvar="NAS_DATA", help="Of --measure: images to train on.")] = None,
    band: Annotated[
        float | None, typer.Option(help="Of --measure: how far from a cost networks are compared at it; 0.1.")
    ] = None,
    device: Device = "auto",
    workers: Annotated[int, typer.Option(min=1, max=256, help="Of --measure: networks measured at a time.")] = 1,
    engine: EngineName = "local",
    ray_address: RayAddress = None,
    ray_open: RayOpen = False,
    slurm: SlurmParameter = None,
    log_json: LogJson = None,
    metrics_port: MetricsPort = None,
    allow_code: AllowCode = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Of --measure: say what would happen.")] = False,
    json_output: Json = False,
) -> None:
    """List the compound grid: which (α, β, γ) cost what was asked, what each builds, and what that really costs.

    With --measure its networks are trained and timed, and the best triple is said at equal FLOPs and equal step time.

    Examples:

      nas grid --base efficientnet-b0 --target 2 --step 0.05 --tolerance 0.1

      nas grid --base efficientnetv2-b0 --constraint real --step 0.01 -o grid

      nas grid --recipe compound-grid --measure
    """
    stated = {"base": base, "target": target, "step": step, "tolerance": tolerance, "constraint": constraint}
    stated |= {"range": parse_range(bounds), "pixels": pixels}
    given = {key: value for key, value in stated.items() if _is_given(context, "bounds" if key == "range" else key)}
    if measure:
        from nas.cli.grid_measure import Wanted, measure_grid

        own_data = is_typed(context, "data")  # and no default of this machine's
        as_stored = study is not None and recipe is None and not given and not own_data
        given |= {"band": band} if band is not None else {}
        chosen = engine_of(context, engine, ray_address, ray_open, slurm)
        running = Running(workers, chosen, log_json, metrics_port, allow_code=allow_code)
        wanted = Wanted(given, recipe, study, storage, device, data, running, output, most, as_stored)
        raise typer.Exit(measure_grid(wanted, dry_run, json_output))
    of_measure = {"--study": study is not None, "--dry-run": dry_run, "--band": band is not None}
    of_measure |= {f"--{name.replace('_', '-')}": is_typed(context, name) for name in _OF_MEASURE}
    if any(of_measure.values()):
        stray = next(option for option, is_given in of_measure.items() if is_given)
        raise NasError(f"{stray} is for a grid that is measured", "add --measure")
    if recipe is not None:
        from nas.cli.grid_measure import options_of

        settled = options_of(given, recipe)
        base, target, step, tolerance = settled.base, settled.target, settled.step, settled.tolerance
        constraint, bounds, pixels = settled.constraint, "{!r}:{!r}".format(*settled.range), settled.pixels
    found = closed_grid(base, storage, target, step, tolerance, constraint, bounds, pixels, most)
    page = None
    if output is not None:
        from nas.report.grid import write_grid

        page = write_grid(found, base, output)
    if json_output:
        from nas.report.grid import document

        console.show_json({**document(found), **({"report": str(page)} if page else {})})
        return
    _print(found, base, f"all are in {output}/tables/members.csv" if output else "write them all with -o DIR")
    if page is not None:
        console.say(f"report {page}")


def _is_given(context: typer.Context, name: str) -> bool:
    """Whether the option stands on the command line, and not only in its default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT")


def closed_grid(  # noqa: PLR0913, PLR0917
    base: str,
    storage: str,
    target: float,
    step: float,
    tolerance: float,
    constraint: str,
    bounds: str,
    pixels: int,
    most: int,
) -> Grid:
    """The grid that these words of the command line ask for. Raises: NasError in one line."""
    from nas.grid import grid as make

    low, high = parse_range(bounds)
    return make(
        scalable_base(base, storage),
        target=target,
        step=step,
        tolerance=tolerance,
        constraint=constraint,  # type: ignore[arg-type]  # checked there, with the nearest name
        low=low,
        high=high,
        pixels=pixels,
        most=most,
    )


def scalable_base(reference: str, storage: str) -> Architecture:
    """The architecture that `reference` names. Raises: NasError for one without stages to scale."""
    from nas.cli.refs import resolve_network
    from nas.foreign import is_foreign
    from nas.resources import exists
    from nas.scaling import scalable

    if is_foreign(reference) and not exists(
        Path(reference)
    ):  # the form tells: nothing is loaded or called to refuse it
        return scalable(reference)
    return scalable(resolve_network(reference, storage), reference)


def parse_range(text: str) -> tuple[float, float]:
    """`1:2` as two numbers. Raises: NasError."""
    low, colon, high = text.partition(":")
    try:
        if colon:
            return float(low), float(high)
    except ValueError:
        pass
    raise NasError(f"range '{text}' does not parse", "write LOW:HIGH, for example 1:2")


def _print(found: Grid, base: str, where: str) -> None:
    from dataclasses import replace

    from nas.report.grid import members_table, sentences
    from nas.report.table import narrow

    table = narrow(members_table(found))
    console.show(console.as_rich(replace(table, rows=table.rows[:_ROWS]), f"compound grid of {base}"))
    if len(table.rows) > _ROWS:
        console.result().print(f"… and {len(table.rows) - _ROWS:,} networks more: {where}", soft_wrap=True)
    for sentence in sentences(found):
        console.result().print(sentence, soft_wrap=True)
