"""Several rounds of the same readings as one: their median, and how far the rounds lie apart."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence

from nas.record import Reading


def combine(rounds: Sequence[Mapping[str, Reading]]) -> dict[str, Reading]:
    """One reading a metric. Spread: twice the standard deviation between the rounds, and at least the median of
    their own spreads. A metric that one of the rounds lacks is left out."""
    if len(rounds) == 1:
        return dict(rounds[0])
    keys = [key for key in rounds[0] if all(key in other for other in rounds)]
    return {key: _combine([readings[key] for readings in rounds]) for key in keys}


def _combine(readings: Sequence[Reading]) -> Reading:
    values = [reading.value for reading in readings]
    own = [reading.spread for reading in readings if reading.spread is not None]
    median = statistics.median(values)
    nearest = min(readings, key=lambda reading: abs(reading.value - median))
    return dataclasses.replace(
        nearest,
        value=median,
        spread=max([2 * statistics.stdev(values), *([statistics.median(own)] if own else [])]),
        samples=len(values),
        conditions={**nearest.conditions, "repeats": len(values)},
        detail={**nearest.detail, "repeats": values},
    )
