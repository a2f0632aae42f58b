"""How much a reading of this study can be trusted: its own spread, and at least the noise seen on the baselines."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nas.metric import METRICS
from nas.record import Reading, Record

TIMED = (  # what other work on the machine disturbs
    "train_images_per_s", "infer_images_per_s", "latency_ms", "train_seconds",
)  # fmt: skip
SEPARATE = 3.0  # seed deviations from which a recipe tells two networks apart


@dataclass(frozen=True, slots=True)
class Separation:
    """How far apart a training recipe holds a baseline and the smallest one: `points` of top-1 gained over it, and
    that in standard deviations between the baseline's `repeats` seeds; None where they do not deviate."""

    name: str
    smallest: str
    points: float
    deviations: float | None
    repeats: int


def runs(reading: Reading) -> int:
    """How many runs a reading is the median of."""
    return len(_repeats(reading)) or 1


def noise_floor(records: Iterable[Record]) -> dict[str, float]:
    """The study's noise in each measured metric: the difference below which no reading of it is trusted.

    A trial is measured once, a baseline several times, so only the baselines know how far two runs lie apart. The
    floor is the largest spread among the repeated readings of baselines (twice the standard deviation between the
    repeats; of a timing at least its spread within a run): for a percentage in points (seeds move 40 % and 60 % about
    alike), for everything else relative to the value. No entry where no baseline was measured several times.
    """
    floor: dict[str, float] = {}
    for record in records:
        if not record.baseline or record.state != "complete":
            continue
        for key, reading in record.readings.items():
            if key not in METRICS or METRICS[key].kind != "measured" or reading.spread is None or runs(reading) < 2:
                continue
            noise = abs(reading.spread) / _unit(key, reading.value)
            floor[key] = max(noise, floor.get(key, 0.0))
    return floor


def spreads(record: Record, floor: Mapping[str, float]) -> dict[str, float]:
    """The half-width of the noise of every reading where it is known, in its unit: its own, and at least the floor.

    Computed metrics have none: they are exact.
    """
    return half_widths(
        record.values,
        {key: abs(reading.spread) for key, reading in record.readings.items() if reading.spread is not None},
        floor,
    )


def half_widths(values: Mapping[str, float], own: Mapping[str, float], floor: Mapping[str, float]) -> dict[str, float]:
    """The noise of these values: each one's own spread where it has one, and at least the floor."""
    least = {key: share * _unit(key, values[key]) for key, share in floor.items() if key in values}
    return {key: max(own.get(key, 0.0), least.get(key, 0.0)) for key in values if key in own or key in least}


def separations(records: Iterable[Record]) -> tuple[Separation, ...]:
    """Each repeated baseline against the one with the fewest FLOPs, in top-1; empty where there is no pair."""
    repeated: dict[str, Record] = {}
    for record in records:
        if record.baseline and record.state == "complete" and "flops" in record.readings:
            reading = record.readings.get("top1_pct")
            if reading and runs(reading) > 1:
                repeated.setdefault(record.id, record)
    if len(repeated) < 2:
        return ()
    smallest = min(repeated.values(), key=lambda record: record.readings["flops"].value)
    return tuple(_separation(record, smallest) for record in repeated.values() if record is not smallest)


def _separation(record: Record, smallest: Record) -> Separation:
    reading = record.readings["top1_pct"]
    points, deviation = reading.value - smallest.readings["top1_pct"].value, statistics.stdev(_repeats(reading))
    return Separation(
        record.baseline, smallest.baseline, points, abs(points) / deviation if deviation else None, runs(reading)
    )


def _repeats(reading: Reading) -> Sequence[float]:
    values = reading.detail.get("repeats")
    return values if isinstance(values, list | tuple) else ()


def _unit(key: str, value: float) -> float:
    """What a floor is a multiple of: one point for a percentage, the value itself for the rest."""
    return 1.0 if key in METRICS and METRICS[key].style == "percent" else abs(value) or 1.0
