"""`nas studies`: what is in a storage."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from nas.cli import console
from nas.cli.options import DEFAULT_STORAGE, Json, Storage
from nas.errors import NasError

studies = typer.Typer(
    name="studies", help="List, show, export or delete studies.", no_args_is_help=True, rich_markup_mode=None
)
_Name = Annotated[str, typer.Argument(help="Name of the study.")]


@studies.command("list")
def list_studies(storage: Storage = DEFAULT_STORAGE, json_output: Json = False) -> None:
    """List the studies: trials by state, size of the front, last activity."""
    from rich.table import Table

    from nas.report.analysis import analyse
    from nas.study.storage import open_storage, open_study, recipe_of, records, study_names

    opened = open_storage(storage)
    rows: list[dict[str, object]] = []
    for name in study_names(opened):
        study = open_study(opened, name)
        found, recipe = records(study), recipe_of(study)
        analysis = analyse(found, recipe)
        last = max((record.started for record in found), default="")
        states: dict[str, object] = {state: count for state, count in analysis.counts.items()}  # noqa: C416
        rows.append({"study": name, "space": recipe.space} | states | {"front": len(analysis.front), "last": last})
    if json_output:
        console.show_json({"storage": storage, "studies": rows})
        return
    if not rows:
        console.say(f"no studies in {storage}")
        return
    table = Table()
    for key in rows[0]:
        table.add_column(key, justify="left" if key in ("study", "space", "last") else "right")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    console.show(table)


@studies.command("show")
def show_study(study: _Name, storage: Storage = DEFAULT_STORAGE, json_output: Json = False) -> None:
    """Show a study: its recipe, its trials by state, its front, and why trials failed."""
    from nas.report.analysis import analyse
    from nas.study.storage import facts, open_storage, open_study, recipe_of, records

    opened = open_study(open_storage(storage), study)
    found, stored = records(opened), facts(opened)
    analysis = analyse(found, recipe_of(opened))
    if json_output:
        console.show_json(
            {"study": study, **stored, "trials": dict(analysis.counts), "records": [r.to_json() for r in found]}
        )
        return
    from rich.table import Table

    from nas.report.analysis import axis

    out = console.result()
    out.print(
        f"{study}: {stored['command']}   started {stored['created']} on {stored['device']}",
        soft_wrap=True,
        markup=False,
    )
    out.print("trials: " + ", ".join(f"{count} {state}" for state, count in analysis.counts.items()), markup=False)
    table = Table()
    table.add_column("front")
    for key in analysis.measured:
        table.add_column(axis(key).label, justify="right")
    table.add_column("", justify="left")
    for member in analysis.front:
        values = [axis(key).format(member.values.get(key)) for key in analysis.measured]
        table.add_row(member.name, *values, "" if member.status == "front" else str(member.status))
    console.show(table)
    for record in found:
        if record.state == "failed":
            out.print(f"#{record.trial} failed: {record.reason}", soft_wrap=True, markup=False)


@studies.command("export")
def export_study(
    study: _Name,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path("records.jsonl"),
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Write a study's records as JSON lines, one a trial."""
    from nas.record import write_records
    from nas.study.storage import open_storage, open_study, records

    found = records(open_study(open_storage(storage), study))
    try:
        write_records(output, found)
    except OSError as error:
        raise NasError(f"--output {output}: cannot be written: {error.strerror}") from None
    console.result().print(f"{len(found)} records {output}", soft_wrap=True, markup=False)


@studies.command("delete")
def delete_study(
    study: _Name,
    storage: Storage = DEFAULT_STORAGE,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a study and all its trials."""
    from nas.study.lock import driver_lock
    from nas.study.storage import delete_study, open_storage, open_study

    open_study(open_storage(storage), study)
    if not yes and not sys.stdin.isatty():
        raise NasError(f"study '{study}' is not deleted without a word", "give --yes")
    if not yes and not typer.confirm(f"delete study '{study}' and all its trials from {storage}?"):
        raise typer.Exit(2)
    with driver_lock(storage, study, console.say):
        delete_study(open_storage(storage, create=True), study)
    console.say(f"deleted {study}")
