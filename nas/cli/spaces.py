"""`nas spaces`: the search spaces that ship, and what is in one."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli import console
from nas.cli.options import Json
from nas.errors import NasError

if TYPE_CHECKING:
    from nas.metric import Limit
    from nas.space import SearchSpace


def spaces(
    name: Annotated[str | None, typer.Argument(help="A shipped space or a YAML file; none: list them.")] = None,
    limit: Annotated[list[str] | None, typer.Option(help="Also say what share meets this, e.g. flops<=4G.")] = None,
    sample: Annotated[int, typer.Option(min=1, max=100_000, help="Networks drawn for the spread.")] = 2000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    json_output: Json = False,
) -> None:
    """List the search spaces, or show one: its size, its table with open cells, and the spread of what is in it.

    Examples:

      nas spaces

      nas spaces efficientnetv2 --limit 'flops<=8.8G' --limit 'params<=40M'
    """
    from nas.metric import COMPUTED, parse_limit
    from nas.resources import names
    from nas.space_file import load_space

    if name is None:
        _list([load_space(shipped) for shipped in names("search_spaces")], json_output)
        return
    space = load_space(name)
    for parsed in map(parse_limit, limit or []):
        if parsed.key not in COMPUTED:
            raise NasError(
                f"limit {parsed}: {parsed.key} is not known before measuring", f"known: {', '.join(COMPUTED)}"
            )
    document = survey(space, [parse_limit(text) for text in limit or []], sample, seed)
    if json_output:
        console.show_json(document)
    else:
        _print(space, document)


def survey(space: SearchSpace, limits: list[Limit], count: int, seed: int) -> dict[str, Any]:
    """What `count` networks drawn from the space cost: min, median, max; share within the limits; duplicates."""
    from nas.cost import cost

    drawn = list(space.samples(count, seed))
    costs = [cost(arch) for arch in drawn]
    spread = {}
    for key in ("params", "flops", "activations"):
        values = [getattr(spent, key) for spent in costs]
        spread[key] = {"min": min(values), "median": statistics.median(values), "max": max(values)}
    known = [limit for limit in limits if limit.key in spread]
    within = {
        str(limit): sum(limit.excess(getattr(spent, limit.key)) <= 0 for spent in costs) / count for limit in known
    }
    meets = [all(limit.excess(getattr(spent, limit.key)) <= 0 for limit in known) for spent in costs]
    return {
        "space": space.name,
        "size": space.size,
        "open_cells": len(space.cells),
        "hash": space.hash,
        "sample": count,
        "seed": seed,
        "spread": spread,
        "within": within,
        "within_all": sum(meets) / count if known else None,
        "duplicates": count - len({arch.id for arch in drawn}),
    }


def _list(found: list[SearchSpace], json_output: bool) -> None:
    from rich.table import Table

    if json_output:
        rows = [{"name": s.name, "size": s.size, "open_cells": len(s.cells), "source": s.source} for s in found]
        console.show_json({"spaces": rows})
        return
    table = Table()
    for heading in ("Space", "Settings", "Open cells", "Source"):
        table.add_column(heading, justify="right" if heading in ("Settings", "Open cells") else "left")
    for space in found:
        table.add_row(space.name, f"{space.size:.2g}", str(len(space.cells)), space.source)
    console.show(table)


def _print(space: SearchSpace, document: dict[str, Any]) -> None:
    from rich.table import Table

    from nas.metric import METRICS
    from nas.space import STAGE

    table = Table(
        title=f"{space.name}   {space.size:.3g} settings of {len(space.cells)} open cells", title_justify="left"
    )
    table.add_column("Stage")
    for key in STAGE:
        table.add_column(key)
    for number, row in enumerate(space.stages, 1):
        table.add_row(str(number), *(str(row[key]) for key in STAGE))
    console.show(table)
    console.result().print(
        "   ".join(f"{key} {cell}" for key, cell in space.scalars.items()) + f"\n{space.source}", soft_wrap=True
    )
    spread = Table(title=f"{document['sample']:,} networks drawn evenly, seed {document['seed']}", title_justify="left")
    for heading in ("", "min", "median", "max"):
        spread.add_column(heading, justify="right")
    for key, values in document["spread"].items():
        spread.add_row(METRICS[key].label, *(METRICS[key].format(values[name]) for name in ("min", "median", "max")))
    console.show(spread)
    for text, share in document["within"].items():
        console.result().print(f"{share:.1%} within {text}")
    if len(document["within"]) > 1:
        console.result().print(f"{document['within_all']:.1%} within all limits")
    console.result().print(f"{document['duplicates']:,} of {document['sample']:,} were duplicates of another draw")
