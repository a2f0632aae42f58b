"""`nas report`: the Pareto report of a study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli import console
from nas.cli.options import DEFAULT_STORAGE, Json, Storage

if TYPE_CHECKING:
    import optuna


def report(
    study: Annotated[str, typer.Argument(help="A study in the storage (see: nas studies list).")],
    out: Annotated[Path | None, typer.Option(help="Folder to write; otherwise runs/STUDY.")] = None,
    storage: Storage = DEFAULT_STORAGE,
    json_output: Json = False,
) -> None:
    """Write the report of a study: one offline HTML page, tables, the front's networks, records and provenance.

    Reads only; a search may be running.

    Examples:

      nas report efficientnetv2 --out report
    """
    from nas.study.storage import open_storage, open_study

    opened = open_study(open_storage(storage), study)
    page = write_study_report(opened, out or Path("runs") / study)
    if json_output:
        console.show_json({"study": study, "report": str(page)})
    else:
        console.result().print(f"report {page}", soft_wrap=True, markup=False)


def write_study_report(study: optuna.Study, out: Path) -> Path:
    """Write the report of `study` into `out` and return its page."""
    from nas.report import StudyReport, write_report
    from nas.study.importance import importance, importance_needs
    from nas.study.storage import facts, recipe_of, records, space_of

    found, recipe, stored = records(study), recipe_of(study), facts(study)
    keys = [key for objective in recipe.parsed_objectives for key in objective.metrics]
    provenance = {key: stored[key] for key in ("command", "created", "environment")}
    provenance["device"] = {
        "kind": stored["device"],
        "name": stored["environment"].get("gpu", stored["environment"]["cpu"]),
    }
    provenance["space"] = {"name": space_of(study).name, "hash": space_of(study).hash}
    shares, needs = importance(found, space_of(study), keys), importance_needs(space_of(study))
    return write_report(StudyReport(found, recipe, provenance, shares, needs), out)
