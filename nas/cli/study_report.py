"""The report of a study, wherever its trials are: in a storage, in a records file, and others beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna

    from nas.report import StudyReport
    from nas.study.feed import Snapshot


def write_records_report(reference: str, out: Path | None, beside: Sequence[StudyReport]) -> Path:
    """Write the report of the studies in a records file; return its page. The first is reported, others stand beside.

    Without `out` it goes to runs/NAME, never over the folder that the records are from. Raises: NasError.
    """
    from nas.report import write_report
    from nas.report.choice_page import write_answer_of
    from nas.study.feed import open_sources, read_all

    first, *others = map(study_of, read_all(open_sources([reference], "")))
    if out is None:
        out = Path("runs") / first.recipe.name
        if out.resolve() in Path(reference).resolve().parents or out.resolve() == Path(reference).resolve():
            out = out.with_name(f"{out.name}-records")
    page = write_report(dataclasses.replace(first, beside=(*others, *beside)), out)
    if first.recipe.grid is not None:
        write_answer_of(first.records, first.recipe.grid, first.recipe.name, out)
    return page


def write_study_report(study: optuna.Study, out: Path, storage: str, beside: Sequence[StudyReport] = ()) -> Path:
    """Write the report of `study`, of that storage, into `out` and return its page."""
    from nas.cli.grid_measure import write_answer
    from nas.report import StudyReport, write_report
    from nas.study.feed import storage_option
    from nas.study.importance import importance, importance_needs
    from nas.study.storage import facts, masked, recipe_of, records, space_of

    found, recipe, space = records(study), recipe_of(study), space_of(study)
    keys = [key for objective in recipe.parsed_objectives for key in objective.metrics]
    page = write_report(
        StudyReport(
            found,
            recipe,
            {**_provenance(facts(study)), "space": {"name": space.name, "hash": space.hash}},
            importance(found, space, keys),
            importance_needs(space),
            masked(storage),
            storage_option(storage),
            beside,
        ),
        out,
    )
    write_answer(study, out)
    return page


def read_beside(references: Sequence[str], storage: str) -> list[StudyReport]:
    """The studies to show beside another: of the storage, of another one, or of records files. Raises: NasError."""
    if not references:
        return []
    from nas.study.feed import open_sources, read_all

    return [study_of(snapshot) for snapshot in read_all(open_sources(references, storage))]


def study_of(snapshot: Snapshot) -> StudyReport:
    """A study as it was read, in the order of its trials; without a recipe, under the one its records suggest."""
    from nas.report import StudyReport
    from nas.report.assumed import assumed_recipe

    head = snapshot.head
    ordered = sorted(snapshot.records, key=lambda record: -1 if record.trial is None else record.trial)
    recipe = head.recipe or assumed_recipe(head.name, ordered)
    if head.option is not None:  # a storage knows it under its own name, which may be a copy's
        recipe = recipe.model_copy(update={"name": head.name})
    stored = head.facts
    provenance = _provenance(stored) if "environment" in stored and "recipe" in stored else dict(stored)
    return StudyReport(ordered, recipe, provenance, source=head.source, option=head.option, assumed=head.recipe is None)


def _provenance(stored: Any) -> dict[str, Any]:
    """Of what a storage keeps about a study: its command, dates, device and versions."""
    environment = stored["environment"]
    device = {"kind": stored["device"], "name": environment.get("gpu", environment["cpu"])}
    return {**{key: stored[key] for key in ("command", "created", "environment")}, "device": device}
