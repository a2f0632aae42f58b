"""The report of a study, wherever its trials are: in a storage, in a records file, and others beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nas.cli import console

if TYPE_CHECKING:
    from nas.report import StudyReport
    from nas.study.feed import Snapshot, Source


def write_records_report(reference: str, out: Path | None, beside: Sequence[StudyReport] = ()) -> Path:
    """Write the report of the studies in a records file; return its page. The first is reported, others stand beside.

    Without `out` it goes to runs/NAME-records: runs/NAME is the search's own, and never over the folder that the
    records are from. Raises: NasError.
    """
    first, *others = read_beside([reference], "")
    if out is None:
        out = Path("runs") / f"{first.recipe.name}-records"
        source = Path(reference).resolve()
        while out.resolve() in (source, *source.parents):
            out = out.with_name(f"{out.name}-records")
    return _write(first, out, (*others, *beside))


def write_study_report(name: str, out: Path, storage: str, beside: Sequence[StudyReport] = ()) -> Path:
    """Write the report of the study of that name in `storage` into `out` and return its page. Raises: NasError."""
    from nas.dashboard.study import whole_study
    from nas.study.feed import open_storage_source

    (snapshot,) = _read([open_storage_source(storage, [name])])
    return _write(whole_study(snapshot), out, beside)


def read_beside(references: Sequence[str], storage: str) -> list[StudyReport]:
    """The studies to show beside another: of the storage, of another one, or of records files. Raises: NasError."""
    if not references:
        return []
    from nas.dashboard.study import study_of
    from nas.study.feed import open_sources

    return [study_of(snapshot) for snapshot in _read(open_sources(references, storage))]


def _read(sources: Sequence[Source]) -> list[Snapshot]:
    """Every study of the sources; what of them does not read is said."""
    from nas.study.feed import read_all

    found = read_all(sources)
    for snapshot in found:
        if snapshot.note:
            console.say(f"warning: {snapshot.head.name} ({snapshot.head.source}): {snapshot.note}")
    return found


def _write(study: StudyReport, out: Path, beside: Sequence[StudyReport]) -> Path:
    from nas.report import write_report
    from nas.report.choice_page import write_answer_of

    page = write_report(dataclasses.replace(study, beside=_apart(study, beside)), out)
    if study.recipe.grid is not None:
        write_answer_of(study.records, study.recipe.grid, study.recipe.name, out)
    return page


def _apart(study: StudyReport, beside: Sequence[StudyReport]) -> list[StudyReport]:
    """The studies beside it, each once, under names of their own; commands then bring their networks by notation."""
    from nas.dashboard.study import own_name

    names, places, kept = {study.recipe.name}, {_place(study)}, []
    for other in beside:
        if (place := _place(other)) in places:
            continue
        places.add(place)
        name = own_name(other.recipe.name, names)
        names.add(name)
        if name != other.recipe.name:
            recipe = other.recipe.model_copy(update={"name": name})
            kept.append(dataclasses.replace(other, recipe=recipe, option=None))
        else:
            kept.append(other)
    return kept


def _place(study: StudyReport) -> tuple[str, str]:
    """Where the study is, however that was written, and its name there."""
    from nas.study.feed_file import records_file
    from nas.study.storage import sqlite_path

    file = records_file(Path(study.source)) if study.option is None else sqlite_path(study.source)
    return (str(file.resolve()) if file else study.source, study.recipe.name)
