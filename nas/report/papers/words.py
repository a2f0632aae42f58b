"""What a paper's report says in words, for the page and for Markdown alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas.report.papers.audit.finding import Finding
from nas.report.papers.comparison import Comparison
from nas.report.papers.facts import digest
from nas.report.papers.paper import Paper
from nas.report.papers.verdict import MEANING, NOISY, Verdict
from nas.report.table import Cell, Column, Table, text


def opening(paper: Paper) -> tuple[str, ...]:
    """What was compared with what, what the verdicts mean, and what was not measured."""
    printed = paper.tally()
    return (
        f"{sum(printed.values())} printed numbers were regenerated or found beyond reach: {counts(printed)}.",
        *_ratios(paper.ratios()),
        "A published number stands as it was printed. A regenerated one is computed in closed form from the network, "
        "counted on the built network, or measured on the device that is named; none is copied. Accuracies on ImageNet "
        "are the papers' own, are labelled published, and are not judged.",
        "; ".join(f"{verdict.value}: {meaning}" for verdict, meaning in MEANING.items()) + ".",
        *paper.missing,
    )


def _ratios(tally: Mapping[Verdict, int]) -> tuple[str, ...]:
    """A sentence on ratios that no paper prints; none where there are none."""
    if not (total := sum(tally.values())):
        return ()
    return (
        f"{total} ratios of two published times, which no paper prints, are held against the range that the digits of "
        f"both leave open: {counts(tally)}. Measured on several devices, a ratio counts once, by its best verdict.",
    )


def counts(tally: Mapping[Verdict, int]) -> str:
    """`76 reproduced, 15 rounded, …`"""
    return ", ".join(f"{count} {verdict.value}" for verdict, count in tally.items())


def exceptions(paper: Paper) -> tuple[Table, ...]:
    """Every number that differs, with its reason, and what is not measurable here, by reason; a table that would be
    empty is left out."""
    return tuple(table for table in (_differing(paper), _unmeasured(paper)) if table.rows)


def _differing(paper: Paper) -> Table:
    columns = (
        Column("where", "where"),
        Column("published", "published", "number"),
        Column("regenerated", "regenerated", "number"),
        Column("difference", "Δ, in % or points", "number"),
        Column("reason", "reason"),
    )
    rows = []
    for comparison, row, quantity, check, judgement in paper.judged():
        if judgement.verdict is Verdict.DIFFERS and check.regenerated is not None:
            where = Cell(f"{comparison.short}, {row}: {quantity.label}", link=f"table-{comparison.name}")
            rows.append((where, *check.cells, text(judgement.reason)))
    return Table("differs", "Every number that differs", columns, tuple(rows))


def _unmeasured(paper: Paper) -> Table:
    columns = (Column("numbers", "numbers", "number"), Column("where", "where"), Column("reason", "reason"))
    reasons: dict[tuple[str, str], list[str]] = {}
    for comparison, row, _, _, judgement in paper.judged():
        if judgement.verdict is Verdict.UNMEASURED:
            why, _, _ = judgement.reason.partition(": ")
            reason = why if why == NOISY else judgement.reason
            reasons.setdefault((comparison.short, reason), []).append(row)
    rows = [
        (text(len(names)), text(f"{short}: {', '.join(dict.fromkeys(names))}"), text(reason))
        for (short, reason), names in reasons.items()
    ]
    return Table("unmeasured", "What is not measurable here", columns, tuple(rows))


def sources(comparison: Comparison) -> str:
    """Where the published numbers of a table were printed."""
    return f"Published: {'; '.join(comparison.sources)}."


def remarks(paper: Paper) -> tuple[str, ...]:
    """Contradictions that were found by reading: there is nothing to compute."""
    return tuple(f"{remark.claim} ({remark.source})" for remark in paper.remarks)


def standing(finding: Finding) -> str:
    """Whether the computation supports the claim."""
    return "computed: holds" if finding.holds else "computed: does not hold"


def provenance(paper: Paper) -> dict[str, Any]:
    """What went in: the files of facts and of records with the digests of their bytes, and what the paper says."""
    said = {"published facts": {name: digest(name) for name in paper.facts}}
    return {**said, **paper.provenance}
