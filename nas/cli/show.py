"""`nas show`: a network as the paper's table, or what differs between two."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli import console
from nas.cli.options import DEFAULT_STORAGE, NOTATION, Json, Storage

if TYPE_CHECKING:
    from rich.table import Table

    from nas.arch import Architecture


def show(
    ref: Annotated[str, typer.Argument(help=f"A network: {NOTATION}.")],
    other: Annotated[str | None, typer.Argument(help="A second one: show what differs.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the first network there as YAML.")
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    json_output: Json = False,
) -> None:
    """Print a network as the paper's table, with params, FLOPs and activations by stage.

    Examples:

      nas show efficientnetv2-s

      nas show efficientnet-b4 mystudy:17

      nas show mystudy:17 -o mine.yaml
    """
    from nas.cli.refs import resolve

    first = resolve(ref, storage)
    if output is not None:
        _write(ref, first, output)
    if other is None:
        console.show_json(_document(ref, first)) if json_output else _print(ref, first)
        return
    second = resolve(other, storage)
    if json_output:
        console.show_json({"networks": [_document(ref, first), _document(other, second)]})
    else:
        _print_difference((ref, first), (other, second))


def _write(ref: str, arch: Architecture, out: Path) -> None:
    """Write the network as the YAML that `nas show FILE` reads back. Raises: NasError where it cannot be written."""
    from nas.cli.output import spare, write_files
    from nas.space_file import load_architecture, network_text

    spare("--output", out, lambda path: load_architecture(str(path)), "network")
    write_files({out: network_text(arch, out.stem, ref).encode()})
    console.say(f"written: {out}")


def _document(name: str, arch: Architecture) -> dict[str, Any]:
    from dataclasses import asdict

    from nas.cost import by_stage, cost

    rows = [{"stage": row.name, "size": row.size, **asdict(row.cost)} for row in by_stage(arch)]
    return {"name": name, "notation": str(arch), "id": arch.id, **asdict(cost(arch)), "stages": rows}


def _print(name: str, arch: Architecture) -> None:
    from nas.cost import cost
    from nas.report.tables import stage_table

    console.show(console.as_rich(stage_table(arch), f"{name}   {arch.resolution} px   id {arch.id}"))
    total = cost(arch)
    console.result().print(
        f"params {total.params:,}   FLOPs {total.flops:,} multiply-adds   activations {total.activations:,}\n{arch}",
        soft_wrap=True,
    )


def _print_difference(first: tuple[str, Architecture], second: tuple[str, Architecture]) -> None:
    from nas.difference import differences

    rows = differences(first[1], second[1])
    if not rows:
        console.result().print("the same network")
        return
    console.show(_difference_table(first, second, rows))


def _difference_table(
    first: tuple[str, Architecture], second: tuple[str, Architecture], rows: list[tuple[str, str, str]]
) -> Table:
    from rich.table import Table

    from nas.cost import cost
    from nas.metric import si

    table = Table()
    table.add_column("")
    for name, _ in (first, second):
        table.add_column(name, justify="right")
    table.add_column("ratio", justify="right")
    for key, a, b in rows:
        table.add_row(key, a, b, "")
    table.add_section()
    costs = cost(first[1]), cost(second[1])
    for key in ("params", "flops", "activations"):
        a, b = (getattr(spent, key) for spent in costs)
        table.add_row(key, si(a), si(b), f"{b / a:.2f} ×")
    return table
