"""What findings of the audit are made of: rows of published facts, counts by nas, and numbers as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from nas.report.papers.facts import Fact, FactError
from nas.report.papers.verdict import Verdict, judge

Published = Callable[[str], Sequence[Fact]]  # nas.report.papers.facts.facts, or a test's altered copy of it


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a paper that was found by computing. `claim`: what is printed. `steps`: the arithmetic with its
    numbers, to be checked by hand; `holds`: whether the numbers bear `conclusion`, which was worded beforehand."""

    name: str
    title: str
    claim: str
    steps: tuple[str, ...]
    conclusion: str
    holds: bool
    sources: tuple[str, ...]

    @property
    def outcome(self) -> str:
        """The conclusion, or that these numbers do not bear it."""
        return self.conclusion if self.holds else f"The numbers above do not bear this out: {self.conclusion}"


@dataclass(frozen=True, slots=True)
class Remark:
    """A contradiction between words, found by reading: there is nothing to compute."""

    claim: str
    source: str


def one(rows: Iterable[Fact], **where: str) -> Fact:
    """The first row whose columns have these texts. Raises: FactError when there is none."""
    for row in rows:
        if all(row[column] == value for column, value in where.items()):
            return row
    raise FactError(f"published facts: no row with {where}")


def some(rows: Iterable[Fact], **where: str) -> tuple[Fact, ...]:
    """Every row whose columns have these texts."""
    return tuple(row for row in rows if all(row[column] == value for column, value in where.items()))


def sources(*groups: Iterable[Fact]) -> tuple[str, ...]:
    """Where the rows were printed, each place once."""
    return tuple(dict.fromkeys(row["source"] for rows in groups for row in rows))


def rounds_to(value: float, printed: str) -> bool:
    """Whether `value` rounds to the printed digits."""
    return judge(printed, value).verdict is Verdict.REPRODUCED


def percent(change: float) -> str:
    """A relative change as text: 0.012 → `+1.2 %`."""
    return f"{100 * change:+.1f} %".replace("-", "−")
