"""A paper's report as a value: sections of comparisons, tables and figures; what the audit found; what went in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nas.report.papers.audit.finding import Finding, Remark
from nas.report.papers.comparison import Check, Comparison, Quantity
from nas.report.papers.figure import Figure
from nas.report.papers.verdict import Judgement, Verdict
from nas.report.papers.zoo import Zoo
from nas.report.table import Table


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a report is made of besides the shipped facts: the measured zoo, and the user's own measured networks."""

    zoo: Zoo
    records: Zoo

    @property
    def provenance(self) -> dict[str, Any]:
        """The files of records that were read, with the digests of their bytes."""
        read = {"measured networks": dict(self.zoo.files), "own records": dict(self.records.files)}
        return {name: files for name, files in read.items() if files}


@dataclass(frozen=True, slots=True)
class Section:
    """One table or figure of the paper, or one question about it. `text`: paragraphs."""

    name: str
    title: str
    text: tuple[str, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True, slots=True)
class Paper:
    """`name` is that of the report. `facts`: the files of published facts that went in; `provenance`: the rest, as
    text. `remarks`: contradictions between words. `missing`: what was not measured, and the command that measures it.
    """

    name: str
    title: str
    citation: str
    sections: tuple[Section, ...]
    findings: tuple[Finding, ...] = ()
    remarks: tuple[Remark, ...] = ()
    facts: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        return tuple(one for section in self.sections for one in section.comparisons)

    @property
    def figures(self) -> tuple[Figure, ...]:
        return tuple(one for section in self.sections for one in section.figures)

    def shows(self, key: str) -> bool:
        """Whether a column of this key has a value in any of its tables."""
        tables = [table for section in self.sections for table in section.tables]
        tables += [comparison.table() for comparison in self.comparisons]
        return any(
            column.key == key and any(row[place].raw is not None for row in table.rows)
            for table in tables
            for place, column in enumerate(table.columns)
        )

    def judged(self) -> Iterator[tuple[Comparison, str, Quantity, Check, Judgement]]:
        """Every number of the paper that was judged."""
        for comparison in self.comparisons:
            for row, quantity, check, found in comparison.judged():
                yield comparison, row, quantity, check, found

    def tally(self) -> dict[Verdict, int]:
        """How many printed numbers got each verdict."""
        return self._tally(derived=False)

    def ratios(self) -> dict[Verdict, int]:
        """The same of ratios between two published numbers, which no paper prints."""
        return self._tally(derived=True)

    def _tally(self, derived: bool) -> dict[Verdict, int]:
        """A number that several devices measured counts once, by the first of its verdicts in the order of Verdict."""
        order = list(Verdict)
        best: dict[tuple[object, ...], Verdict] = {}
        for place, (comparison, *_, check, found) in enumerate(self.judged()):
            if (check.between is not None) is derived:
                key = (comparison.name, check.once or place)
                best[key] = min(best.get(key, found.verdict), found.verdict, key=order.index)
        counts = Counter(best.values())
        return {verdict: counts[verdict] for verdict in Verdict}
