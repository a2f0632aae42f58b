"""Does a published number follow from the published network? Four verdicts, and exactly what each means."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from nas.report.papers.facts import exact

ZEROS = 0.025  # as far as a value whose trailing zeros are no digits may lie from the regenerated one
_SLACK = Decimal("1e-9")  # of a unit: 0.385 is not exactly a binary fraction


class Verdict(StrEnum):
    """What comes out when a printed number is regenerated."""

    REPRODUCED = "reproduced"
    ROUNDED = "rounded"
    DIFFERS = "differs"
    UNMEASURED = "not measurable here"


MEANING = {
    Verdict.REPRODUCED: "the regenerated number rounds to the printed digits",
    Verdict.ROUNDED: (
        "the regenerated number lies within one unit of the last printed digit (the paper cut digits off, or rounded "
        f"up), or it lies within {ZEROS:.1%} and the printed zeros at the end are not digits (0.70 for 0.687)"
    ),
    Verdict.DIFFERS: "neither; the reason follows",
    Verdict.UNMEASURED: "nothing here can regenerate it; the reason follows",
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and, for the last two, its reason."""

    verdict: Verdict
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.verdict.value}: {self.reason}" if self.reason else self.verdict.value


def judge(printed: str, regenerated: float | None, reason: str = "", spread: float = 0.0) -> Judgement:
    """The verdict on a printed number, both in the printed unit; None: nothing regenerates it.

    `spread` of a measured value widens every bound: a printed number inside the noise is met. `reason` is kept where
    the verdict needs one.
    """
    if regenerated is None:
        return Judgement(Verdict.UNMEASURED, reason)
    said = exact(printed)
    unit = Decimal(1).scaleb(_exponent(said))
    away = abs(Decimal(regenerated) - said) - Decimal(spread) - unit * _SLACK
    if away <= unit / 2:
        return Judgement(Verdict.REPRODUCED)
    coarse = Decimal(1).scaleb(_exponent(said.normalize()))
    zeros = coarse > unit and away <= coarse / 2 and away <= Decimal(ZEROS) * abs(said)
    if away <= unit or zeros:
        return Judgement(Verdict.ROUNDED)
    return Judgement(Verdict.DIFFERS, reason)


def decimals(printed: str) -> int:
    """Digits after the point as printed; 0 for a whole number."""
    return max(0, -_exponent(exact(printed)))


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "a printed number is finite"
    return exponent
