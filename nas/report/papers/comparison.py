"""A paper's table beside the regenerated one: published, regenerated, difference, verdict, for every number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Literal

from nas.report.papers.facts import exact, number
from nas.report.papers.verdict import Judgement, Verdict, bounds, decimals, judge, judge_measured
from nas.report.table import Cell, Column, Table, text

How = Literal["computed", "measured"]
_TAGS = {
    Verdict.REPRODUCED: "good", Verdict.ROUNDED: "fair", Verdict.DIFFERS: "bad", Verdict.UNMEASURED: "absent",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Quantity:
    """A column of the paper: `key` heads it in CSV, with the unit in both (`params_m`, `params (M)`). `said`: what its
    first number is, where that is not printed."""

    key: str
    label: str
    said: str = "published"


@dataclass(frozen=True, slots=True)
class Check:
    """One number of the paper and what regenerates it, both in the printed unit.

    `printed` is empty where the paper prints nothing; `regenerated` None where nothing here can. `reason`: why it
    differs, or why there is nothing. `spread`: of a measured value. `between`: the bounds of a ratio that no paper
    prints, from the digits of the two published numbers; `printed` is then their quotient. `once`: checks that share it
    hold the same published number, measured on several devices.
    """

    printed: str = ""
    regenerated: float | None = None
    reason: str = ""
    how: How = "computed"
    spread: float | None = None
    between: tuple[float, float] | None = None
    once: str = ""

    @property
    def judgement(self) -> Judgement | None:
        """None where the paper prints nothing."""
        if not self.printed:
            return None
        if self.how == "measured":
            between = self.between or bounds(self.printed)
            return judge_measured(between, self.regenerated, self.reason, self.spread or 0.0)
        return judge(self.printed, self.regenerated, self.reason)

    @property
    def points(self) -> bool:
        """Whether the printed number is a percentage: a difference from it is in points."""
        return self.printed.endswith("%")

    @property
    def difference(self) -> float | None:
        """In percent of the published number, in points where that is a percentage; None where one of the two is
        missing, or the published one is zero."""
        if self.regenerated is None or not self.printed or not number(self.printed):
            return None
        if self.points:
            return self.regenerated - number(self.printed)
        return 100 * (self.regenerated / number(self.printed) - 1)

    @property
    def cells(self) -> tuple[Cell, Cell, Cell]:
        """Published, regenerated, difference."""
        printed = Cell(self.printed, str(exact(self.printed))) if self.printed else Cell("–")
        if self.between:
            printed = Cell("{} ({:#.4g} to {:#.4g})".format(self.printed, *self.between), printed.raw)
        ours = Cell("–")
        if self.regenerated is not None:
            digits = self._digits
            noise = f" ± {self.spread:.{digits}f}" if self.spread else ""
            ours = Cell(f"{self.regenerated:,.{digits}f}{noise}", _round(self.regenerated), _round(self.spread))
        change = self.difference
        words = "" if change is None else _signed(change) + (" points" if self.points else "")
        difference = Cell("–") if change is None else Cell(words, _round(change))
        return printed, ours, difference

    @property
    def _digits(self) -> int:
        """Digits after the point that the regenerated number is shown with."""
        if isinstance(self.regenerated, int):  # a count of layers, a side in pixels
            return 0
        if self.how == "measured":
            return 2
        return min(decimals(self.printed) + 2, 4) if self.printed else 3


@dataclass(frozen=True, slots=True)
class Line:
    """One row: leading cells that are not judged, one check per quantity, and where the numbers were printed."""

    cells: tuple[Cell, ...]
    checks: tuple[Check, ...]
    source: str

    @property
    def name(self) -> str:
        return self.cells[0].text


@dataclass(frozen=True, slots=True)
class Comparison:
    """A table of the paper, regenerated. `columns` head the leading cells of every line (accuracies among them say
    `published`)."""

    name: str
    title: str
    columns: tuple[Column, ...]
    quantities: tuple[Quantity, ...]
    lines: tuple[Line, ...]
    note: str = ""

    @property
    def short(self) -> str:
        """`Table 2` of `Table 2: what it shows`."""
        return self.title.split(":")[0]

    def judged(self) -> Iterator[tuple[str, Quantity, Check, Judgement]]:
        """(row, quantity, check, verdict) of every number that the paper prints."""
        for line in self.lines:
            for quantity, check in zip(self.quantities, line.checks, strict=True):
                if (found := check.judgement) is not None:
                    yield line.name, quantity, check, found

    @property
    def reasons(self) -> tuple[str, ...]:
        """Every reason once, in the order of the cells: the notes (a), (b), …"""
        return tuple(dict.fromkeys(found.reason for *_, found in self.judged() if found.reason))

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(f"({_letter(place)}) {reason}" for place, reason in enumerate(self.reasons))

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(line.source for line in self.lines))

    def table(self, sourced: bool = False) -> Table:
        """The whole of it, four columns per quantity; `sourced`: and where each line was printed."""
        return self._table(range(len(self.quantities)), self.name, self.title, sourced=sourced)

    def narrow(self) -> tuple[Table, ...]:
        """One table per quantity, narrow enough for a page of paper; only rows in which there is something."""
        return tuple(
            self._table([place], f"{self.name}-{quantity.key}", f"{self.title}: {quantity.label}", sparse=True)
            for place, quantity in enumerate(self.quantities)
        )

    def _table(
        self, places: range | list[int], name: str, caption: str, sparse: bool = False, sourced: bool = False
    ) -> Table:
        columns = list(self.columns)
        for place in places:
            noisy = any(line.checks[place].spread for line in self.lines)
            points = any(line.checks[place].points for line in self.lines)
            columns += _columns(self.quantities[place], noisy, points)
        columns += [Column("source", "source")] if sourced else []
        rows = []
        for line in self.lines:
            checks = [line.checks[place] for place in places]
            if sparse and not any(check.printed or check.regenerated is not None for check in checks):
                continue
            cells = [cell for check in checks for cell in self._cells(check)]
            rows.append((*line.cells, *cells, *((text(line.source),) if sourced else ())))
        return Table(name, caption, tuple(columns), tuple(rows))

    def _cells(self, check: Check) -> tuple[Cell, ...]:
        found = check.judgement
        verdict = Cell("–")
        if found is not None:
            mark = f" ({_letter(self.reasons.index(found.reason))})" if found.reason else ""
            verdict = Cell(f"{found.verdict.value}{mark}", str(found), mark=_TAGS[found.verdict])
        return *check.cells, verdict


def _columns(quantity: Quantity, noisy: bool, points: bool) -> list[Column]:
    key, label = quantity.key, quantity.label
    unit = "points" if points else "pct"
    return [
        Column(f"{key}_published", f"{label}, {quantity.said}", "number"),
        Column(f"{key}_regenerated", "regenerated", "number", noisy=noisy),
        Column(f"{key}_difference_{unit}", "Δ" if points else "Δ %", "number"),
        Column(f"{key}_verdict", "verdict"),
    ]


def _signed(change: float) -> str:
    """+1.2, −0.4; 0.0 where it rounds to nothing."""
    return f"{change:+.1f}".replace("-", "−") if abs(change) >= 0.05 else "0.0"


def _letter(place: int) -> str:
    """a … z, aa, ab, …"""
    high, low = divmod(place, 26)
    return (ascii_lowercase[high - 1] if high else "") + ascii_lowercase[low]


def _round(value: float | None) -> float | None:
    """Ten significant digits: what a sum in another order cannot change."""
    return None if value is None else float(f"{value:.10g}")
