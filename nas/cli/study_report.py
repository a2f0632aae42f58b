"""The report of a study, wherever its trials are: in a storage, in a records file, and others beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas.report import StudyReport


def write_records_report(reference: str, out: Path | None, beside: Sequence[StudyReport] = ()) -> Path:
    """Write the report of the studies in a records file; return its page. The first is reported, others stand beside.

    Without `out` it goes to runs/NAME, never over the folder that the records are from. Raises: NasError.
    """
    first, *others = read_beside([reference], "")
    if out is None:
        out = Path("runs") / first.recipe.name
        if out.resolve() in Path(reference).resolve().parents or out.resolve() == Path(reference).resolve():
            out = out.with_name(f"{out.name}-records")
    return _write(first, out, (*others, *beside))


def write_study_report(name: str, out: Path, storage: str, beside: Sequence[StudyReport] = ()) -> Path:
    """Write the report of the study of that name in `storage` into `out` and return its page. Raises: NasError."""
    from nas.dashboard.study import whole_study
    from nas.study.feed import open_sources, read_all

    (snapshot,) = read_all(open_sources([f"{storage}#{name}"], storage))
    return _write(whole_study(snapshot), out, beside)


def read_beside(references: Sequence[str], storage: str) -> list[StudyReport]:
    """The studies to show beside another: of the storage, of another one, or of records files. Raises: NasError."""
    if not references:
        return []
    from nas.dashboard.study import study_of
    from nas.study.feed import open_sources, read_all

    return [study_of(snapshot) for snapshot in read_all(open_sources(references, storage))]


def _write(study: StudyReport, out: Path, beside: Sequence[StudyReport]) -> Path:
    from nas.report import write_report
    from nas.report.choice_page import write_answer_of

    page = write_report(dataclasses.replace(study, beside=beside), out)
    if study.recipe.grid is not None:
        write_answer_of(study.records, study.recipe.grid, study.recipe.name, out)
    return page
