"""What a report is drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nas.recipe import Recipe
from nas.record import Record


@dataclass(frozen=True, slots=True)
class StudyReport:
    """A study as values. `provenance`: command, versions, device, dates, as text or nested mappings of text; a report
    states nothing about its making that is not in here. `importance`: metric → cell of the space → share of its
    variation, computed elsewhere; empty where it is not known. `importance_needs`: the distinct measured networks from
    which it is, 0 where nobody said. `source`: where the study is, as shown. `option`: what stands behind
    `nas show STUDY:TRIAL` to find it, None where no storage holds it. `beside`: studies shown on the same page.
    `assumed`: the recipe is what the records suggest (`nas.report.assumed`), and is not shown as theirs. `note`: what
    of the study could not be read."""

    records: Sequence[Record]
    recipe: Recipe
    provenance: Mapping[str, Any] = field(default_factory=dict)
    importance: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    importance_needs: int = 0
    source: str = ""
    option: str | None = None
    beside: Sequence[StudyReport] = ()
    assumed: bool = False
    note: str = ""
