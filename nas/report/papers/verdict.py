"""Does a published number follow from the published network? Four verdicts, and exactly what each means."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from enum import StrEnum

from nas.report.papers.facts import exact

_SLACK = Decimal("1e-9")  # of a unit: 0.385 is not exactly a binary fraction
NOISY = "too noisy to tell"


class Verdict(StrEnum):
    """What comes out when a printed number is regenerated."""

    REPRODUCED = "reproduced"
    ROUNDED = "rounded"
    DIFFERS = "differs"
    UNMEASURED = "not measurable here"


MEANING = {
    Verdict.REPRODUCED: (
        "the regenerated number rounds to the printed digits; a whole number (layers, channels, pixels) is equal; a "
        "measured ratio lies, within its noise, in the range that the published digits leave open"
    ),
    Verdict.ROUNDED: (
        "the printed digits are the regenerated number cut off (37 for 37.75), or rounded twice, first to one digit "
        "more (22 for 21.458, by way of 21.5)"
    ),
    Verdict.DIFFERS: "neither; the reason follows",
    Verdict.UNMEASURED: "nothing here can regenerate it, or the measurement is too noisy to tell; the reason follows",
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and, for the last two, its reason."""

    verdict: Verdict
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.verdict.value}: {self.reason}" if self.reason else self.verdict.value


def judge(printed: str, regenerated: float | None, reason: str = "") -> Judgement:
    """The verdict on a printed number, both in the printed unit; None: nothing regenerates it.

    An `int` is a whole number by nature, and only equality reproduces it. `reason` is kept where the verdict needs one.
    """
    if regenerated is None:
        return Judgement(Verdict.UNMEASURED, reason)
    said, ours = exact(printed), Decimal(regenerated)
    if isinstance(regenerated, int):
        return Judgement(Verdict.REPRODUCED) if said == ours else Judgement(Verdict.DIFFERS, reason)
    unit = _unit(said)
    if abs(ours - said) <= unit / 2 + unit * _SLACK:
        return Judgement(Verdict.REPRODUCED)
    twice = ours.quantize(unit / 10, ROUND_HALF_UP).quantize(unit, ROUND_HALF_UP)
    if said in (ours.quantize(unit, ROUND_DOWN), twice):
        return Judgement(Verdict.ROUNDED)
    return Judgement(Verdict.DIFFERS, reason)


def judge_measured(
    between: tuple[float, float], measured: float | None, reason: str = "", spread: float = 0.0
) -> Judgement:
    """The verdict on a published ratio that lies `between` two bounds by its digits, beside a measured one.

    Noise wider than those bounds can refute the ratio, not confirm it: then it is too noisy to tell.
    """
    if measured is None:
        return Judgement(Verdict.UNMEASURED, reason)
    low, high = between
    slack = (high - low) * float(_SLACK)
    if not low - spread - slack <= measured <= high + spread + slack:
        return Judgement(Verdict.DIFFERS, reason)
    if spread > high - low + slack:
        noise = f"measured to ± {spread:.2g}, published between {low:#.4g} and {high:#.4g}"
        return Judgement(Verdict.UNMEASURED, f"{NOISY}: {noise}")
    return Judgement(Verdict.REPRODUCED)


def bounds(printed: str) -> tuple[float, float]:
    """(least, greatest) number that rounds to the printed digits."""
    said = exact(printed)
    half = _unit(said) / 2
    return float(said - half), float(said + half)


def quotient(above: str, below: str) -> tuple[float, float]:
    """(least, greatest) quotient of two numbers that round to the printed digits."""
    (low, high), (least, greatest) = bounds(above), bounds(below)
    return low / greatest, high / least


def decimals(printed: str) -> int:
    """Digits after the point as printed; 0 for a whole number."""
    return max(0, -_exponent(exact(printed)))


def _unit(value: Decimal) -> Decimal:
    """One unit of the last printed digit."""
    return Decimal(1).scaleb(_exponent(value))


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "a printed number is finite"
    return exponent
