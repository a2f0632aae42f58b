"""`nas studies`: what is in a storage."""

from __future__ import annotations

import re
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from nas.cli import console
from nas.cli.options import DEFAULT_STORAGE, Json, Storage
from nas.errors import NasError


class _ListByDefault(TyperGroup):
    """`nas studies` alone lists them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


studies = typer.Typer(
    name="studies",
    cls=_ListByDefault,
    help="List studies; or show, export, copy or delete one.",
    rich_markup_mode=None,
)
_Name = Annotated[str, typer.Argument(help="Name of the study.")]


@studies.command("list")
def list_studies(storage: Storage = DEFAULT_STORAGE, json_output: Json = False) -> None:
    """List the studies: trials by state, size of the front, last activity."""
    from nas.cli.study_state import study_state
    from nas.report.analysis import STATES
    from nas.study.storage import masked, open_storage, open_study, recipe_of, records, study_names

    opened = open_storage(storage)
    rows: list[dict[str, Any]] = []
    for name in study_names(opened):
        study = open_study(opened, name)
        found, recipe = records(study), recipe_of(study)
        stands = study_state(storage, study, recipe, found)
        counts = {state: sum(record.state == state for record in found) for state in STATES}
        rows.append({"study": name, "space": recipe.space} | asdict(stands) | counts)
    if json_output:
        console.show_json({"storage": masked(storage), "studies": rows})
    elif not rows:
        console.say(f"no studies in {masked(storage)}")
    else:
        _show_list(rows)


def _show_list(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from nas.cli.study_state import ago
    from nas.report.analysis import STATES

    table = Table()
    for title in ("study", "space", "state"):
        table.add_column(title)
    for title in ("done", *STATES, "front"):
        table.add_column("trials running" if title == "running" else title, justify="right")
    table.add_column("last activity")
    for row in rows:
        done, counts = f"{row['done']} of {row['total']}", (str(row[state]) for state in STATES)
        table.add_row(row["study"], row["space"], row["state"], done, *counts, str(row["front"]), ago(row["last"]))
    console.show(table)


@studies.command("show")
def show_study(study: _Name, storage: Storage = DEFAULT_STORAGE, json_output: Json = False) -> None:
    """Show a study: its recipe, its trials by state, its front, and why trials failed."""
    from nas.cli.study_state import study_state
    from nas.report.analysis import analyse
    from nas.study.storage import facts, open_storage, open_study, recipe_of, records

    opened = open_study(open_storage(storage), study)
    found, stored = records(opened), facts(opened)
    analysis = analyse(found, recipe_of(opened))
    stands = study_state(storage, opened, recipe_of(opened), found)
    if json_output:
        counts = {"trials": dict(analysis.counts), "records": [record.to_json() for record in found]}
        console.show_json({"study": study, **stored, **asdict(stands), **counts})
        return
    from rich.table import Table

    from nas.report.analysis import axis

    out = console.result()
    out.print(
        f"{study}: {stored['command']}   started {stored['created']} on {stored['device']}",
        soft_wrap=True,
        markup=False,
    )
    out.print(stands.words, soft_wrap=True, markup=False)
    out.print("trials: " + ", ".join(f"{count} {state}" for state, count in analysis.counts.items()), markup=False)
    table = Table()
    table.add_column("front")
    for key in analysis.measured:
        table.add_column(axis(key).label, justify="right")
    table.add_column("", justify="left")
    trained = any(member.record.training for member in analysis.front)
    if trained:
        table.add_column("training")
    for member in analysis.front:
        values = [axis(key).format(member.values.get(key)) for key in analysis.measured]
        status = "" if member.status == "front" else str(member.status)
        table.add_row(member.name, *values, status, *([member.record.training_text or "plain"] if trained else []))
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
    from nas.cli.output import spare
    from nas.record import read_records, write_records
    from nas.study.storage import open_storage, open_study, records

    spare("--output", output, lambda path: next(read_records(path), None), "records")
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
    from nas.study.storage import delete_study, masked, open_storage, open_study

    open_study(open_storage(storage), study)
    if not yes and not sys.stdin.isatty():
        raise NasError(f"study '{study}' is not deleted without a word", "give --yes")
    if not yes and not typer.confirm(f"delete study '{study}' and all its trials from {masked(storage)}?"):
        raise typer.Exit(2)
    with driver_lock(storage, study, console.say):
        delete_study(open_storage(storage, create=True), study)
    console.say(f"deleted {study}")


@studies.command("copy")
def copy_stored_study(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The storage that it is in.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="The storage to copy it to; made if need be.")],
    study: Annotated[str | None, typer.Option(help="Name of the study; not needed where there is only one.")] = None,
    name: Annotated[str | None, typer.Option("--as", help="Its name in the target; otherwise the same.")] = None,
) -> None:
    """Copy a study to another storage, with all that is in it. `nas search` then goes on there.

    Example:

      nas studies copy sqlite:///nas.db postgresql://user@host/nas --study efficientnetv2
    """
    from nas.document import NAME, NAME_WORDS
    from nas.study.copy import copy_study
    from nas.study.lock import creating, driver_lock
    from nas.study.storage import masked, open_storage, open_study

    if name is not None and not re.fullmatch(NAME, name):
        raise NasError(f"--as '{name}': expected {NAME_WORDS}")
    opened = open_storage(source)
    found = open_study(opened, study).study_name
    called = name or found
    with driver_lock(source, found, console.say), _second_lock(source, target, called):
        with creating(target):
            into = open_storage(target, create=True)
        count = copy_study(opened, into, found, called)
    console.result().print(
        f"{found}: {count} trials, now in {masked(target)} as {called}", soft_wrap=True, markup=False
    )


def _second_lock(source: str, target: str, study: str) -> AbstractContextManager[object]:
    """The lock of the target; nothing where both are one file, which is locked already."""
    from nas.study.lock import driver_lock
    from nas.study.storage import sqlite_path

    one, other = sqlite_path(source), sqlite_path(target)
    if one is not None and other is not None and one.resolve() == other.resolve():
        return nullcontext()
    return driver_lock(target, study, console.say)
