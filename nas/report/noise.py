"""How much a reading of this study can be trusted: its own spread, and at least the noise seen on the baselines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nas.metric import METRICS
from nas.record import Record


def noise_floor(records: Iterable[Record]) -> dict[str, float]:
    """The study's noise in each measured metric: a 95 % half-width below which no reading of it is trusted.

    A trial is measured once, a baseline several times, so only the baselines know how far two runs lie apart. The
    floor is the largest spread among the baselines' readings: for a percentage in points (seeds move 40 % and 60 %
    about alike), for everything else relative to the value. No entry where no baseline has a spread.
    """
    floor: dict[str, float] = {}
    for record in records:
        if not record.baseline or record.state != "complete":
            continue
        for key, reading in record.readings.items():
            if key not in METRICS or METRICS[key].kind != "measured" or reading.spread is None:
                continue
            noise = abs(reading.spread) / _unit(key, reading.value)
            floor[key] = max(noise, floor.get(key, 0.0))
    return floor


def spreads(record: Record, floor: Mapping[str, float]) -> dict[str, float]:
    """The 95 % half-width of every reading whose noise is known, in its unit: its own, and at least the floor.

    Computed metrics have none: they are exact.
    """
    known: dict[str, float] = {}
    for key, reading in record.readings.items():
        own = [] if reading.spread is None else [abs(reading.spread)]
        least = [floor[key] * _unit(key, reading.value)] if key in floor else []
        if own or least:
            known[key] = max(own + least)
    return known


def _unit(key: str, value: float) -> float:
    """What a floor is a multiple of: one point for a percentage, the value itself for the rest."""
    return 1.0 if key in METRICS and METRICS[key].style == "percent" else abs(value) or 1.0
